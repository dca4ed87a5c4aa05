#include "worker/picture/contact_sheet.h"

#include "tests/worker/picture/synthetic.h"
#include "worker/picture/canvas.h"

namespace rushes::worker {
namespace {

int lit(const Image8& image) {
  int count = 0;
  for (const auto value : image.pixels) count += value != 0 ? 1 : 0;
  return count / 3;
}

Image8 drawn(std::string_view text, TextSize size = TextSize::kText) {
  Image8 canvas(text_width(text, size), text_height(size));
  draw_text(canvas, 0, 0, text, {255, 255, 255}, size);
  return canvas;
}

TEST(Canvas, LettersAreDrawnWhereTheyBelong) {
  Image8 canvas(60, 60);
  draw_text(canvas, 20, 10, "|", {255, 255, 255}, TextSize::kTitle);
  EXPECT_GT(canvas.at(20 + 9, 10 + 18)[0], 200);  // the bar stands in the middle of its 18x36 pixels
  EXPECT_EQ(canvas.at(20, 10 + 18)[0], 0);
  EXPECT_EQ(canvas.at(38, 10 + 18)[0], 0);
  EXPECT_EQ(text_width("abc"), 36);
  EXPECT_EQ(text_width("abc", TextSize::kTitle), 54);
  EXPECT_EQ(text_width(""), 0);
}

TEST(Canvas, EveryLetterDiffersAndStaysInside) {
  std::vector<std::vector<std::uint8_t>> seen;
  for (const char* letter : {"é", "ß", "Ж", "λ", "€", "→", "…", "Ø", "ő"})
    seen.push_back(drawn(letter).pixels);
  for (char c = ' '; c < 0x7F; ++c) seen.push_back(drawn(std::string(1, c)).pixels);
  for (std::size_t i = 0; i < seen.size(); ++i)
    EXPECT_EQ(std::count(seen.begin(), seen.end(), seen[i]), 1) << i;
  Image8 tiny(3, 3);
  draw_text(tiny, -4, -4, "clipped on every side", {255, 255, 255}, TextSize::kTitle);
  draw_image(tiny, -2, 2, Image8(5, 5));
  draw_outline(tiny, -5, -5, 100, 100, {8, 8, 8});
  fill_rectangle(tiny, -10, -10, 100, 100, {9, 9, 9});
  EXPECT_EQ(lit(tiny), 9);
}

TEST(Canvas, LongAndForeignTextIsFitted) {
  EXPECT_EQ(fit_text("short", 1000), "short");
  const std::string fitted = fit_text("a rather long line of tëxt", 120);
  EXPECT_LE(text_width(fitted), 120);
  EXPECT_TRUE(fitted.ends_with("…"));
  EXPECT_EQ(text_width("café"), 4 * 12);
  EXPECT_EQ(drawn("漢").pixels, drawn("□").pixels) << "a box for what the font lacks";
  EXPECT_EQ(drawn("\xC3x").pixels, drawn("□x").pixels) << "and for bytes that are no UTF-8";
  EXPECT_EQ(drawn("a\nb").pixels, drawn("a b").pixels);
}

TEST(Letters, WhatTheFontLacksIsCountedInsteadOfDrawn) {
  const auto is = [](const char* text) {
    const Lettered lettered = in_letters(text);
    return std::pair(lettered.text, lettered.lacking);
  };
  EXPECT_EQ(is("a café"), std::pair(std::string("a café"), 0));
  EXPECT_EQ(is("a 红色的 ball 滚 rolls"), std::pair(std::string("a … ball … rolls"), 4));
  EXPECT_EQ(is("红色的 球"), std::pair(std::string(), 4)) << "nothing is left to read";
  EXPECT_EQ(is("a\xC3"), std::pair(std::string("a…"), 1)) << "no UTF-8";
}

TEST(ContactSheet, SaysOnceHowMuchOfThePromptItCannotShow) {
  const auto height = [](const char* prompt) {
    const auto page = draw_contact_sheet(
        {"sh010", prompt, "9 frames", {{"take 1", "", "", {}, {{1001, Image8(8, 8)}}, {}}}});
    return page ? page->height : 0;
  };
  EXPECT_EQ(height("a red ball 滚"), height("a red ball") + text_height() + 4) << "a line more";
  EXPECT_EQ(height("红色的球"), height("a red ball")) << "a line instead of it";
}

TEST(ContactSheet, ChoosesEvenlySpacedFrames) {
  EXPECT_EQ(contact_frames(33, 5), (std::vector<int>{0, 8, 16, 24, 32}));
  EXPECT_EQ(contact_frames(3, 6), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(contact_frames(9, 1), (std::vector<int>{4}));
}

std::vector<ContactFrame> row_of(const Clip& clip, const DisplayView& view) {
  std::vector<ContactFrame> frames;
  for (const int t : contact_frames(clip.frames, 4))
    frames.push_back({1001 + t, *thumbnail(clip, t, view, 200)});
  return frames;
}

TEST(ContactSheet, ShowsEveryTake) {
  const auto view = DisplayView::sdr(testing::ocio_config());
  ASSERT_TRUE(view);
  const Clip small = testing::rolling_ball(160, 90, 9);
  const Clip large = testing::rolling_ball(640, 360, 2);
  const ContactSheet sheet{
      "sh010",
      "a red ball rolls to the right",
      "9 frames 1001-1009 | 24 fps",
      {{"take 1", "seed 7", "flicker 0.97", {"pass", "best"}, row_of(small, *view), {}},
       {"take 2", "", "", {}, row_of(large, *view), {{"flicker: frame 1002", {{1002, Image8(300, 200)}}}}}}};
  const auto page = draw_contact_sheet(sheet);
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->width, 2 * 32 + 4 * 200 + 3 * 8);
  EXPECT_GT(page->height, 2 * 112 + 200);
  // The first thumbnail of take 1 lies on the page as thumbnail() makes it.
  const auto expected = thumbnail(small, 0, *view, 200);
  ASSERT_TRUE(expected);
  EXPECT_EQ(expected->height, 113);
  bool found = false;
  for (int y = 0; y + expected->height < page->height && !found; ++y) {
    bool same = true;
    for (int row = 0; row < expected->height && same; row += 7) {
      same = std::equal(expected->at(0, row), expected->at(0, row) + 200 * 3, page->at(32, y + row));
    }
    found = same;
  }
  EXPECT_TRUE(found);
}

TEST(ContactSheet, RefusesWhatCannotBeShown) {
  EXPECT_FALSE(draw_contact_sheet({}));
  const auto drawn = [](std::vector<ContactFrame> frames, std::vector<ContactFinding> findings = {}) {
    return draw_contact_sheet({"a", "", "", {{"take 1", "", "", {}, std::move(frames), std::move(findings)}}})
        .has_value();
  };
  const ContactFrame frame{1001, Image8(8, 8)};
  EXPECT_TRUE(drawn({frame}));
  EXPECT_FALSE(drawn({}));
  EXPECT_FALSE(drawn({{1001, Image8()}}));
  EXPECT_FALSE(drawn({frame, {1002, Image8(8, 4)}}));
  EXPECT_FALSE(drawn(std::vector<ContactFrame>(17, frame)));
  EXPECT_TRUE(drawn({frame}, {3, {"flicker", {frame, frame}}}));
  EXPECT_FALSE(drawn({frame}, {4, {"flicker", {frame, frame}}}));
  EXPECT_FALSE(drawn({frame}, {{"flicker", {frame, frame, frame}}}));
  EXPECT_FALSE(drawn({frame}, {{"flicker", {}}}));
}

}  // namespace
}  // namespace rushes::worker
