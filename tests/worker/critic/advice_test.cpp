// The critics that advise: planted faults are found in the right frames, clean clips are left alone. More kinds, strengths
// and clips: `rushes-bench critics`.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/worker/critic/one_critic.h"
#include "tests/worker/critic/scene.h"
#include "worker/critic/camera.h"

namespace rushes::worker {
namespace {

using testing::Action;
using testing::Dice;

constexpr int kClips = 12;
const testing::SceneOptions kSize{160, 96, 25, true};
constexpr const char* kAdvisers[]{"sharpness", "tint", "judder", "hot_pixels", "grid", "banding", "noise"};

// How many of kClips clips have a finding that lies in the planted frames, give or take one.
int found(const char* critic, std::initializer_list<Action> actions,
          const std::function<Range(Clip&, Dice&)>& plant) {
  int hits = 0;
  for (int i = 0; i < kClips; ++i) {
    const Action action = *(actions.begin() + i % static_cast<int>(actions.size()));
    Clip clip = testing::render(action, 2000 + static_cast<std::uint64_t>(i), kSize);
    Dice dice(static_cast<std::uint64_t>(i));
    const Range planted = plant(clip, dice);
    bool hit = false;
    for (const Finding& finding : testing::judged_by(critic, clip, {}).findings)
      hit = hit || (finding.frames.begin >= planted.begin - 1 && finding.frames.end <= planted.end + 1);
    hits += hit;
    if (!hit)
      std::printf("  %s missed: %s clip %d, frames %d-%d\n", critic, testing::to_string(action), i,
                  planted.begin, planted.end - 1);
  }
  return hits;
}

// A box of 3x3 pixels, twice.
void blur(Clip& clip, int t) {
  for (int round = 0; round < 2; ++round) {
    const Clip before = ClipView(clip).one(t).copy();
    for (int y = 1; y + 1 < clip.height; ++y)
      for (int x = 1; x + 1 < clip.width; ++x)
        for (int c = 0; c < kChannels; ++c) {
          float sum = 0;
          for (int v = y - 1; v <= y + 1; ++v)
            for (int u = x - 1; u <= x + 1; ++u) sum += before.at(0, v, u)[c];
          clip.at(t, y, x)[c] = sum / 9;
        }
  }
}

TEST(Advice, CleanClipsGetNone) {
  for (const char* critic : kAdvisers) {
    int alarms = 0;
    for (const Action action : testing::kActions)
      for (std::uint64_t seed = 0; seed < 6; ++seed)
        for (const Finding& finding :
             testing::judged_by(critic, testing::render(action, seed, kSize), {}).findings) {
          ++alarms;
          std::printf("  alarm: %s clip %d: %s\n", testing::to_string(action), static_cast<int>(seed),
                      finding.message.c_str());
        }
    EXPECT_LE(alarms, 1) << critic;
  }
}

TEST(Advice, SoftFramesAndSoftWindows) {
  EXPECT_GE(found("sharpness", {Action::kStill, Action::kMove, Action::kPan},
                  [](Clip& clip, Dice& dice) {
                    const int t = dice.whole(4, 16), count = dice.whole(1, 6);
                    for (int i = t; i < t + count; ++i) blur(clip, i);
                    return Range{t, t + count};
                  }),
            kClips - 1);
}

TEST(Advice, ColourThatJumpsOrDrifts) {
  const std::initializer_list<Action> all{Action::kStill, Action::kMove, Action::kPan, Action::kZoom};
  EXPECT_GE(found("tint", all,
                  [](Clip& clip, Dice& dice) {
                    const int t = dice.whole(4, 20);
                    testing::scale_channel(clip, t, clip.frames - 1, 2 * dice.whole(0, 1), 1.25);
                    return Range{t, t + 3};
                  }),
            kClips - 1);
  EXPECT_GE(found("tint", all,
                  [](Clip& clip, Dice&) {
                    for (int t = 0; t < clip.frames; ++t)
                      testing::scale_channel(clip, t, t, 0, std::exp2(0.7 * t / (clip.frames - 1)));
                    return Range{0, clip.frames};
                  }),
            kClips - 1);
}

TEST(Advice, FramesDisplacedOrOutOfOrder) {
  EXPECT_GE(found("judder", {Action::kStill, Action::kMove, Action::kPan, Action::kZoom},
                  [](Clip& clip, Dice& dice) {
                    const int t = dice.whole(4, 20);
                    testing::shift_picture(clip, t, t, dice.whole(2, 5), dice.whole(-2, 2));
                    return Range{t, t + 2};
                  }),
            kClips - 1);
  EXPECT_GE(found("judder", {Action::kPan},
                  [](Clip& clip, Dice& dice) {
                    const int t = dice.whole(4, 18);
                    std::swap_ranges(clip.frame(t), clip.frame(t) + clip.frame_values(), clip.frame(t + 1));
                    return Range{t, t + 3};
                  }),
            kClips - 1);
}

TEST(Advice, GrainThatComesAndGoes) {
  EXPECT_GE(found("noise", {Action::kStill, Action::kMove, Action::kPan, Action::kZoom},
                  [](Clip& clip, Dice& dice) {
                    const int t = dice.whole(5, 14), count = dice.whole(1, 5);
                    for (int i = t; i < t + count; ++i)
                      for (int y = 0; y < clip.height; ++y)
                        for (int x = 0; x < clip.width; ++x) {
                          const auto gain = static_cast<float>(
                              std::exp2(0.3 * (dice.between(-1, 1) + dice.between(-1, 1))));
                          for (int c = 0; c < kChannels; ++c) clip.at(i, y, x)[c] *= gain;
                        }
                    return Range{t, t + count};
                  }),
            kClips - 1);
  // Grain of the whole shot is its look.
  Clip clip = testing::render(Action::kPan, 3, kSize);
  Dice dice(1);
  for (float& value : clip.pixels) value *= static_cast<float>(dice.between(0.8, 1.2));
  EXPECT_TRUE(testing::judged_by("noise", clip, {}).findings.empty());
}

TEST(Advice, SinglePixels) {
  EXPECT_EQ(found("hot_pixels", {Action::kStill, Action::kMove, Action::kPan},
                  [](Clip& clip, Dice& dice) {
                    const int t = dice.whole(0, 20);
                    for (int i = 0; i < 6; ++i)
                      clip.at(t, dice.whole(1, clip.height - 2),
                              dice.whole(1, clip.width - 2))[dice.whole(0, 2)] =
                          dice.between(8, 40) > 24 ? 30.0F : 12.0F;
                    return Range{t, t + 1};
                  }),
            kClips);
}

TEST(Advice, ALatticeOverThePicture) {
  EXPECT_GE(found("grid", {Action::kStill, Action::kMove, Action::kPan},
                  [](Clip& clip, Dice& dice) {
                    const int period = dice.whole(0, 1) ? 8 : 16;
                    for (int t = 0; t < clip.frames; ++t)
                      for (int y = 0; y < clip.height; y += period)
                        for (int x = y / period % 2 * period; x < clip.width; x += 2 * period)
                          testing::scale_light(clip, t, t, x, y, std::min(period, clip.width - x),
                                               std::min(period, clip.height - y), 1.04);
                    return Range{0, clip.frames};
                  }),
            kClips - 1);
}

TEST(Advice, SmoothLightInSteps) {
  Clip clip(160, 96, 3);
  const auto fill = [&](double steps_a_stop) {
    for (int t = 0; t < clip.frames; ++t)
      for (int y = 0; y < clip.height; ++y)
        for (int x = 0; x < clip.width; ++x) {
          double stops = -3 + 0.012 * x + 0.004 * y;
          if (steps_a_stop > 0) stops = std::round(stops * steps_a_stop) / steps_a_stop;
          std::fill_n(clip.at(t, y, x), kChannels, static_cast<float>(std::exp2(stops)));
        }
  };
  fill(0);
  EXPECT_TRUE(testing::judged_by("banding", clip, {}).findings.empty());
  fill(10);
  const Assessment banded = testing::judged_by("banding", clip, {});
  ASSERT_EQ(banded.findings.size(), 1u);
  EXPECT_EQ(banded.findings[0].frames, (Range{0, 3}));
}

// A texture seen through a known camera.
TEST(Camera, MeasuresShiftZoomAndTurnToATenthOfAPixel) {
  constexpr int kWidth = 192, kHeight = 112;
  const auto seen = [&](const CameraStep& step) {
    Plane plane;
    for (int y = 0; y < kHeight; ++y)
      for (int x = 0; x < kWidth; ++x) {
        // What lies at p of the frame before lies at p + shift: to first order, p = q - shift.
        const double rx = (x - 95.5) / kArm, ry = (y - 55.5) / kArm;
        const double u = x - step.x - step.zoom * rx + step.turn * ry,
                     v = y - step.y - step.zoom * ry - step.turn * rx;
        plane.push_back(static_cast<float>(std::sin(0.11 * u) * std::cos(0.07 * v + 0.05 * u) +
                                           0.3 * std::sin(0.4 * v + 0.21 * u)));
      }
    return plane;
  };
  const Plane before = seen({});
  for (const CameraStep& step : {CameraStep{}, CameraStep{0.3, -0.2, 0, 0}, CameraStep{6.5, 2.25, 0, 0},
                                 CameraStep{0, 0, 0.8, 0}, CameraStep{-1.5, 0.5, 0.4, -0.6}}) {
    const auto measured = camera_step(before, seen(step), kWidth, kHeight, {});
    ASSERT_TRUE(measured);
    EXPECT_LT(apart(*measured, step), 0.1) << step.x << ' ' << step.y << ' ' << step.zoom << ' ' << step.turn;
  }
  const Plane flat(static_cast<std::size_t>(kWidth) * kHeight, 0.5F);
  EXPECT_FALSE(camera_step(flat, flat, kWidth, kHeight, {}));
}

}  // namespace
}  // namespace rushes::worker
