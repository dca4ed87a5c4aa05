#include "worker/picture/contact_sheet.h"

#include <algorithm>
#include <cstdint>

#include "worker/picture/canvas.h"
#include "worker/picture/resample.h"

namespace rushes::worker {
namespace {

// Neutral greys, so that the page does not tint what lies on it.
constexpr Rgb8 kPage{30, 30, 30};
constexpr Rgb8 kRule{62, 62, 62};
constexpr Rgb8 kBright{232, 232, 232};
constexpr Rgb8 kSoft{158, 158, 158};
constexpr int kMargin = 32;
constexpr int kGap = 8;         // between frames
constexpr int kRowGap = 28;     // between takes
constexpr int kTitleScale = 3;  // pixels per font dot
constexpr int kTextScale = 2;
constexpr int kNumberScale = 2;
constexpr int kTagPadding = 6;
constexpr int kMaxRows = 64;
constexpr std::size_t kMaxColumns = 16;

Rgb8 tag_colour(const std::string& verdict) {
  if (verdict == "pass") return {58, 125, 68};
  if (verdict == "revise") return {178, 118, 28};
  if (verdict == "reject") return {168, 52, 48};
  return {86, 86, 86};
}

struct Layout {
  int columns = 0;
  int width = 0;
  int header_height = 0;
  int row_label_height = 0;
  std::vector<int> row_heights;  // of the thumbnails
  std::vector<std::string> subtitle;
  int inner() const { return width - 2 * kMargin; }
};

// Words into lines of at most `width` pixels; at most two, the second cut.
std::vector<std::string> wrap(const std::string& text, int width) {
  if (text_width(text, kTextScale) <= width)
    return text.empty() ? std::vector<std::string>{} : std::vector{text};
  std::size_t cut = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ' && text_width(text.substr(0, i), kTextScale) <= width) cut = i;
  }
  if (cut == 0) return {fit_text(text, width, kTextScale)};
  return {text.substr(0, cut), fit_text(text.substr(cut + 1), width, kTextScale)};
}

int thumbnail_height(ClipView clip, int width) {
  const std::int64_t height = (std::int64_t{clip.height()} * width + clip.width() / 2) / clip.width();
  return static_cast<int>(std::clamp<std::int64_t>(height, 1, 4096));
}

Layout lay_out(const ContactSheet& sheet) {
  Layout out;
  int widest = 0;
  for (const ContactRow& row : sheet.rows) {
    out.columns = std::max(out.columns, static_cast<int>(row.frames.size()));
    out.row_heights.push_back(row.frames.front().image.height);
    widest = std::max(widest, row.frames.front().image.width);
  }
  out.columns = std::max(out.columns, 2);  // room for the text
  out.width = 2 * kMargin + out.columns * widest + (out.columns - 1) * kGap;
  out.subtitle = wrap(sheet.subtitle, out.inner());
  out.header_height = kMargin + text_height(kTitleScale) + kGap +
                      static_cast<int>(out.subtitle.size()) * (text_height(kTextScale) + kGap);
  out.row_label_height = text_height(kTextScale) + 2 * kTagPadding + kGap;
  return out;
}

void draw_header(Image8& page, const ContactSheet& sheet, const Layout& layout) {
  int y = kMargin;
  draw_text(page, kMargin, y, fit_text(sheet.title, layout.inner(), kTitleScale), kBright, kTitleScale);
  y += text_height(kTitleScale) + kGap;
  for (const std::string& line : layout.subtitle) {
    draw_text(page, kMargin, y, line, kSoft, kTextScale);
    y += text_height(kTextScale) + kGap;
  }
}

// A hair line, then title, detail, and the verdict's tag at the right end.
void draw_label(Image8& page, const ContactRow& row, const Layout& layout, int y) {
  fill_rectangle(page, kMargin, y - kRowGap / 2, layout.inner(), 1, kRule);
  const int right = layout.width - kMargin;
  const int baseline = y + kTagPadding;
  int text_right = right;
  if (!row.verdict.empty()) {
    const int tag = text_width(row.verdict, kTextScale) + 4 * kTagPadding;
    fill_rectangle(page, right - tag, y, tag, text_height(kTextScale) + 2 * kTagPadding,
                   tag_colour(row.verdict));
    // Letters without descenders sit in the upper seven rows: one dot lower centres them.
    draw_text(page, right - tag + 2 * kTagPadding, baseline + kTextScale, row.verdict, kBright, kTextScale);
    text_right = right - tag - 2 * kGap;
  }
  const std::string title = fit_text(row.title, text_right - kMargin, kTextScale);
  draw_text(page, kMargin, baseline + kTextScale, title, kBright, kTextScale);
  const int x = kMargin + text_width(title, kTextScale) + 3 * kGap;
  if (x < text_right) {
    draw_text(page, x, baseline + kTextScale, fit_text(row.detail, text_right - x, kTextScale), kSoft,
              kTextScale);
  }
}

void draw_frames(Image8& page, const ContactRow& row, int y) {
  int x = kMargin;
  for (const ContactFrame& frame : row.frames) {
    draw_image(page, x, y, frame.image);
    draw_text(page, x, y + frame.image.height + 4, std::to_string(frame.number), kSoft, kNumberScale);
    x += frame.image.width + kGap;
  }
}

Status check(const ContactSheet& sheet) {
  if (sheet.rows.empty() || sheet.rows.size() > kMaxRows) {
    return fail(ErrorKind::kInvalid, "contact sheet: expected 1 to " + std::to_string(kMaxRows) +
                                         " takes, found " + std::to_string(sheet.rows.size()));
  }
  for (const ContactRow& row : sheet.rows) {
    const auto fits = [&](const ContactFrame& frame) {
      const Image8 &image = frame.image, &first = row.frames.front().image;
      return image.width >= 1 && image.height >= 1 && image.width == first.width &&
             image.height == first.height;
    };
    if (row.frames.empty() || row.frames.size() > kMaxColumns ||
        !std::all_of(row.frames.begin(), row.frames.end(), fits))
      return fail(ErrorKind::kInvalid, "contact sheet: " + row.title + ": expected 1 to " +
                                           std::to_string(kMaxColumns) + " frames of one size, found " +
                                           std::to_string(row.frames.size()));
  }
  return {};
}

}  // namespace

