// Gaussian noise that depends on where a latent lies and on nothing else.
//
// Each latent element has its own counter, so its noise is the same however a shot was cut into windows and
// tiles, whichever worker draws it and however often. The generator is Philox4x32-10 (Salmon, Moraes, Dror,
// Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The Gaussian is the inverse normal
// distribution by AS 241, PPND16 (Wichura, Applied Statistics 37, 1988), in double with IEEE + - * / sqrt
// only, then rounded to fp32: equal bits on every CPU and GPU, as long as products and sums are not
// contracted (-ffp-contract=off, nvcc -fmad=false).
//
// Thread contract: pure functions.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define RUSHES_HOST_DEVICE __host__ __device__
#else
#define RUSHES_HOST_DEVICE
#endif

namespace rushes::kernels {

struct PhiloxBlock {
  std::uint32_t word[4];
};
struct PhiloxKey {
  std::uint32_t word[2];
};

RUSHES_HOST_DEVICE inline PhiloxBlock philox4x32_10(PhiloxBlock counter, PhiloxKey key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter.word[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter.word[2];
    counter = {
        {static_cast<std::uint32_t>(b >> 32) ^ counter.word[1] ^ key.word[0], static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ counter.word[3] ^ key.word[1], static_cast<std::uint32_t>(a)}};
    key.word[0] += 0x9E3779B9u;
    key.word[1] += 0xBB67AE85u;
  }
  return counter;
}

// What a run of noise belongs to. `level`: resolution level (0 draft, then each enlargement). `stream`:
// separates uses that must be independent (0 initial noise, 1.. per-step noise of samplers).
struct NoiseSource {
  std::uint64_t seed = 0;
  std::uint32_t level = 0;
  std::uint32_t stream = 0;
};

// The key of a source: the generator itself mixes the 128 bits of the source down to 64.
RUSHES_HOST_DEVICE inline PhiloxKey noise_key(const NoiseSource& source) {
  const PhiloxBlock mixed =
      philox4x32_10({{static_cast<std::uint32_t>(source.seed), static_cast<std::uint32_t>(source.seed >> 32),
                      source.level, source.stream}},
                    {{0x52757368u, 0x65732121u}});  // "Rush" "es!!": any fixed key, never to be changed
  return {{mixed.word[0], mixed.word[1]}};
}

// Natural logarithm for positive normal numbers, within 2 ulp: exponent apart, then 2 artanh((m - 1) / (m +
// 1)) as a series; |s| <= 0.1716, so s^23 is below 1e-17.
RUSHES_HOST_DEVICE inline double ieee_log(double x) {
  auto bits = __builtin_bit_cast(std::uint64_t, x);  // std::bit_cast is no function of a GPU's
  int exponent = static_cast<int>(bits >> 52) - 1023;
  bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
  double m = __builtin_bit_cast(double, bits);  // [1, 2)
  if (m > 1.4142135623730951) {
    m = m * 0.5;
    ++exponent;
  }
  const double s = (m - 1.0) / (m + 1.0), square = s * s;
  double sum = 0.0;
  for (int n = 21; n >= 1; n -= 2) sum = sum * square + 1.0 / n;
  return static_cast<double>(exponent) * 0.6931471805599453 + 2.0 * s * sum;
}

// The x at which the standard normal distribution reaches p, 0 < p < 1; relative error about 1e-16 (AS 241).
RUSHES_HOST_DEVICE inline double inverse_normal(double p) {
  const double q = p - 0.5;
  if (q <= 0.425 && q >= -0.425) {
    const double r = 0.180625 - q * q;
    const double top =
        ((((((2.5090809287301226727e+3 * r + 3.3430575583588128105e+4) * r + 6.7265770927008700853e+4) * r +
            4.5921953931549871457e+4) *
               r +
           1.3731693765509461125e+4) *
              r +
          1.9715909503065514427e+3) *
             r +
         1.3314166789178437745e+2) *
            r +
        3.3871328727963666080e0;
    const double bottom =
        ((((((5.2264952788528545610e+3 * r + 2.8729085735721942674e+4) * r + 3.9307895800092710610e+4) * r +
            2.1213794301586595867e+4) *
               r +
           5.3941960214247511077e+3) *
              r +
          6.8718700749205790830e+2) *
             r +
         4.2313330701600911252e+1) *
            r +
        1.0;
    return q * top / bottom;
  }
  double r = std::sqrt(-ieee_log(q < 0.0 ? p : 1.0 - p));
  double x;
  if (r <= 5.0) {
    r = r - 1.6;
    const double top =
        ((((((7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r + 2.41780725177450611770e-1) *
                r +
            1.27045825245236838258e0) *
               r +
           3.64784832476320460504e0) *
              r +
          5.76949722146069140550e0) *
             r +
         4.63033784615654529590e0) *
            r +
        1.42343711074968357734e0;
    const double bottom =
        ((((((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r + 1.51986665636164571966e-2) *
                r +
            1.48103976427480074590e-1) *
               r +
           6.89767334985100004550e-1) *
              r +
          1.67638483018380384940e0) *
             r +
         2.05319162663775882187e0) *
            r +
        1.0;
    x = top / bottom;
  } else {
    r = r - 5.0;
    const double top =
        ((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 1.24266094738807843860e-3) *
                r +
            2.65321895265761230930e-2) *
               r +
           2.96560571828504891230e-1) *
              r +
          1.78482653991729133580e0) *
             r +
         5.46378491116411436990e0) *
            r +
        6.65790464350110377720e0;
    const double bottom =
        ((((((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r + 1.84631831751005468180e-5) *
                r +
            7.86869131145613259100e-4) *
               r +
           1.48753612908506148525e-2) *
              r +
          1.36929880922735805310e-1) *
             r +
         5.99832206555887937690e-1) *
            r +
        1.0;
    x = top / bottom;
  }
  return q < 0.0 ? -x : x;
}

// The noise of one latent element at absolute coordinates. 52 random bits, so |noise| <= 8.3.
RUSHES_HOST_DEVICE inline float gaussian_at(PhiloxKey key, std::uint32_t channel, std::uint32_t t,
                                            std::uint32_t y, std::uint32_t x) {
  const PhiloxBlock block = philox4x32_10({{channel, t, y, x}}, key);
  const std::uint64_t bits = (std::uint64_t{block.word[0]} << 20) | (block.word[1] >> 12);
  const double p = (static_cast<double>(bits) + 0.5) * 0x1p-52;  // exact, symmetric about 1/2, never 0 or 1
  return static_cast<float>(inverse_normal(p));
}

// Absolute coordinates: channel, frame, row, column.
using NoisePlace = std::array<std::uint32_t, 4>;
// A box of latents: its first element and its size.
struct NoiseBox {
  NoisePlace first{};
  std::array<std::uint32_t, 4> size{};
};
// Writes the noise of a box to `out`, row-major [C, T, H, W].
void fill_noise(const NoiseSource& source, const NoiseBox& box, float* out);

}  // namespace rushes::kernels
