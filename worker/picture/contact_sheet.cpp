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
constexpr Rgb8 kInk{250, 250, 250};  // on tags
constexpr int kMargin = 32;
constexpr int kGap = 8;      // between frames
constexpr int kRowGap = 32;  // between takes
constexpr int kLineGap = 4;  // between lines of text
constexpr int kTagPadding = 10;
constexpr int kMaxRows = 64;
constexpr std::size_t kMaxColumns = 16;
constexpr std::size_t kMaxPair = 2;  // frames of a finding

int line_height() { return text_height() + kLineGap; }

Rgb8 tag_colour(const std::string& tag) {
  if (tag == "pass") return {58, 125, 68};
  if (tag == "revise") return {178, 118, 28};
  if (tag == "reject") return {168, 52, 48};
  if (tag == "best") return {46, 98, 158};
  if (tag == "approved") return {110, 70, 160};
  return {86, 86, 86};
}

struct Layout {
  int width = 0;
  std::vector<std::string> subtitle;
  std::string note;  // what the letters lack of the subtitle
  int inner() const { return width - 2 * kMargin; }
};

// Words into lines of at most `width` pixels; at most two, the second cut.
std::vector<std::string> wrap(const std::string& text, int width) {
  if (text_width(text) <= width) return text.empty() ? std::vector<std::string>{} : std::vector{text};
  std::size_t cut = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ' && text_width(text.substr(0, i)) <= width) cut = i;
  }
  if (cut == 0) return {fit_text(text, width)};
  return {text.substr(0, cut), fit_text(text.substr(cut + 1), width)};
}

int thumbnail_height(ClipView clip, int width) {
  const std::int64_t height = (std::int64_t{clip.height()} * width + clip.width() / 2) / clip.width();
  return static_cast<int>(std::clamp<std::int64_t>(height, 1, 4096));
}

int width_of(const std::vector<ContactFrame>& frames) {
  int width = -kGap;
  for (const ContactFrame& frame : frames) width += frame.image.width + kGap;
  return width;
}

int height_of(const std::vector<ContactFrame>& frames) {
  int height = 0;
  for (const ContactFrame& frame : frames) height = std::max(height, frame.image.height);
  return height + kLineGap + text_height();  // with the numbers
}

int height_of(const ContactRow& row) {
  int height = kRowGap + line_height() + 2 * kLineGap + (row.scores.empty() ? 0 : line_height()) +
               height_of(row.frames);
  for (const ContactFinding& finding : row.findings)
    height += 2 * kGap + line_height() + height_of(finding.frames);
  return height;
}

Layout lay_out(const ContactSheet& sheet) {
  constexpr int kLeast = 640;  // room for the text
  Layout out;
  int widest = kLeast;
  for (const ContactRow& row : sheet.rows) {
    widest = std::max(widest, width_of(row.frames));
    for (const ContactFinding& finding : row.findings) widest = std::max(widest, width_of(finding.frames));
  }
  out.width = 2 * kMargin + widest;
  const Lettered subtitle = in_letters(sheet.subtitle);
  out.subtitle = wrap(subtitle.text, out.inner());
  if (subtitle.lacking > 0)
    out.note = "(" + std::to_string(subtitle.lacking) +
               (subtitle.lacking == 1 ? " character" : " characters") + " of the prompt not in the font)";
  return out;
}

int header_height(const ContactSheet& sheet, const Layout& layout) {
  const int lines = static_cast<int>(layout.subtitle.size() + sheet.notes.size()) +
                    (layout.note.empty() ? 0 : 1) + (sheet.facts.empty() ? 0 : 1);
  return kMargin + text_height(TextSize::kTitle) + kGap + lines * line_height();
}