std::vector<int> contact_frames(int frames, int columns) {
  const int count = std::min(frames, columns);
  std::vector<int> out;
  for (int i = 0; i < count; ++i) {
    const std::int64_t span = std::int64_t{i} * (frames - 1);
    out.push_back(count == 1 ? frames / 2 : static_cast<int>((span + (count - 1) / 2) / (count - 1)));
  }
  return out;
}

Result<Image8> thumbnail(ClipView clip, int t, const DisplayView& view, int width) {
  const int height = thumbnail_height(clip, width);
  const ClipView frame = clip.one(t);
  if (width <= clip.width() && height <= clip.height())
    return display_image(shrink_area(frame, width, height), 0, view);
  const WorkingSpace space = WorkingSpace::kAcescct;
  const Clip code = resize_bicubic(encode_clip(space, frame), std::max(width, clip.width()),
                                   std::max(height, clip.height()), Cubic::kMitchell);
  return display_image(shrink_area(decode_clip(space, code), width, height), 0, view);
}

Result<Image8> draw_contact_sheet(const ContactSheet& sheet) {
  if (auto status = check(sheet); !status) return tl::unexpected<Error>(status.error());
  const Layout layout = lay_out(sheet);
  const int numbers = 4 + text_height(kNumberScale);
  int height = layout.header_height + kMargin;
  for (const int row : layout.row_heights) height += kRowGap + layout.row_label_height + row + numbers;
  Image8 page(layout.width, height);
  fill_rectangle(page, 0, 0, page.width, page.height, kPage);
  draw_header(page, sheet, layout);
  int y = layout.header_height;
  for (std::size_t i = 0; i < sheet.rows.size(); ++i) {
    y += kRowGap;
    draw_label(page, sheet.rows[i], layout, y);
    y += layout.row_label_height;
    draw_frames(page, sheet.rows[i], y);
    y += layout.row_heights[i] + numbers;
  }
  return page;
}

}  // namespace rushes::worker
