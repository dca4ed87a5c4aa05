#include "tools/bench/planted.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace rushes::bench {
namespace {

using scene::Random;
using worker::Clip;
using worker::kChannels;

double pick(int strength, double faint, double plain, double strong) {
  return strength == 0 ? faint : strength == 1 ? plain : strong;
}
double sign(Random& random) { return random.chance(0.5) ? 1 : -1; }
int within(Random& random, int low, int high) {  // both ends included
  return low + static_cast<int>(random.below(static_cast<std::size_t>(high - low + 1)));
}
Range run(const Clip& clip, Random& random, int length) {
  const int begin = within(random, 3, clip.frames - length - 3);
  return {begin, begin + length};
}
Range to_end(const Clip& clip, Random& random) { return {within(random, 6, 24), clip.frames}; }

struct Patch {
  int x, y, width, height;
};
Patch patch(const Clip& clip, Random& random, double share) {
  const int width = static_cast<int>(share * clip.width), height = static_cast<int>(share * clip.height);
  return {within(random, 0, clip.width - width), within(random, 0, clip.height - height), width, height};
}
Patch whole(const Clip& clip) { return {0, 0, clip.width, clip.height}; }

void scale(Clip& clip, int t, const Patch& p, std::array<double, 3> stops) {
  for (int y = p.y; y < p.y + p.height; ++y)
    for (int x = p.x; x < p.x + p.width; ++x)
      for (std::size_t c = 0; c < 3; ++c) clip.at(t, y, x)[c] *= static_cast<float>(std::exp2(stops[c]));
}
void scale(Clip& clip, Range frames, const Patch& p, std::array<double, 3> stops) {
  for (int t = frames.begin; t < frames.end; ++t) scale(clip, t, p, stops);
}
std::array<double, 3> grey(double stops) { return {stops, stops, stops}; }
std::array<double, 3> tint(Random& random, double stops) {
  const double s = sign(random);
  return random.chance(0.5) ? std::array<double, 3>{s * stops, 0, 0} : std::array<double, 3>{0, 0, s * stops};
}

void copy_frame(Clip& clip, int from, int to) {
  std::copy(clip.frame(from), clip.frame(from) + clip.frame_values(), clip.frame(to));
}

// A pixel between pixels, edges repeated.
std::array<float, 3> sample(const float* frame, const Clip& clip, double x, double y) {
  x = std::clamp(x, 0.0, clip.width - 1.0), y = std::clamp(y, 0.0, clip.height - 1.0);
  const int i = std::min(static_cast<int>(x), clip.width - 2),
            j = std::min(static_cast<int>(y), clip.height - 2);
  const auto u = static_cast<float>(x - i), v = static_cast<float>(y - j);
  const float* p =
      frame +
      (static_cast<std::size_t>(j) * static_cast<std::size_t>(clip.width) + static_cast<std::size_t>(i)) * 3;
  const float* q = p + static_cast<std::size_t>(clip.width) * 3;
  std::array<float, 3> value{};
  for (std::size_t c = 0; c < 3; ++c)
    value[c] = (1 - v) * ((1 - u) * p[c] + u * p[c + 3]) + v * ((1 - u) * q[c] + u * q[c + 3]);
  return value;
}
// The picture seen at place(x, y).
void warp(Clip& clip, int t, const std::function<std::array<double, 2>(double, double)>& place) {
  const std::vector<float> frame(clip.frame(t), clip.frame(t) + clip.frame_values());
  for (int y = 0; y < clip.height; ++y)
    for (int x = 0; x < clip.width; ++x) {
      const auto [u, v] = place(x, y);
      const auto value = sample(frame.data(), clip, u, v);
      std::copy(value.begin(), value.end(), clip.at(t, y, x));
    }
}
void shift(Clip& clip, int t, double dx, double dy) {
  warp(clip, t, [&](double x, double y) { return std::array{x - dx, y - dy}; });
}

// Gaussian, inside a patch.
void blur(Clip& clip, int t, const Patch& p, double deviation) {
  if (deviation <= 0) return;
  const int reach = static_cast<int>(std::ceil(3 * deviation));
  std::vector<float> weights;
  float total = 0;
  for (int i = -reach; i <= reach; ++i) {
    weights.push_back(static_cast<float>(std::exp(-0.5 * i * i / (deviation * deviation))));
    total += weights.back();
  }
  for (const bool across : {true, false}) {
    const std::vector<float> frame(clip.frame(t), clip.frame(t) + clip.frame_values());
    for (int y = p.y; y < p.y + p.height; ++y)
      for (int x = p.x; x < p.x + p.width; ++x)
        for (std::size_t c = 0; c < 3; ++c) {
          float sum = 0;
          for (int i = -reach; i <= reach; ++i) {
            const int u = across ? std::clamp(x + i, 0, clip.width - 1) : x,
                      v = across ? y : std::clamp(y + i, 0, clip.height - 1);
            sum += weights[static_cast<std::size_t>(i + reach)] *
                   frame[(static_cast<std::size_t>(v) * static_cast<std::size_t>(clip.width) +
                          static_cast<std::size_t>(u)) *
                             3 +
                         c];
          }
          clip.at(t, y, x)[c] = sum / total;
        }
  }
}

void each_pixel(Clip& clip, Range frames, const std::function<void(float* pixel, int x, int y, int t)>& f) {
  for (int t = frames.begin; t < frames.end; ++t)
    for (int y = 0; y < clip.height; ++y)
      for (int x = 0; x < clip.width; ++x) f(clip.at(t, y, x), x, y, t);
}

void lattice(Clip& clip, int period, double share) {
  each_pixel(clip, {0, clip.frames}, [&](float* pixel, int x, int y, int) {
    const bool odd = (x / period + y / period) % 2 != 0;
    for (int c = 0; c < kChannels; ++c) pixel[c] *= static_cast<float>(odd ? 1 + share : 1 - share);
  });
}
void lines(Clip& clip, int period, double share) {
  each_pixel(clip, {0, clip.frames}, [&](float* pixel, int x, int y, int) {
    if (x % period == 0 || y % period == 0)
      for (int c = 0; c < kChannels; ++c) pixel[c] *= static_cast<float>(1 - share);
  });
}

// The code of so many values between black and the highest light, in stops.
void quantise(Clip& clip, Range frames, double steps_per_stop) {
  each_pixel(clip, frames, [&](float* pixel, int, int, int) {
    for (int c = 0; c < kChannels; ++c) {
      const double code = std::log2(std::max(0.0, static_cast<double>(pixel[c])) + 0.01);
      pixel[c] = static_cast<float>(std::exp2(std::round(code * steps_per_stop) / steps_per_stop) - 0.01);
    }
  });
}

Range all(const Clip& clip) { return {0, clip.frames}; }
Range second(const Clip& clip) { return {kWindows[1].begin + 4, clip.frames}; }

using Plant = Range (*)(Clip&, int, Random&);

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> table{
      {"exposure steps",
       {"exposure", "seam"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = to_end(clip, r);
         scale(clip, at, whole(clip), grey(sign(r) * pick(s, 0.2, 0.35, 0.8)));
         return Range{at.begin, at.begin + 3};
       }},
      {"one frame flashes",
       {"exposure", "flicker"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 1);
         scale(clip, at, whole(clip), grey(sign(r) * pick(s, 0.2, 0.4, 1)));
         return at;
       }},
      {"exposure pumps",
       {"exposure", "flicker"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const double period = r.uniform(5, 10);
         for (int t = 0; t < clip.frames; ++t)
           scale(clip, t, whole(clip), grey(pick(s, 0.12, 0.25, 0.5) * std::sin(2 * M_PI * t / period)));
         return all(clip);
       }},
      {"a patch flashes",
       {"flicker"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 1);
         scale(clip, at, patch(clip, r, 0.25), grey(sign(r) * pick(s, 0.2, 0.4, 0.9)));
         return at;
       }},
      {"a patch flickers",
       {"flicker"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 10);
         const Patch p = patch(clip, r, 0.3);
         for (int t = at.begin; t < at.end; t += 2) scale(clip, t, p, grey(pick(s, 0.15, 0.3, 0.7)));
         return at;
       }},
      {"texture boils",
       {"flicker"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 12);
         const Patch p = patch(clip, r, 0.4);
         for (int t = at.begin; t < at.end; ++t)
           for (int y = 0; y < p.height; y += 6)
             for (int x = 0; x < p.width; x += 6)
               scale(clip, t, {p.x + x, p.y + y, std::min(6, p.width - x), std::min(6, p.height - y)},
                     grey(r.uniform(-1, 1) * pick(s, 0.2, 0.4, 0.8)));
         return at;
       }},
      {"noise bursts",
       {"noise", "flicker", "hot_pixels"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 5);
         each_pixel(clip, at, [&](float* pixel, int, int, int) {
           const double gain = std::exp2(pick(s, 0.15, 0.3, 0.7) * (r.uniform(-1, 1) + r.uniform(-1, 1)));
           for (int c = 0; c < kChannels; ++c) pixel[c] *= static_cast<float>(gain);
         });
         return at;
       }},
      {"colour steps",
       {"tint", "seam"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = to_end(clip, r);
         scale(clip, at, whole(clip), tint(r, pick(s, 0.12, 0.25, 0.6)));
         return Range{at.begin, at.begin + 3};
       }},
      {"colour drifts",
       {"tint"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const std::array<double, 3> end = tint(r, pick(s, 0.35, 0.6, 1.2));
         for (int t = 0; t < clip.frames; ++t) {
           const double share = t / (clip.frames - 1.0);
           scale(clip, t, whole(clip), {end[0] * share, end[1] * share, end[2] * share});
         }
         return all(clip);
       }},
      {"second window has another tint",
       {"tint", "seam"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = second(clip);
         scale(clip, at, whole(clip), tint(r, pick(s, 0.12, 0.25, 0.6)));
         return Range{at.begin - 1, at.begin + 3};
       }},
      {"second window is brighter",
       {"exposure", "seam"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = second(clip);
         scale(clip, at, whole(clip), grey(sign(r) * pick(s, 0.15, 0.3, 0.7)));
         return Range{at.begin - 1, at.begin + 3};
       }},
      {"second window is displaced",
       {"seam", "judder"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = second(clip);
         const double dx = sign(r) * pick(s, 3, 5, 10), dy = sign(r) * pick(s, 1, 2, 4);
         for (int t = at.begin; t < at.end; ++t) shift(clip, t, dx, dy);
         return Range{at.begin - 1, at.begin + 2};
       }},
      {"a frame repeats",
       {"freeze", "judder"},
       Wants::kMotion,
       [](Clip& clip, int, Random& r) {
         const Range at = run(clip, r, 1);
         copy_frame(clip, at.begin - 1, at.begin);
         return at;
       }},
      {"frames repeat",
       {"freeze"},
       Wants::kMotion,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, static_cast<int>(pick(s, 2, 4, 8)));
         for (int t = at.begin; t < at.end; ++t) copy_frame(clip, at.begin - 1, t);
         return at;
       }},
      {"the end is frozen",
       {"freeze"},
       Wants::kTravel,
       [](Clip& clip, int s, Random&) {
         const Range at{clip.frames - static_cast<int>(pick(s, 5, 9, 15)), clip.frames};
         for (int t = at.begin; t < at.end; ++t) copy_frame(clip, at.begin - 1, t);
         return at;
       }},
      {"frames nearly repeat",
       {"freeze", "judder"},
       Wants::kTravel,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, static_cast<int>(pick(s, 2, 3, 6)));
         for (int t = at.begin; t < at.end; ++t) {
           copy_frame(clip, at.begin - 1, t);
           each_pixel(clip, {t, t + 1}, [&](float* pixel, int, int, int) {
             for (int c = 0; c < kChannels; ++c) pixel[c] *= static_cast<float>(1 + r.uniform(-0.01, 0.01));
           });
         }
         return at;
       }},
      {"two frames are swapped",
       {"judder"},
       Wants::kTravel,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 1 + static_cast<int>(pick(s, 1, 1, 2)));
         std::swap_ranges(clip.frame(at.begin), clip.frame(at.begin) + clip.frame_values(),
                          clip.frame(at.end - 1));
         return at;
       }},
      {"frames are missing",
       {"judder"},
       Wants::kTravel,
       [](Clip& clip, int s, Random& r) {
         const int missing = static_cast<int>(pick(s, 1, 2, 4)), at = within(r, 4, clip.frames - missing - 5);
         for (int t = at; t + missing < clip.frames; ++t) copy_frame(clip, t + missing, t);
         clip.frames -= missing;
         clip.pixels.resize(static_cast<std::size_t>(clip.frames) * clip.frame_values());
         return Range{at - 1, at + 2};
       }},
      {"one frame is displaced",
       {"judder"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 1);
         shift(clip, at.begin, sign(r) * pick(s, 2, 4, 8), sign(r) * pick(s, 1, 2, 4));
         return at;
       }},
      {"the picture jitters",
       {"judder"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 16);
         const double reach = pick(s, 1.5, 3, 6);
         for (int t = at.begin; t < at.end; ++t)
           shift(clip, t, r.uniform(-reach, reach), r.uniform(-reach, reach));
         return at;
       }},
      {"frames are blurred",
       {"sharpness"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 6);
         for (int t = at.begin; t < at.end; ++t) blur(clip, t, whole(clip), pick(s, 0.7, 1.2, 2.5));
         return at;
       }},
      {"one frame is blurred",
       {"sharpness"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 1);
         blur(clip, at.begin, whole(clip), pick(s, 0.7, 1.2, 2.5));
         return at;
       }},
      {"second window is soft",
       {"sharpness"},
       Wants::kAny,
       [](Clip& clip, int s, Random&) {
         const Range at = second(clip);
         for (int t = at.begin; t < at.end; ++t) blur(clip, t, whole(clip), pick(s, 0.7, 1.2, 2.5));
         return at;
       }},
      {"blur drifts",
       {"sharpness"},
       Wants::kAny,
       [](Clip& clip, int s, Random&) {
         for (int t = 0; t < clip.frames; ++t)
           blur(clip, t, whole(clip), pick(s, 0.9, 1.6, 3) * t / (clip.frames - 1.0));
         return Range{clip.frames / 3, clip.frames};
       }},
      {"a lattice of 8 pixels",
       {"grid"},
       Wants::kAny,
       [](Clip& clip, int s, Random&) {
         lattice(clip, 8, pick(s, 0.01, 0.02, 0.05));
         return all(clip);
       }},
      {"a lattice of 16 pixels",
       {"grid"},
       Wants::kAny,
       [](Clip& clip, int s, Random&) {
         lattice(clip, 16, pick(s, 0.01, 0.02, 0.05));
         return all(clip);
       }},
      {"lines every 16 pixels",
       {"grid"},
       Wants::kAny,
       [](Clip& clip, int s, Random&) {
         lines(clip, 16, pick(s, 0.02, 0.04, 0.1));
         return all(clip);
       }},
      {"hot pixels",
       {"hot_pixels"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 8);
         for (int t = at.begin; t < at.end; ++t)
           for (int i = 0; i < static_cast<int>(pick(s, 4, 12, 50)); ++i) {
             float* pixel = clip.at(t, within(r, 2, clip.height - 3), within(r, 2, clip.width - 3));
             for (int c = 0; c < kChannels; ++c)
               pixel[c] = static_cast<float>(8 * (static_cast<double>(pixel[c]) + 0.05));
           }
         return at;
       }},
      {"stuck pixels",
       {"hot_pixels"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         for (int i = 0; i < static_cast<int>(pick(s, 4, 8, 30)); ++i) {
           const int x = within(r, 2, clip.width - 3), y = within(r, 2, clip.height - 3), c = within(r, 0, 2);
           for (int t = 0; t < clip.frames; ++t) clip.at(t, y, x)[c] = 4.0F;
         }
         return all(clip);
       }},
      {"dead pixels",
       {"hot_pixels"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         for (int i = 0; i < static_cast<int>(pick(s, 8, 20, 60)); ++i) {
           const int x = within(r, 2, clip.width - 3), y = within(r, 2, clip.height - 3);
           for (int t = 0; t < clip.frames; ++t) std::fill_n(clip.at(t, y, x), kChannels, 0.0F);
         }
         return all(clip);
       }},
      {"banding",
       {"banding"},
       Wants::kAny,
       [](Clip& clip, int s, Random&) {
         quantise(clip, all(clip), pick(s, 24, 14, 7));
         return all(clip);
       }},
      {"light is not a number",
       {"light"},
       Wants::kAny,
       [](Clip& clip, int, Random& r) {
         const Range at = run(clip, r, 1);
         clip.at(at.begin, within(r, 0, clip.height - 1), within(r, 0, clip.width - 1))[0] = NAN;
         return at;
       }},
      {"light is negative",
       {"light"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 3);
         const Patch p = patch(clip, r, pick(s, 0.06, 0.1, 0.2));
         for (int t = at.begin; t < at.end; ++t)
           for (int y = p.y; y < p.y + p.height; ++y)
             for (int x = p.x; x < p.x + p.width; ++x) std::fill_n(clip.at(t, y, x), kChannels, -0.08F);
         return at;
       }},
      {"light clips at the ceiling",
       {"light"},
       Wants::kAny,
       [](Clip& clip, int s, Random& r) {
         const Range at = run(clip, r, 4);
         const Patch p = patch(clip, r, pick(s, 0.1, 0.15, 0.3));
         for (int t = at.begin; t < at.end; ++t)
           for (int y = p.y; y < p.y + p.height; ++y)
             for (int x = p.x; x < p.x + p.width; ++x) std::fill_n(clip.at(t, y, x), kChannels, 222.861F);
         return at;
       }},
      {"a black frame",
       {"exposure", "flicker", "light"},
       Wants::kAny,
       [](Clip& clip, int, Random& r) {
         const Range at = run(clip, r, 1);
         std::fill_n(clip.frame(at.begin), clip.frame_values(), 0.0F);
         return at;
       }},
      {"another scene is cut in",
       {"seam"},
       Wants::kAny,
       [](Clip& clip, int, Random& r) {
         const Range at = second(clip);
         const Footage other = clean_footage(20'000 + static_cast<int>(r.below(500)));
         for (int t = at.begin; t < at.end; ++t)
           std::copy(other.clip.frame(t), other.clip.frame(t) + clip.frame_values(), clip.frame(t));
         return Range{at.begin - 1, at.begin + 2};
       }},
  };
  return table;
}

}  // namespace

std::span<const Kind> planted_kinds() { return kinds(); }

}  // namespace rushes::bench
