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

TEST(Canvas, LettersAreDrawnWhereTheyBelong) {
  Image8 canvas(40, 20);
  draw_text(canvas, 2, 3, "I", {255, 255, 255}, 2);
  EXPECT_EQ(lit(canvas), 11 * 4);  // two bars of three dots and five dots between them, 2x2 pixels each
  EXPECT_EQ(canvas.at(2 + 2 * 2, 3)[0], 255);
  EXPECT_EQ(canvas.at(2, 3)[0], 0);
  EXPECT_EQ(text_width("abc", 2), 34);
  EXPECT_EQ(text_width("", 2), 0);
}

TEST(Canvas, EveryLetterDiffersAndStaysInside) {
  std::vector<std::vector<std::uint8_t>> seen;
  for (char c = ' '; c < 0x7F; ++c) {
    Image8 canvas(5, 9);
    draw_text(canvas, 0, 0, std::string(1, c), {255, 255, 255}, 1);
    EXPECT_EQ(std::count(seen.begin(), seen.end(), canvas.pixels), 0) << c;
    seen.push_back(canvas.pixels);
  }
  Image8 tiny(3, 3);
  draw_text(tiny, -4, -4, "clipped on every side", {255, 255, 255}, 3);
  draw_image(tiny, -2, 2, Image8(5, 5));
  fill_rectangle(tiny, -10, -10, 100, 100, {9, 9, 9});
  EXPECT_EQ(lit(tiny), 9);
}

TEST(Canvas, LongAndForeignTextIsFitted) {
  EXPECT_EQ(fit_text("short", 1000, 2), "short");
  const std::string fitted = fit_text("a rather long line of text", 120, 2);
  EXPECT_LE(text_width(fitted, 2), 120);
  EXPECT_TRUE(fitted.ends_with("..."));
  EXPECT_EQ(fit_text("caf\xC3\xA9\n", 1000, 1), "caf??");
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
      {{"take 1", "seed 7", "pass", row_of(small, *view)}, {"take 2", "", "", row_of(large, *view)}}};
  const auto page = draw_contact_sheet(sheet);
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->width, 2 * 32 + 4 * 200 + 3 * 8);
  EXPECT_GT(page->height, 2 * 112);
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
  EXPECT_FALSE(draw_contact_sheet({"a", "", {{"take 1", "", "", {}}}}));
  EXPECT_FALSE(draw_contact_sheet({"a", "", {{"take 1", "", "", {{1001, Image8()}}}}}));
  EXPECT_FALSE(
      draw_contact_sheet({"a", "", {{"take 1", "", "", {{1001, Image8(8, 8)}, {1002, Image8(8, 4)}}}}}));
  const std::vector<ContactFrame> many(17, {1001, Image8(8, 8)});
  EXPECT_FALSE(draw_contact_sheet({"a", "", {{"take 1", "", "", many}}}));
}

}  // namespace
}  // namespace rushes::worker
