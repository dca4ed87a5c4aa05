// The loss of vae_losses.distortion_plain and its gradient, where PyTorch takes some sixty passes over the video.
//
// A plain C function for ctypes, one thread. Videos are contiguous floats [batch, 3, frames, rows, columns], rows
// and columns multiples of 16, frames 1 or a multiple of 4 and 1. Terms and weights are explained in vae_losses.py.
#include <algorithm>
#include <cmath>
#include <vector>

#include "tools/train/tabletop/lanes.h"

namespace {

struct Sizes {  // as vae_losses.py passes it
  long batch, frames, rows, columns;
  long picture() const { return rows * columns; }
  long video() const { return frames * picture(); }
  long all() const { return batch * 3 * video(); }
};

struct Weights {  // likewise: of the terms, and where glowing begins
  float square, glow, edges, hue, pattern, ripple, phase, flicker, glow_level;
};

inline float sign(float x) { return static_cast<float>((x > 0) - (x < 0)); }

// Sums of a few thousand floats at a time go into a double.
using Sum = double;

// (|e| + square * e^2) * w with w larger where the truth glows.
Sum pixels(const Sizes& s, const Weights& k, const float* truth, const float* error, float* gradient) {
  const long video = s.video();
  const float share = 1 / static_cast<float>(s.all());
  Sum sum = 0;
  for (long b = 0; b < s.batch; ++b) {
    const long first = b * 3 * video;
    for (long from = 0; from < video; from += s.columns) {
      float part = 0;
      for (long i = first + from; i < first + from + s.columns; ++i) {
        const float most = std::max({truth[i], truth[i + video], truth[i + 2 * video]});
        const float weight = most > k.glow_level ? 1 + k.glow : 1;
        for (long c = 0; c < 3; ++c) {
          const float e = error[i + c * video];
          part += (std::abs(e) + k.square * e * e) * weight;
          gradient[i + c * video] = (sign(e) + 2 * k.square * e) * weight * share;
        }
      }
      sum += part;
    }
  }
  return sum * share;
}

// Absolute differences of neighbours `step` apart: runs of `length` values begin every `next`, `count` times.
Sum neighbours(const float* error, long step, long length, long next, long count, float share,
               float* gradient) {
  Sum sum = 0;
  for (long n = 0; n < count; ++n) {
    const float* e = error + n * next;
    float *g = gradient + n * next, part = 0;
    for (long i = 0; i < length; ++i) {
      const float difference = e[i + step] - e[i];
      part += std::abs(difference);
    }
    // Two loops, as a value is both the later and the earlier one.
    for (long i = 0; i < length; ++i) g[i] -= sign(e[i + step] - e[i]) * share;
    for (long i = 0; i < length; ++i) g[i + step] += sign(e[i + step] - e[i]) * share;
    sum += part;
  }
  return sum * share;
}

Sum edges(const Sizes& s, const Weights& k, const float* error, float* gradient) {
  const long lines = s.all() / s.columns, pictures = s.all() / s.picture(), videos = s.batch * 3;
  const auto share = [&](long count) { return k.edges / 3 / static_cast<float>(count); };
  Sum sum = neighbours(error, 1, s.columns - 1, s.columns, lines, share(lines * (s.columns - 1)), gradient);
  const long down = s.picture() - s.columns, later = s.video() - s.picture();
  sum += neighbours(error, s.columns, down, s.picture(), pictures, share(pictures * down), gradient);
  if (later > 0)
    sum += neighbours(error, s.picture(), later, s.video(), videos, share(videos * later), gradient);
  return sum;
}

// Of a block of 8x8 values: the sum, and those of its waves of 2 pixels along columns, rows and both.
struct Block {
  float sum[4];
};

Block read_block(const float* error, long columns) {
  float even[8] = {}, odd[8] = {};
  for (long r = 0; r < 8; r += 2) {
    for (long c = 0; c < 8; ++c) {
      even[c] += error[r * columns + c];
      odd[c] += error[(r + 1) * columns + c];
    }
  }
  Block block = {};
  for (long c = 0; c < 8; c += 2) {
    block.sum[0] += even[c] + even[c + 1] + odd[c] + odd[c + 1];
    block.sum[1] += even[c] - even[c + 1] + odd[c] - odd[c + 1];
    block.sum[2] += even[c] + even[c + 1] - odd[c] - odd[c + 1];
    block.sum[3] += even[c] - even[c + 1] - odd[c] + odd[c + 1];
  }
  return block;
}

void add_to_block(const Block& slope, float* gradient, long columns) {
  const float* d = slope.sum;
  const float even[2] = {d[0] + d[1] + d[2] + d[3], d[0] - d[1] + d[2] - d[3]};
  const float odd[2] = {d[0] + d[1] - d[2] - d[3], d[0] - d[1] - d[2] + d[3]};
  for (long r = 0; r < 8; ++r)
    for (long c = 0; c < 8; ++c) gradient[r * columns + c] += (r % 2 == 0 ? even : odd)[c % 2];
}

// Hues of blocks, and waves of 2 pixels in them.
Sum blocks(const Sizes& s, const Weights& k, const float* error, float* gradient) {
  const long video = s.video();
  const auto count = static_cast<float>(s.batch * s.frames * s.picture() / 64);
  const float hue = k.hue / count / 64, ripple = k.ripple / (3 * 3 * count) / 64;
  Sum sum = 0;
  for (long b = 0; b < s.batch; ++b) {
    for (long line = 0; line < s.frames * s.rows; line += 8) {
      for (long column = 0; column < s.columns; column += 8) {
        const long at = b * 3 * video + line * s.columns + column;
        Block block[3], slope[3];
        for (long c = 0; c < 3; ++c) {
          block[c] = read_block(error + at + c * video, s.columns);
          for (long wave = 1; wave < 4; ++wave) {
            sum += ripple * std::abs(block[c].sum[wave]);
            slope[c].sum[wave] = ripple * sign(block[c].sum[wave]);
          }
        }
        const float red = block[0].sum[0] - block[1].sum[0], blue = block[2].sum[0] - block[1].sum[0];
        sum += hue * (std::abs(red) + std::abs(blue));
        slope[0].sum[0] = hue * sign(red);
        slope[2].sum[0] = hue * sign(blue);
        slope[1].sum[0] = -slope[0].sum[0] - slope[2].sum[0];
        for (long c = 0; c < 3; ++c) add_to_block(slope[c], gradient + at + c * video, s.columns);
      }
    }
  }
  return sum;
}

// What is common to all latents' blocks of (4, 16, 16) or (1, 16, 16) values. Frame 0 of a clip has no block.
Sum pattern(const Sizes& s, const Weights& k, const float* error, float* gradient) {
  constexpr long kSide = 16;
  constexpr float kLevel = 0.05f;
  const long time = s.frames > 1 ? 4 : 1, first = s.frames > 1 ? 1 : 0, size = time * kSide * kSide;
  const float members = static_cast<float>((s.frames - first) * s.picture()) / static_cast<float>(size);
  const float share = k.pattern / static_cast<float>(s.batch * 3 * size);
  std::vector<float> held(static_cast<std::size_t>(s.video())), means(static_cast<std::size_t>(size));
  Sum sum = 0;
  for (long v = 0; v < s.batch * 3; ++v, error += s.video(), gradient += s.video()) {
    std::fill(means.begin(), means.end(), 0.0f);
    for (long line = first * s.rows; line < s.frames * s.rows; ++line) {
      const long place = ((line / s.rows - first) % time * kSide + line % kSide) * kSide;
      for (long c = line * s.columns; c < (line + 1) * s.columns; c += kSide) {
        const lanes::Floats e = lanes::load(error + c, kSide) * (2 / kLevel);
        const lanes::Floats tanh = 2.0f * lanes::sigmoid(e) - 1.0f;
        lanes::store(tanh, held.data() + c, kSide);
        lanes::store(lanes::load(means.data() + place, kSide) + tanh, means.data() + place, kSide);
      }
    }
    for (float& mean : means) {
      sum += share * kLevel / members * std::abs(mean);
      mean = share / members * sign(mean);
    }
    for (long line = first * s.rows; line < s.frames * s.rows; ++line) {
      const long place = ((line / s.rows - first) % time * kSide + line % kSide) * kSide;
      for (long c = line * s.columns; c < (line + 1) * s.columns; c += kSide) {
        const lanes::Floats tanh = lanes::load(held.data() + c, kSide),
                            slope = lanes::load(means.data() + place, kSide);
        lanes::store(lanes::load(gradient + c, kSide) + slope * (1.0f - tanh * tanh), gradient + c, kSide);
      }
    }
  }
  return sum;
}

// Steps from frame to frame of one video.
struct Steps {
  std::vector<float> made, truth;  // mean absolute steps
  std::vector<float> still;        // [step, place]: 1 where no colour of the truth changes
  Sum moved = 0;                   // what changes there although the truth does not
  Sum places = 0;                  // how many these are
};

Steps read_steps(const Sizes& s, const float* made, const float* truth) {
  const long picture = s.picture(), video = s.video();
  Steps steps;
  steps.still.resize(static_cast<std::size_t>(video - picture));
  for (long t = 0; t + 1 < s.frames; ++t) {
    float *still = steps.still.data() + t * picture, made_sum = 0, truth_sum = 0, moved = 0, places = 0;
    for (long i = 0; i < picture; ++i) {
      float most = 0, change = 0;
      for (long c = 0; c < 3; ++c) {
        const long at = c * video + t * picture + i;
        const float true_step = std::abs(truth[at + picture] - truth[at]);
        change += std::abs(made[at + picture] - made[at]);
        truth_sum += true_step;
        most = std::max(most, true_step);
      }
      still[i] = most < 1e-4f ? 1.0f : 0.0f;
      made_sum += change;
      moved += change * still[i];
      places += still[i];
    }
    steps.made.push_back(made_sum / static_cast<float>(3 * picture));
    steps.truth.push_back(truth_sum / static_cast<float>(3 * picture));
    steps.moved += moved;
    steps.places += places;
  }
  return steps;
}

// |log ratio| of the mean steps by their place in the latent's four frames; `slopes`, of each place's steps, are set.
Sum phases(const Sizes& s, const Weights& k, const Steps& steps, float* slopes) {
  constexpr float kLeast = 2e-3f;
  const float share = k.phase / static_cast<float>(s.batch * 4),
              groups = static_cast<float>(s.frames - 1) / 4;
  Sum sum = 0;
  for (std::size_t place = 0; place < 4; ++place) {
    float made = 0, truth = 0;
    for (std::size_t t = place; t < steps.made.size(); t += 4)
      made += steps.made[t] / groups, truth += steps.truth[t] / groups;
    const float ratio = std::log((made + kLeast) / (truth + kLeast));
    sum += share * std::abs(ratio);
    slopes[place] = share * sign(ratio) / (made + kLeast) / groups / static_cast<float>(3 * s.picture());
  }
  return sum;
}

// Both terms that compare frames with the frames before.
Sum motion(const Sizes& s, const Weights& k, const float* made, const float* truth, float* gradient) {
  const long picture = s.picture(), video = s.video();
  std::vector<Steps> all;
  std::vector<float> slopes(static_cast<std::size_t>(4 * s.batch));
  Sum sum = 0, moved = 0, places = 0;
  for (long b = 0; b < s.batch; ++b) {
    all.push_back(read_steps(s, made + b * 3 * video, truth + b * 3 * video));
    sum += phases(s, k, all.back(), slopes.data() + 4 * b);
    moved += all.back().moved;
    places += all.back().places;
  }
  const double base = 3 * places + 1e-3 * static_cast<double>(s.batch * (video - picture));
  const auto flicker = static_cast<float>(k.flicker / base);
  for (long v = 0; v < s.batch * 3; ++v) {
    for (long t = 0; t + 1 < s.frames; ++t) {
      const float* still = all[static_cast<std::size_t>(v / 3)].still.data() + t * picture;
      const float* from = made + v * video + t * picture;
      float *g = gradient + v * video + t * picture,
            phase = slopes[static_cast<std::size_t>(v / 3 * 4 + t % 4)];
      for (long i = 0; i < picture; ++i) {
        const float slope = sign(from[i + picture] - from[i]) * (phase + flicker * still[i]);
        g[i] -= slope;
        g[i + picture] += slope;
      }
    }
  }
  return sum + flicker * moved;
}

}  // namespace

// `gradient`, with respect to `made`, is written; `error` is made - truth.
extern "C" double distortion(const Sizes* s, const Weights* k, const float* made, const float* truth,
                             const float* error, float* gradient) {
  Sum sum = pixels(*s, *k, truth, error, gradient);
  sum += edges(*s, *k, error, gradient);
  sum += blocks(*s, *k, error, gradient);
  sum += pattern(*s, *k, error, gradient);
  if (s->frames > 1) sum += motion(*s, *k, made, truth, gradient);
  return sum;
}
