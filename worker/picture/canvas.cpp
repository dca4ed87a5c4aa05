#include "worker/picture/canvas.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "config/utf8.h"
#include "worker/picture/font/letters.h"

namespace rushes::worker {
namespace {

// As font/draw.py draws the page.
constexpr int kCellWidth = 18, kCellHeight = 36, kColumns = 32;
struct Letters {
  char32_t first, last;
};
constexpr std::array<Letters, 11> kLetters = {{{0x20, 0x7E},
                                               {0xA0, 0x17F},
                                               {0x386, 0x3CE},
                                               {0x400, 0x45F},
                                               {0x490, 0x491},
                                               {0x1E80, 0x1E85},
                                               {0x2010, 0x2026},
                                               {0x20AC, 0x20AC},
                                               {0x2190, 0x2193},
                                               {0x2212, 0x2212},
                                               {0x25A1, 0x25A1}}};
constexpr char32_t kBox = 0x25A1;

int cell_width(TextSize size) { return size == TextSize::kTitle ? kCellWidth : kCellWidth * 2 / 3; }
int cell_height(TextSize size) { return size == TextSize::kTitle ? kCellHeight : kCellHeight * 2 / 3; }

// Place of a letter on the page; that of the box where the font lacks it.
int place_of(char32_t code) {
  int before = 0;
  for (const Letters& run : kLetters) {
    if (code >= run.first && code <= run.last) return before + static_cast<int>(code - run.first);
    before += static_cast<int>(run.last - run.first) + 1;
  }
  return before - 1;
}

// The character that begins `text`, which loses it.
char32_t take_character(std::string_view& text) {
  const std::size_t length = config::utf8_character(text);
  const char32_t code = length > 0 ? config::utf8_code(text.substr(0, length)) : kBox;
  text.remove_prefix(std::max<std::size_t>(1, length));
  return code == '\n' || code == '\t' ? U' ' : code;
}

int length_of(std::string_view text) {
  int count = 0;
  for (; !text.empty(); ++count) take_character(text);
  return count;
}

// How much of each pixel a letter covers, 0 to 255: cells of one size, in the order of the page.
class Page {
 public:
  explicit Page(TextSize size) : width_(cell_width(size)), height_(cell_height(size)) {
    const auto bytes = letters_png();
    const auto page = decode_png({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "letters.png");
    if (!page) std::abort();  // it is a part of the program
    const int count = place_of(kBox) + 1;
    cover_.reserve(static_cast<std::size_t>(count * width_ * height_));
    for (int place = 0; place < count; ++place)
      for (int y = 0; y < height_; ++y)
        for (int x = 0; x < width_; ++x) cover_.push_back(mean(*page, place, x, y));
  }
  std::uint8_t at(int place, int x, int y) const {
    return cover_[static_cast<std::size_t>((place * height_ + y) * width_ + x)];
  }

 private:
  // Of the part of the page's cell that becomes this pixel. Lengths in parts of a page's pixel: a cell has width_ * its
  // own width of them.
  std::uint8_t mean(const Image8& page, int place, int x, int y) const {
    const int left = place % kColumns * kCellWidth, top = place / kColumns * kCellHeight;
    int sum = 0;
    for (int row = y * kCellHeight / height_; row * height_ < (y + 1) * kCellHeight; ++row)
      for (int column = x * kCellWidth / width_; column * width_ < (x + 1) * kCellWidth; ++column)
        sum += page.at(left + column, top + row)[0] * shared(column, x, width_, kCellWidth) *
               shared(row, y, height_, kCellHeight);
    return static_cast<std::uint8_t>(sum / (kCellWidth * kCellHeight));
  }
  static int shared(int source, int target, int targets, int sources) {
    return std::min((source + 1) * targets, (target + 1) * sources) -
           std::max(source * targets, target * sources);
  }
  int width_, height_;
  std::vector<std::uint8_t> cover_;
};

const Page& page_of(TextSize size) {
  static const Page text(TextSize::kText), title(TextSize::kTitle);
  return size == TextSize::kTitle ? title : text;
}

std::uint8_t mixed(std::uint8_t below, std::uint8_t above, int cover) {
  return static_cast<std::uint8_t>((below * (255 - cover) + above * cover + 127) / 255);
}

}  // namespace

void fill_rectangle(Image8& canvas, int x, int y, int width, int height, Rgb8 colour) {
  const int left = std::max(x, 0), right = std::min(x + width, canvas.width);
  const int top = std::max(y, 0), bottom = std::min(y + height, canvas.height);
  for (int row = top; row < bottom; ++row) {
    for (int column = left; column < right; ++column) {
      std::uint8_t* pixel = canvas.at(column, row);
      pixel[0] = colour.r;
      pixel[1] = colour.g;
      pixel[2] = colour.b;
    }
  }
}

void draw_outline(Image8& canvas, int x, int y, int width, int height, Rgb8 colour) {
  constexpr int kLine = 2;
  fill_rectangle(canvas, x, y, width, kLine, colour);
  fill_rectangle(canvas, x, y + height - kLine, width, kLine, colour);
  fill_rectangle(canvas, x, y, kLine, height, colour);
  fill_rectangle(canvas, x + width - kLine, y, kLine, height, colour);
}

void draw_image(Image8& canvas, int x, int y, const Image8& image) {
  const int left = std::max(x, 0), right = std::min(x + image.width, canvas.width);
  const int top = std::max(y, 0), bottom = std::min(y + image.height, canvas.height);
  for (int row = top; row < bottom && left < right; ++row) {
    std::copy_n(image.at(left - x, row - y), static_cast<std::size_t>(right - left) * kChannels,
                canvas.at(left, row));
  }
}

void draw_text(Image8& canvas, int x, int y, std::string_view text, Rgb8 colour, TextSize size) {
  const Page& page = page_of(size);
  const int width = cell_width(size);
  for (; !text.empty() && x < canvas.width; x += width) {
    const int place = place_of(take_character(text));
    const int left = std::max(x, 0), right = std::min(x + width, canvas.width);
    for (int row = std::max(y, 0); row < std::min(y + cell_height(size), canvas.height); ++row) {
      for (int column = left; column < right; ++column) {
        const int cover = page.at(place, column - x, row - y);
        std::uint8_t* pixel = canvas.at(column, row);
        pixel[0] = mixed(pixel[0], colour.r, cover);
        pixel[1] = mixed(pixel[1], colour.g, cover);
        pixel[2] = mixed(pixel[2], colour.b, cover);
      }
    }
  }
}

int text_width(std::string_view text, TextSize size) { return length_of(text) * cell_width(size); }

int text_height(TextSize size) { return cell_height(size); }

Lettered in_letters(std::string_view text) {
  Lettered out;
  bool in_run = false, any = false;
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t code = take_character(text);
    const bool lacks = place_of(code) == place_of(kBox);
    if (lacks) ++out.lacking;
    if (lacks && !in_run) out.text += "…";
    if (!lacks) out.text += code == U' ' ? " " : before.substr(0, before.size() - text.size());
    any = any || (!lacks && code != U' ');
    in_run = lacks;
  }
  if (!any) out.text.clear();
  return out;
}

std::string fit_text(std::string_view text, int width, TextSize size) {
  if (text_width(text, size) <= width) return std::string(text);
  const int room = width / cell_width(size) - 1;  // beside the "…"
  std::string_view rest = text;
  for (int i = 0; i < room; ++i) take_character(rest);
  std::string_view front = text.substr(0, text.size() - rest.size());
  while (!front.empty() && front.back() == ' ') front.remove_suffix(1);
  return std::string(front) + "…";
}

}  // namespace rushes::worker
