// Products of bfloat16 tiles for conv.cpp: 16 rows of 32 values times 32 by 16 values, summed in float. With AMX
// where compiler, processor and kernel have it, else with AVX-512 BF16.
#pragma once

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace tiles {

using bf16 = std::uint16_t;

constexpr long kRows = 16, kDepth = 32, kColumns = 16;
constexpr long kTile =
    kDepth * kColumns;  // values of a right tile: 16 rows of 16 pairs, pairs along the depth
constexpr long kSums = kRows * kColumns;  // values of a tile of sums

inline long rounded(long value, long step) { return (value + step - 1) / step * step; }

// Memory that stays from call to call: its pages are not asked for and cleared every time.
template <class T>
class Scratch {
 public:
  T* get(long count) {
    if (const auto wanted = static_cast<std::size_t>(count + kAligned); store_.size() < wanted) {
      store_.clear();
      store_.resize(wanted + wanted / 4);
    }
    const auto address = reinterpret_cast<std::uintptr_t>(store_.data());
    return reinterpret_cast<T*>((address + 63) / 64 * 64);
  }

 private:
  static constexpr long kAligned = 64 / sizeof(T);
  std::vector<T> store_;
};

// Where the tiles of a step along the depth are.
struct Step {
  long left, right;
};

// A product of `count` tiles along the depth. Row r of left tile i at a step starts at left[i] + r * left_row +
// step.left, right tile j at right[j] + step.right; sums of (i, j) are at sums[i][j].
struct Product {
  const bf16* left[2];
  long left_row;
  const bf16* right[2];
  const Step* steps;
  long count;
  float* sums[2][2];
  bool adds;  // to what is in `sums`, instead of starting from zero
};

#if defined(__AMX_BF16__) && defined(__AMX_TILE__)

// Asks the kernel, for all threads of this process and the processes that it forks.
inline bool amx_allowed() {
  constexpr long kAskPermission = 0x1023, kTileData = 18;
  static const bool allowed = syscall(SYS_arch_prctl, kAskPermission, kTileData) == 0;
  return allowed;
}

// GCC does not know what tile instructions read: what was written before lies in memory after this.
inline void settle(const void* what) { asm volatile("" ::"r"(what) : "memory"); }

// All eight tiles have 16 rows of 64 bytes as long as this lives.
class Session {
 public:
  Session() {
    if (!amx_allowed()) return;
    alignas(64) std::uint8_t config[64] = {};
    config[0] = 1;
    for (int tile = 0; tile < 8; ++tile) config[16 + 2 * tile] = 64, config[48 + tile] = 16;
    settle(config);
    _tile_loadconfig(config);
  }
  ~Session() {
    if (amx_allowed()) _tile_release();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};

// Tiles 0 to 3 are sums, 4 and 5 left, 6 and 7 right.
template <int I, int J>
void multiply_amx(const Product& p) {
  settle(&p);
  if (p.adds) {
    _tile_loadd(0, p.sums[0][0], 64);
    if constexpr (J > 1) _tile_loadd(1, p.sums[0][1], 64);
    if constexpr (I > 1) _tile_loadd(2, p.sums[1][0], 64);
    if constexpr (I > 1 && J > 1) _tile_loadd(3, p.sums[1][1], 64);
  } else {
    _tile_zero(0);
    if constexpr (J > 1) _tile_zero(1);
    if constexpr (I > 1) _tile_zero(2);
    if constexpr (I > 1 && J > 1) _tile_zero(3);
  }
  const long row = p.left_row * 2;
  for (const Step *step = p.steps, *end = step + p.count; step != end; ++step) {
    _tile_loadd(6, p.right[0] + step->right, 64);
    _tile_loadd(4, p.left[0] + step->left, row);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (J > 1) {
      _tile_loadd(7, p.right[1] + step->right, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (I > 1) {
      _tile_loadd(5, p.left[1] + step->left, row);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (I > 1 && J > 1) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, p.sums[0][0], 64);
  if constexpr (J > 1) _tile_stored(1, p.sums[0][1], 64);
  if constexpr (I > 1) _tile_stored(2, p.sums[1][0], 64);
  if constexpr (I > 1 && J > 1) _tile_stored(3, p.sums[1][1], 64);
}

#else

inline bool amx_allowed() { return false; }
struct Session {};
template <int I, int J>
void multiply_amx(const Product&) {}

#endif

#if defined(__AVX512BF16__)

inline bool vectors_allowed() { return true; }

// Eight rows of one left tile with J right tiles at a time: their sums fill half of the registers.
template <int J>
void multiply_rows(const Product& p, int i, int first) {
  __m512 sums[8][J];
  for (int r = 0; r < 8; ++r)
    for (int j = 0; j < J; ++j)
      sums[r][j] = p.adds ? _mm512_loadu_ps(p.sums[i][j] + (first + r) * kColumns) : _mm512_setzero_ps();
  for (const Step *step = p.steps, *end = step + p.count; step != end; ++step) {
    const bf16* left = p.left[i] + first * p.left_row + step->left;
    for (int pair = 0; pair < 16; ++pair) {
      __m512bh right[J];
      for (int j = 0; j < J; ++j)
        right[j] = (__m512bh)_mm512_loadu_si512(p.right[j] + step->right + pair * 32);
      for (int r = 0; r < 8; ++r) {
        int both;
        std::memcpy(&both, left + r * p.left_row + 2 * pair, 4);
        for (int j = 0; j < J; ++j)
          sums[r][j] = _mm512_dpbf16_ps(sums[r][j], (__m512bh)_mm512_set1_epi32(both), right[j]);
      }
    }
  }
  for (int r = 0; r < 8; ++r)
    for (int j = 0; j < J; ++j) _mm512_storeu_ps(p.sums[i][j] + (first + r) * kColumns, sums[r][j]);
}

template <int I, int J>
void multiply_vectors(const Product& p) {
  for (int i = 0; i < I; ++i)
    for (int first = 0; first < 16; first += 8) multiply_rows<J>(p, i, first);
}

#else

inline bool vectors_allowed() { return false; }
template <int I, int J>
void multiply_vectors(const Product&) {}

#endif

inline bool& without_amx() {  // for checks of the other form
  static bool chosen = false;
  return chosen;
}

template <int I, int J>
void multiply(const Product& p) {
  if (amx_allowed() && !without_amx()) {
    multiply_amx<I, J>(p);
  } else {
    multiply_vectors<I, J>(p);
  }
}

// The same for 1 or 2 left and right tiles.
inline void multiply(const Product& p, long left_tiles, long right_tiles) {
  if (left_tiles > 1) {
    right_tiles > 1 ? multiply<2, 2>(p) : multiply<2, 1>(p);
  } else {
    right_tiles > 1 ? multiply<1, 2>(p) : multiply<1, 1>(p);
  }
}

#if defined(__AVX512F__)

// A row of a right tile.
inline __m512i pairs(__m256i even, __m256i odd) {
  return _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
}

// 16 rows of 16 values, `from_row` apart, become columns.
inline void transpose(const bf16* from, long from_row, bf16* to, long to_row) {
  __m256i a[16], b[16];
  for (int i = 0; i < 16; ++i)
    a[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i * from_row));
  for (int i = 0; i < 8; ++i) {
    b[2 * i] = _mm256_unpacklo_epi16(a[2 * i], a[2 * i + 1]);
    b[2 * i + 1] = _mm256_unpackhi_epi16(a[2 * i], a[2 * i + 1]);
  }
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 2; ++j) {
      a[4 * i + 2 * j] = _mm256_unpacklo_epi32(b[4 * i + j], b[4 * i + j + 2]);
      a[4 * i + 2 * j + 1] = _mm256_unpackhi_epi32(b[4 * i + j], b[4 * i + j + 2]);
    }
  }
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 4; ++j) {
      b[8 * i + 2 * j] = _mm256_unpacklo_epi64(a[8 * i + j], a[8 * i + j + 4]);
      b[8 * i + 2 * j + 1] = _mm256_unpackhi_epi64(a[8 * i + j], a[8 * i + j + 4]);
    }
  }
  for (int j = 0; j < 8; ++j) {
    const __m256i low = _mm256_permute2x128_si256(b[j], b[8 + j], 0x20);
    const __m256i high = _mm256_permute2x128_si256(b[j], b[8 + j], 0x31);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + j * to_row), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + (8 + j) * to_row), high);
  }
}

