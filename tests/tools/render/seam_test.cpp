// The upgrade leaves no seam: one shot through the whole pipeline in this process, then the steps at every
// tile border of every frame are compared with the steps beside them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "scheduler/plan/windows.h"
#include "tests/folders.h"
#include "tests/tools/render/peaks.h"
#include "tools/render/local_farm.h"
#include "worker/picture/colour.h"
#include "worker/picture/seam.h"
#include "worker/picture/sequence.h"

namespace rushes::tools {
namespace {

namespace fs = std::filesystem;
namespace sched = rushes::scheduler;

constexpr const char* kShot = R"(version: 1
show: test
shots:
  - name: sh010
    prompt: a red matte sphere moves right across a table by day
    model: tabletop
    frames: 17
    seeds: [5]
    sampling: {steps: 4}
    approve: best
    budget: {windows: 0}
    critics: {light: {revise: 0}, freeze: {revise: 0}, exposure: {revise: 0}, flicker: {revise: 0}}
    upgrade: {scale: 4}
)";

struct Folder {
  fs::path path = fs::temp_directory_path() / ("rushes-seam-" + std::to_string(getpid()));
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

constexpr int kLatent = 16;  // pixels

struct Lines {
  std::vector<int> columns, rows;
};

// Lines between latents in delivered pixels (the delivered picture is the centre of the frame): those where a
// tile ends, and all others. Each line is held against the pixels right beside it, since lines elsewhere
// cross other content; the others show what the decoder's own grid adds, tiles or no tiles.
struct GridLines {
  Lines borders, others;
};
GridLines lines_of(const std::vector<Rect>& tiles, int height, int width, int crop_y) {
  std::set<int> columns, rows;
  for (const Rect& tile : tiles) {
    for (std::uint32_t x : {tile.x, tile.x + tile.width}) columns.insert(static_cast<int>(x) * kLatent);
    for (std::uint32_t y : {tile.y, tile.y + tile.height}) rows.insert(static_cast<int>(y) * kLatent);
  }
  GridLines lines;
  for (int x = kLatent; x < width; x += kLatent)
    (columns.count(x) ? lines.borders : lines.others).columns.push_back(x);
  for (int y = kLatent; y < height + 2 * crop_y; y += kLatent)
    if (y - crop_y > 1 && y - crop_y < height - 1)
      (rows.count(y) ? lines.borders : lines.others).rows.push_back(y - crop_y);
  return lines;
}

TEST(Upgrade, LeavesNoSeamAtTileBorders) {
  const fs::path models = test::source_folder() / "config" / "models";
  Folder folder;
  LocalFarmOptions options{{models},
                           folder.path / "out",
                           test::source_folder() / "config" / "colour" / "farm.ocio",
                           folder.path / "artifacts",
                           2};
  auto farm = LocalFarm::open(options);
  ASSERT_TRUE(farm) << farm.error().message;
  auto batch = config::parse_batch(kShot, "seam.yaml", folder.path);
  ASSERT_TRUE(batch) << batch.error().message;
  const Status submitted = (*farm)->submit(*batch);
  ASSERT_TRUE(submitted) << submitted.error().message;
  Peaks peaks;
  peaks.run(**farm, std::uint64_t{1536} << 20);
  const fs::path master = options.deliveries / "test" / "sh010" / "master" / "v001";
  auto loaded = worker::load_sequence((master / "sh010_master_v001_lin_ap0_scene.1001.exr").string());
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->clip.width, 640);
  EXPECT_EQ(loaded->clip.height, 360);
  EXPECT_EQ(loaded->clip.frames, 17);

  const worker::Clip code = worker::encode_clip(worker::WorkingSpace::kAcescct, loaded->clip);
  const int crop_y = (384 - 360) / 2;
  // Refine tiles. Decode tiles are bit-identical to a whole decode, which the model's own tests show.
  const GridLines lines = lines_of(sched::cut_tiles(24, 40, 6, 10), code.height, code.width, crop_y);
  const worker::SeamSteps at = worker::measure_seams(code, lines.borders.columns, lines.borders.rows);
  const worker::SeamSteps others = worker::measure_seams(code, lines.others.columns, lines.others.rows);
  std::printf("%d tile borders: step across %.6f, beside %.6f, ratio %.3f; %d other grid lines: ratio %.3f\n",
              at.borders, at.across, at.beside, at.ratio(), others.borders, others.ratio());
  EXPECT_LE(at.ratio(), 1.10);
  EXPECT_GE(at.ratio(), 0.90);
  EXPECT_LE(at.ratio() / others.ratio(), 1.10);
  EXPECT_GE(at.borders, 200);
}

}  // namespace
}  // namespace rushes::tools
