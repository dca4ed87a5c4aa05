// The critique of a whole take leaves a movie and a contact sheet that people can open.
#include "config/rate.h"
#include "tests/worker/engine/stage_test.h"
#include "worker/picture/atomic_file.h"
#include "worker/picture/movie.h"
#include "worker/picture/png_image.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

class Proxy : public StageTest {
 protected:
  Task judged_take(int frames) {
    Task task = make(Stage::kCritique, frames, 160, 96);
    task.whole_take = true;
    task.frames = {0, frames};
    task.delivery.fps = {25, 1};  // conformed
    task.delivery.timecode = "10:00:00:00";
    add_frames(task, {0, 0, 96, 160}, 0);
    return task;
  }
  fs::path path_of(const Output& output) const {
    const std::string hex = to_hex(output.digest);
    return folder_.path() / "artifacts" / hex.substr(0, 2) / hex;
  }
};

std::optional<Output> output_of(const TaskResult& result, Role role) {
  for (const Output& output : result.outputs)
    if (output.role == role) return output;
  return std::nullopt;
}

TEST_F(Proxy, OpensInABrowser) {
  const TaskResult result = run(judged_take(13));
  const auto movie = output_of(result, Role::kProxy), sheet = output_of(result, Role::kSheet);
  ASSERT_TRUE(output_of(result, Role::kCritique) && movie && sheet);
  const auto info = probe_movie(path_of(*movie));
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->frames, 13);
  EXPECT_EQ(info->fps, (config::Rate{25, 1}));
  EXPECT_EQ(info->width, 160);
  EXPECT_EQ(info->height, 96);
  EXPECT_EQ(info->codec, "h264");
  EXPECT_EQ(info->pixel_format, "yuv420p");
  EXPECT_EQ(info->transfer, "bt709");
  EXPECT_EQ(info->range, "tv");
  EXPECT_EQ(info->timecode, "10:00:00:00");
  const auto bytes = read_file(path_of(*movie).string(), 1 << 24);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->size(), movie->bytes);
  EXPECT_LT(bytes->find("moov"), bytes->find("mdat")) << "it plays before all of it is loaded";
  const auto page = read_png(path_of(*sheet).string());
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_GT(page->width, 6 * 320);  // six frames, 320 pixels wide
}

TEST_F(Proxy, IsTheSameOnEveryHostAndTheMovieThatIsDelivered) {
  const Task task = judged_take(9);
  const TaskResult one = run(task), two = run(task);
  ASSERT_EQ(one.outputs.size(), 3U);
  EXPECT_EQ(one.outputs, two.outputs);
  Task deliver = task;
  deliver.stage = Stage::kDeliver;
  const TaskResult delivered = run(deliver);
  const auto name = std::find_if(delivered.files.begin(), delivered.files.end(),
                                 [](const std::string& file) { return file.ends_with(".mp4"); });
  ASSERT_NE(name, delivered.files.end());
  const auto bytes = read_file((folder_.path() / "out" / *name).string(), 1 << 24);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(digest_of(*bytes), output_of(one, Role::kProxy)->digest);
}

// The sheet of a delivery whose take has this critique.
class Sheet : public Proxy {
 protected:
  Image8 delivered_with(const std::string& critique, std::vector<Revision> revisions = {}) {
    Task task = judged_take(9);
    task.recipe.revisions = std::move(revisions);
    task.stage = Stage::kDeliver;
    task.delivery.takes = {{1, 2, 77, 1}};
    task.delivery.shot_wall_ms = ++shots_;  // a delivery of its own
    add_input(task, *artifacts_->put(Role::kCritique, std::as_bytes(std::span(critique))), 0);
    const TaskResult result = run(task);
    for (const std::string& file : result.files)
      if (file.ends_with("_contact.png")) return *read_png((folder_.path() / "out" / file).string());
    return {};
  }
  static std::string with_findings(const std::string& findings) {
    return R"({"verdict": "revise", "score": 0.4, "dimensions": [], "findings": [)" + findings + "]}";
  }
  std::int64_t shots_ = 0;
};

TEST_F(Sheet, ShowsWhereTheCriticsFoundSomethingPixelForPixel) {
  const Image8 none = delivered_with(with_findings(""));
  const Image8 one = delivered_with(with_findings(
      R"({"dimension": "light", "frames": [4, 4], "box": [0.5, 0.5, 0.25, 0.25], "message": "frame 1005"})"));
  ASSERT_GT(none.height, 0);
  const int height = one.height - none.height;
  EXPECT_GT(height, 96) << "a picture of 160x96 pixels below the row";
  EXPECT_LT(height, 96 + 100);
  int marked = 0;  // of the outline of 40x24 pixels, two wide
  for (std::size_t i = 0; i < one.pixels.size(); i += 3)
    marked += one.pixels[i] == 240 && one.pixels[i + 1] == 168 && one.pixels[i + 2] == 48 ? 1 : 0;
  EXPECT_EQ(marked, 2 * 2 * 40 + 2 * 2 * (24 - 4));
}

TEST_F(Sheet, SaysWhichWindowsAreOfARevision) {
  const int none = delivered_with(with_findings("")).height;
  const int one = delivered_with(with_findings(""), {{1, {0}, 77, "flicker", "a blue ball"}}).height;
  EXPECT_GT(one, none) << "a line for it";
  EXPECT_EQ(delivered_with(with_findings(""), {{1, {0}, 77, "", "a blue ball"}, {2, {0}, 78, "", ""}}).height,
            one)
      << "the first revision is not seen any more";
}

TEST_F(Sheet, LeavesOutWhatACritiqueCannotMean) {
  const int none = delivered_with(with_findings("")).height;
  for (const char* finding : {R"("words")", R"({"frames": [9, 9]})", R"({"frames": [5, 3]})",
                              R"({"frames": [-1, 3]})", R"({"frames": ["a", {}]})", R"({"dimension": 7})"})
    EXPECT_EQ(delivered_with(with_findings(finding)).height, none) << finding;
  EXPECT_GT(delivered_with(with_findings(R"({"frames": [0, 8], "box": [7, -3, "x", 1e300]})")).height, none)
      << "a box outside the picture is brought into it";
}

TEST_F(Proxy, LeavesNothingBehindWhenStopped) {
  StageContext context{*artifacts_, *models_, folder_.path() / "out", colour_, {}, [] { return true; }};
  const auto result = run_task(judged_take(9), context);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kConflict);
  EXPECT_TRUE(fs::is_empty(folder_.path() / "artifacts" / "incoming"));
}

}  // namespace
}  // namespace rushes::worker