// 16 rows of 16 floats become columns.
inline void transpose(__m512 (&a)[16]) {
  __m512 b[16];
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
  const auto low = [](__m512 x, __m512 y) {
    return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)));
  };
  const auto high = [](__m512 x, __m512 y) {
    return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)));
  };
  for (int i = 0; i < 16; i += 4) {
    a[i] = low(b[i], b[i + 2]), a[i + 1] = high(b[i], b[i + 2]);
    a[i + 2] = low(b[i + 1], b[i + 3]), a[i + 3] = high(b[i + 1], b[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {  // quarter q of a[4 r + i] holds rows 4 r.. of column 4 q + i
    const __m512 x = _mm512_shuffle_f32x4(a[i], a[4 + i], 0x44),
                 y = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0x44);
    const __m512 z = _mm512_shuffle_f32x4(a[i], a[4 + i], 0xee),
                 w = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0xee);
    b[i] = _mm512_shuffle_f32x4(x, y, 0x88), b[4 + i] = _mm512_shuffle_f32x4(x, y, 0xdd);
    b[8 + i] = _mm512_shuffle_f32x4(z, w, 0x88), b[12 + i] = _mm512_shuffle_f32x4(z, w, 0xdd);
  }
  for (int i = 0; i < 16; ++i) a[i] = b[i];
}

#endif

}  // namespace tiles
