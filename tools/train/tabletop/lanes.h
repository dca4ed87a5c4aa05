// Sixteen floats at a time from float or bfloat16 memory, for rows of channels. Plain vector extensions of GCC, and
// masked instructions for rows that are no multiple of sixteen where the processor has them.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
#endif

namespace lanes {

constexpr int kLanes = 16;
using Floats = float __attribute__((vector_size(64)));
using Ints = std::int32_t __attribute__((vector_size(64)));
using Halves = std::uint16_t __attribute__((vector_size(32)));

inline Floats widened(Halves x) {
#if defined(__AVX512F__)  // GCC takes halves of the lanes one after the other
  return reinterpret_cast<Floats>(_mm512_slli_epi32(_mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(x)), 16));
#else
  return reinterpret_cast<Floats>(__builtin_convertvector(x, Ints) << 16);
#endif
}

inline Halves narrowed(Floats x) {  // to nearest, ties to even
#if defined(__AVX512BF16__) && defined(__AVX512VL__)
  return (Halves)_mm512_cvtneps_pbh(reinterpret_cast<__m512>(x));
#else
  const Ints bits = reinterpret_cast<Ints>(x);
  return __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, Halves);
#endif
}

// The first `count` values, at most sixteen, and zeros.
#if defined(__AVX512BW__) && defined(__AVX512VL__)
inline __mmask16 first(long count) {
  return static_cast<__mmask16>(count >= kLanes ? 0xffff : (1 << count) - 1);
}
inline Floats load(const float* from, long count) {
  return reinterpret_cast<Floats>(_mm512_maskz_loadu_ps(first(count), from));
}
inline Floats load(const std::uint16_t* from, long count) {
  return widened(reinterpret_cast<Halves>(_mm256_maskz_loadu_epi16(first(count), from)));
}
inline void store(Floats x, float* to, long count) {
  _mm512_mask_storeu_ps(to, first(count), reinterpret_cast<__m512>(x));
}
inline void store(Floats x, std::uint16_t* to, long count) {
  _mm256_mask_storeu_epi16(to, first(count), reinterpret_cast<__m256i>(narrowed(x)));
}
#else
inline long first(long count) { return count >= kLanes ? kLanes : count > 0 ? count : 0; }
inline Floats load(const float* from, long count) {
  Floats x = {};
  std::memcpy(&x, from, first(count) * 4);
  return x;
}
inline Floats load(const std::uint16_t* from, long count) {
  Halves x = {};
  std::memcpy(&x, from, first(count) * 2);
  return widened(x);
}
inline void store(Floats x, float* to, long count) { std::memcpy(to, &x, first(count) * 4); }
inline void store(Floats x, std::uint16_t* to, long count) {
  const Halves halves = narrowed(x);
  std::memcpy(to, &halves, first(count) * 2);
}
#endif

inline float sum(Floats x) {
  x += __builtin_shuffle(x, Ints{8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7});
  x += __builtin_shuffle(x, Ints{4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11});
  x += __builtin_shuffle(x, Ints{2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13});
  x += __builtin_shuffle(x, Ints{1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14});
  return x[0];
}

// 1 / (1 + exp(-x)), to about 2e-7: 2^y from its series around the nearest integer.
inline Floats sigmoid(Floats x) {
  Floats y = x * -1.44269504f;
  y = y < -120.0f ? Floats{} - 120.0f : y;
  y = y > 120.0f ? Floats{} + 120.0f : y;
  const Ints whole = __builtin_convertvector(y + 128.5f, Ints) - 128;
  const Floats f = y - __builtin_convertvector(whole, Floats);
  Floats power = f * 1.5403530e-4f + 1.3333558e-3f;
  power = power * f + 9.6181291e-3f;
  power = power * f + 5.5504109e-2f;
  power = power * f + 2.4022651e-1f;
  power = power * f + 6.9314718e-1f;
  power = power * f + 1.0f;
  return 1.0f / (1.0f + power * reinterpret_cast<Floats>((whole + 127) << 23));
}

// The same for values of T: to 1e-4 where T is bfloat16, whose steps are 4e-3.
template <class T>
inline Floats sigmoid_of(Floats x) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 2) {
    Floats y = x * -1.44269504f;
    y = y > 120.0f ? Floats{} + 120.0f : y;
    const auto whole = reinterpret_cast<Floats>(_mm512_roundscale_ps(reinterpret_cast<__m512>(y), 0));
    const Floats f = y - whole;
    const Floats power = ((f * 0.05517166f + 0.24261112f) * f + 0.69326099f) * f + 0.99992807f;
    const __m512 scaled = _mm512_scalef_ps(reinterpret_cast<__m512>(power), reinterpret_cast<__m512>(whole));
    return reinterpret_cast<Floats>(_mm512_rcp14_ps(_mm512_add_ps(scaled, _mm512_set1_ps(1.0f))));
  }
#endif
  return sigmoid(x);
}

}  // namespace lanes