void draw_header(Image8& page, const ContactSheet& sheet, const Layout& layout) {
  int y = kMargin;
  draw_text(page, kMargin, y, fit_text(sheet.title, layout.inner(), TextSize::kTitle), kBright,
            TextSize::kTitle);
  y += text_height(TextSize::kTitle) + kGap;
  for (const std::string& line : layout.subtitle) {
    draw_text(page, kMargin, y, line, kBright);
    y += line_height();
  }
  if (!layout.note.empty()) {
    draw_text(page, kMargin, y, layout.note, kSoft);
    y += line_height();
  }
  draw_text(page, kMargin, y, fit_text(sheet.facts, layout.inner()), kSoft);
  if (!sheet.facts.empty()) y += line_height();
  for (const std::string& note : sheet.notes) {
    draw_text(page, kMargin, y, fit_text(note, layout.inner()), kSoft);
    y += line_height();
  }
}

// From the right end; returns where the last one begins.
int draw_tags(Image8& page, const std::vector<std::string>& tags, int right, int y) {
  for (auto tag = tags.rbegin(); tag != tags.rend(); ++tag) {
    const int width = text_width(*tag) + 2 * kTagPadding;
    fill_rectangle(page, right - width, y - kLineGap, width, text_height() + 2 * kLineGap, tag_colour(*tag));
    draw_text(page, right - width + kTagPadding, y, *tag, kInk);
    right -= width + kGap;
  }
  return right;
}

// A hair line, then title, detail and tags, and the scores. Returns where they end.
int draw_label(Image8& page, const ContactRow& row, const Layout& layout, int y) {
  fill_rectangle(page, kMargin, y - kRowGap / 2, layout.inner(), 1, kRule);
  const int right = draw_tags(page, row.tags, layout.width - kMargin, y) - kGap;
  const std::string title = fit_text(row.title, right - kMargin);
  draw_text(page, kMargin, y, title, kBright);
  const int x = kMargin + text_width(title) + 3 * kGap;
  if (x < right) draw_text(page, x, y, fit_text(row.detail, right - x), kSoft);
  y += line_height();
  if (!row.scores.empty()) {
    draw_text(page, kMargin, y, fit_text(row.scores, layout.inner()), kSoft);
    y += line_height();
  }
  return y + 2 * kLineGap;
}

void draw_frames(Image8& page, const std::vector<ContactFrame>& frames, int y) {
  int x = kMargin;
  for (const ContactFrame& frame : frames) {
    draw_image(page, x, y, frame.image);
    draw_text(page, x, y + frame.image.height + kLineGap, std::to_string(frame.number), kSoft);
    x += frame.image.width + kGap;
  }
}

void draw_row(Image8& page, const ContactRow& row, const Layout& layout, int y) {
  y = draw_label(page, row, layout, y + kRowGap);
  draw_frames(page, row.frames, y);
  y += height_of(row.frames);
  for (const ContactFinding& finding : row.findings) {
    y += 2 * kGap;
    draw_text(page, kMargin, y, fit_text(finding.text, layout.inner()), kBright);
    y += line_height();
    draw_frames(page, finding.frames, y);
    y += height_of(finding.frames);
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
    const auto shown = [](const ContactFinding& finding) {
      return !finding.frames.empty() && finding.frames.size() <= kMaxPair;
    };
    if (row.findings.size() > kContactFindings || !std::ranges::all_of(row.findings, shown))
      return fail(ErrorKind::kInvalid, "contact sheet: " + row.title + ": expected at most " +
                                           std::to_string(kContactFindings) + " findings of 1 or 2 frames");
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
  int height = header_height(sheet, layout) + kMargin;
  for (const ContactRow& row : sheet.rows) height += height_of(row);
  Image8 page(layout.width, height);
  fill_rectangle(page, 0, 0, page.width, page.height, kPage);
  draw_header(page, sheet, layout);
  int y = header_height(sheet, layout);
  for (const ContactRow& row : sheet.rows) {
    draw_row(page, row, layout, y);
    y += height_of(row);
  }
  return page;
}

}  // namespace rushes::worker
