#include "worker/picture/canvas.h"

#include <algorithm>
#include <string>

#include "worker/picture/glyphs.h"

namespace rushes::worker {
namespace {

// UTF-8 to the letters that the font has.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0U) == 0x80U) continue;  // inside a UTF-8 letter
    out.push_back(byte >= 0x20 && byte < 0x7F ? c : '?');
  }
  return out;
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

void draw_image(Image8& canvas, int x, int y, const Image8& image) {
  const int left = std::max(x, 0), right = std::min(x + image.width, canvas.width);
  const int top = std::max(y, 0), bottom = std::min(y + image.height, canvas.height);
  for (int row = top; row < bottom && left < right; ++row) {
    std::copy_n(image.at(left - x, row - y), static_cast<std::size_t>(right - left) * kChannels,
                canvas.at(left, row));
  }
}

void draw_text(Image8& canvas, int x, int y, std::string_view text, Rgb8 colour, int scale) {
  for (const char c : printable(text)) {
    const auto& glyph = kGlyphs[c - ' '];
    for (int row = 0; row < kGlyphHeight; ++row) {
      for (int column = 0; column < kGlyphWidth; ++column) {
        if ((glyph[row] >> (kGlyphWidth - 1 - column) & 1) == 0) continue;
        fill_rectangle(canvas, x + column * scale, y + row * scale, scale, scale, colour);
      }
    }
    x += kGlyphAdvance * scale;
  }
}

int text_width(std::string_view text, int scale) {
  const auto letters = static_cast<int>(printable(text).size());
  return letters == 0 ? 0 : (letters * kGlyphAdvance - 1) * scale;
}

int text_height(int scale) { return kGlyphHeight * scale; }

std::string fit_text(std::string_view text, int width, int scale) {
  std::string letters = printable(text);
  if (text_width(letters, scale) <= width) return letters;
  while (!letters.empty() && text_width(letters + "...", scale) > width) letters.pop_back();
  while (!letters.empty() && letters.back() == ' ') letters.pop_back();
  return letters + "...";
}

}  // namespace rushes::worker
