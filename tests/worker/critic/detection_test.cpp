// Detection and false-alarm rates: defects planted into random clips must be found in the right frames, clean
// clips must pass. Rates are printed with their Wilson 95 % intervals (Wilson 1927).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

#include "tests/worker/critic/scene.h"
#include "worker/critic/critique.h"

namespace rushes::worker {
namespace {

using testing::Action;
using testing::Dice;

constexpr int kClips = 50;
constexpr int kClean = 25;  // of each action: 150 in all
const testing::SceneOptions kSize{112, 63, 41, true};

void print_rate(const std::string& what, int hits, int clips) {
  const double n = clips, p = hits / n, z = 1.96;
  const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  std::printf("[ measured ] %-28s %3d of %3d  (95 %%: %.1f-%.1f %%)\n", what.c_str(), hits, clips,
              100 * std::max(0.0, centre - half), 100 * (centre + half));
}

CriticContext two_windows() {
  CriticContext context;
  context.windows = {{0, 25}, {16, 41}};
  context.space = WorkingSpace::kAcescct;
  return context;
}

// Whether a finding of this dimension touches frames [first, last].
bool found(const Critique& critique, const std::string& dimension, int first, int last) {
  for (const Finding& finding : critique.findings)
    if (finding.dimension == dimension && finding.frames.begin <= last && finding.frames.end > first)
      return true;
  return false;
}

// Plants a defect into kClips clips of the given actions and counts how many are found where they were
// planted.
int detected(std::initializer_list<Action> actions, const std::string& dimension,
             const std::function<std::pair<int, int>(Clip&, Dice&)>& plant) {
  int hits = 0;
  for (int i = 0; i < kClips; ++i) {
    const Action action = *(actions.begin() + i % static_cast<int>(actions.size()));
    Clip clip = testing::render(action, 1000 + static_cast<std::uint64_t>(i), kSize);
    Dice dice(static_cast<std::uint64_t>(i));
    const auto [first, last] = plant(clip, dice);
    const ClipCritique critique = rushes::worker::critique(clip, two_windows());
    const bool hit = critique.verdict != Verdict::kPass && found(critique, dimension, first, last);
    hits += hit ? 1 : 0;
    if (!hit)
      std::printf("  missed: %s clip %d, planted in %d-%d\n", testing::to_string(action), i, first, last);
  }
  return hits;
}

TEST(Detection, CleanClipsPass) {
  for (const Action action : testing::kActions) {
    int alarms = 0;
    for (int i = 0; i < kClean; ++i) {
      testing::SceneOptions options = kSize;
      options.grain = i % 3 != 0;
      const ClipCritique critique = rushes::worker::critique(
          testing::render(action, static_cast<std::uint64_t>(i), options), two_windows());
      ASSERT_NE(critique.verdict, Verdict::kUnknown);
      if (critique.verdict == Verdict::kPass) continue;
      ++alarms;
      for (const Finding& finding : critique.findings)
        std::printf("  alarm: %s clip %d: %s\n", testing::to_string(action), i, finding.message.c_str());
    }
    print_rate(std::string("false alarms, ") + testing::to_string(action), alarms, kClean);
    EXPECT_LE(alarms, 1) << testing::to_string(action);
  }
}

TEST(Detection, FlickerOfAPatch) {
  const int hits = detected(
      {Action::kStill, Action::kMove, Action::kPan, Action::kFade}, "flicker", [](Clip& clip, Dice& dice) {
        const int width = dice.whole(24, 48), height = dice.whole(20, 36), t = dice.whole(3, 33);
        const int x = dice.whole(0, clip.width - width), y = dice.whole(0, clip.height - height);
        const double stops = dice.between(0.3, 0.8) * (dice.uniform() < 0.5 ? -1 : 1);
        for (int i = 0; i < 6; i += 2)
          testing::scale_light(clip, t + i, t + i, x, y, width, height, std::exp2(stops));
        return std::pair(t, t + 4);
      });
  print_rate("flicker found", hits, kClips);
  EXPECT_GE(hits, kClips * 95 / 100);
}

TEST(Detection, RepeatedFrames) {
  const int hits = detected({Action::kMove, Action::kPan, Action::kZoom, Action::kPass}, "freeze",
                            [](Clip& clip, Dice& dice) {
                              const int count = dice.whole(1, 5), t = dice.whole(12, 24);
                              for (int i = 1; i <= count; ++i) testing::copy_frame(clip, t, t + i);
                              return std::pair(t + 1, t + count);
                            });
  print_rate("repeated frames found", hits, kClips);
  EXPECT_GE(hits, kClips * 95 / 100);
}

TEST(Detection, FrozenEnd) {
  const int hits = detected({Action::kPan, Action::kZoom}, "freeze", [](Clip& clip, Dice& dice) {
    const int t = dice.whole(15, 34);
    for (int i = t + 1; i < clip.frames; ++i) testing::copy_frame(clip, t, i);
    return std::pair(t + 1, clip.frames - 1);
  });
  print_rate("frozen end found", hits, kClips);
  EXPECT_GE(hits, kClips * 95 / 100);
}

TEST(Detection, ExposureJump) {
  const int hits = detected(
      {Action::kStill, Action::kMove, Action::kPan, Action::kZoom, Action::kFade, Action::kPass}, "exposure",
      [](Clip& clip, Dice& dice) {
        const int t = dice.whole(3, 37);
        const double stops = dice.between(0.3, 1) * (dice.uniform() < 0.5 ? -1 : 1);
        testing::scale_light(clip, t, clip.frames - 1, 0, 0, clip.width, clip.height, std::exp2(stops));
        return std::pair(t, t + 1);
      });
  print_rate("exposure jump found", hits, kClips);
  EXPECT_GE(hits, kClips * 95 / 100);
}

TEST(Detection, ExposurePumping) {
  const int hits = detected({Action::kStill, Action::kMove, Action::kPan, Action::kFade}, "exposure",
                            [](Clip& clip, Dice& dice) {
                              const double amplitude = dice.between(0.2, 0.4), period = dice.between(5, 12);
                              for (int t = 0; t < clip.frames; ++t)
                                testing::scale_light(clip, t, t, 0, 0, clip.width, clip.height,
                                                     std::exp2(amplitude * std::sin(2 * M_PI * t / period)));
                              return std::pair(0, clip.frames - 1);
                            });
  print_rate("exposure pumping found", hits, kClips);
  EXPECT_GE(hits, kClips * 95 / 100);
}

// A jump of brightness, colour or position inside the overlap of the two windows.
TEST(Detection, Seam) {
  const auto plant = [](int kind) {
    return [kind](Clip& clip, Dice& dice) {
      const int t = dice.whole(16, 25);
      const double sign = dice.uniform() < 0.5 ? -1 : 1;
      if (kind == 0)
        testing::scale_light(clip, t, clip.frames - 1, 0, 0, clip.width, clip.height,
                             std::exp2(sign * dice.between(0.2, 0.5)));
      if (kind == 1)
        testing::scale_channel(clip, t, clip.frames - 1, dice.whole(0, 2),
                               std::exp2(sign * dice.between(0.2, 0.5)));
      if (kind == 2)
        testing::shift_picture(clip, t, clip.frames - 1, static_cast<int>(sign * dice.whole(5, 10)),
                               dice.whole(-2, 2));
      return std::pair(t - 1, t);
    };
  };
  const std::initializer_list<Action> actions{Action::kStill, Action::kMove, Action::kPan, Action::kZoom};
  const char* words[]{"seam of brightness found", "seam of colour found", "seam of motion found"};
  for (int kind = 0; kind < 3; ++kind) {
    const int hits = detected(actions, "seam", plant(kind));
    print_rate(words[kind], hits, kClips);
    EXPECT_GE(hits, kClips * 90 / 100) << words[kind];
  }
}

// A window that shows another scene: the picture cross-fades over the overlap or changes at once.
TEST(Detection, SeamOfContent) {
  const int hits =
      detected({Action::kStill, Action::kMove, Action::kPan}, "seam", [](Clip& clip, Dice& dice) {
        const int t = dice.whole(16, 25);
        const Clip other = testing::render(Action::kMove, 5000 + dice.next() % 1000, kSize);
        for (int i = t; i < clip.frames; ++i) {
          std::copy(other.frame(i), other.frame(i) + other.frame_values(), clip.frame(i));
        }
        return std::pair(t - 1, t);
      });
  print_rate("seam of content found", hits, kClips);
  EXPECT_GE(hits, kClips * 95 / 100);
}

TEST(Detection, LightOutOfRange) {
  const char* words[]{"NaN or Inf found", "negative light found", "clipped light found"};
  for (int kind = 0; kind < 3; ++kind) {
    const int hits =
        detected({Action::kStill, Action::kMove, Action::kPan, Action::kFade}, "light",
                 [kind](Clip& clip, Dice& dice) {
                   const int t = dice.whole(0, clip.frames - 1), side = dice.whole(11, 20);
                   const int x = dice.whole(0, clip.width - side), y = dice.whole(0, clip.height - side);
                   for (int v = y; v < y + side; ++v)
                     for (int u = x; u < x + side; ++u)
                       for (int c = 0; c < 3; ++c)
                         clip.at(t, v, u)[c] = kind == 0 ? 0.18F : kind == 1 ? -0.05F : 222.8609F;
                   if (kind == 0) clip.at(t, y, x)[1] = dice.uniform() < 0.5 ? NAN : INFINITY;
                   return std::pair(t, t);
                 });
    print_rate(words[kind], hits, kClips);
    EXPECT_EQ(hits, kClips) << words[kind];
  }
}

}  // namespace
}  // namespace rushes::worker
