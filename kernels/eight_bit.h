// Attention in 8 bits: what is rounded how, where the numbers lie, and both in plain code, which judges the GPU's.
//
// The scheme of SageAttention2 (Zhang et al., arXiv 2411.10958, "8b"): q and k in int8, the weights p and v in e4m3 (OCP
// 8-bit Floating Point Specification, 1.0).
//
//   mean[c]    = sum of k[j, c] over all keys / Lk: the softmax of a row does not change when its scores change alike, so
//                the same vector may be taken from every key. Channels with a bias, which are what ruins int8 keys, lose it.
//   q_scale[i] = max |q[i, :]| / 127;    q8 = round(q / q_scale).         A scale for each query.
//   k_scale[g] = max |k - mean| / 127;   k8 = round((k - mean) / k_scale). A scale for each kKeyGroup neighbouring keys.
//   v_scale[c] = max |v[:, c]| / 448;    v8 = e4m3(v / v_scale).           A scale for each channel.
//   s[i, j]    = (q8 . k8, exact in int32) k_scale[g] (q_scale[i] scale log2(e))
//   y[i, c]    = v_scale[c] (sum of e4m3(2^8 p[i, j]) v8[j, c]) / (sum of 2^8 p[i, j]),  p = 2^(s - max so far)
//
// Never one scale for a whole tensor in fp8: that is what fails for video (SageAttention2, table 2). 2^8 puts weights
// where e4m3 has all of its bits (arXiv 2606.06521). Rounding is to nearest, ties to even; "/ scale" is a product with
// 1 / scale. A group whose largest magnitude is below kSmallest counts as zeros, with scale 1; NaN makes its scale NaN,
// and so the results that depend on it.
//
// How near it comes: e4m3 has three bits behind the point, an error of 2.5e-2 (root mean square) of each weight and value.
// Where the values of many keys have a common part, as in trained models, the errors average out; of noise alone they are
// 2.5e-2 to 4e-2 of what an average leaves, whatever the kernel.
//
// Order of sums: keys fall into chunks of kChunkKeys; in a chunk, keys j = r mod kChunkRows are added up for each r, then
// the kChunkRows sums; then the chunks' sums, all ascending, in fp32.
//
// Layout, dense and row-major, B batch entries:
//   q8 [B, Lq, heads, width], k8 [B, Lk, heads, width] int8; q_scale [B, heads, Lq] f32, with scale log2(e);
//   k_scale [B, heads, P / kKeyGroup] f32; v8 [B, heads, width, P] e4m3; v_scale [B, heads, width] f32.
// P is Lk rounded up to kKeyPadding. Behind Lk: v8 is zero, k_scale 1. v8 has channels as rows because fp8 products of
// Hopper read both operands along the sum; within each 16 keys, place value_place(j) holds key j: then a thread's scores
// are its operand of p v without an exchange between threads (mma.m16n8k32, wgmma.m64nNk32: operand A's registers).
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <vector>

namespace rushes::kernels {

struct KeyTilePlan;  // backend.h

inline constexpr int kKeyGroup = 16;
inline constexpr int kKeyPadding = 128;
inline constexpr int kChunkKeys = 256, kChunkRows = 16;
inline constexpr float kLargestInt8 = 127.0f, kLargestE4m3 = 448.0f, kSmallest = 1e-30f;
inline constexpr float kWeightBits = 8.0f;  // weights are scaled by 2^8
inline constexpr float kLog2E = 1.4426950408889634f;

constexpr int padded_keys(int keys) { return (keys + kKeyPadding - 1) / kKeyPadding * kKeyPadding; }
constexpr int value_place(int key) { return key / 16 * 16 + key % 8 / 2 * 4 + key % 16 / 8 * 2 + key % 2; }

struct EightBitShape {
  int batch = 1, heads = 1, lq = 0, lk = 0, width = 0;
  float scale = 1.0f;
};
struct EightBitOperands {
  std::vector<std::int8_t> q, k;
  std::vector<float> q_scale, k_scale;
  std::vector<std::uint8_t> v;
  std::vector<float> v_scale;
};

// q [B, Lq, heads, width], k and v [B, Lk, heads, width], bf16. Bit for bit what the kernels of kernels/cuda/quantise.h
// write.
EightBitOperands quantise(const EightBitShape& shape, const std::uint16_t* q, const std::uint16_t* k,
                          const std::uint16_t* v);

// Attention over the rounded operands, y [B, Lq, heads, width]: in double, weights not rounded. What a kernel differs by
// is its own arithmetic and its weights' rounding. `plan`: null for all keys.
std::vector<float> attend(const EightBitShape& shape, const EightBitOperands& operands,
                          const KeyTilePlan* plan);

}  // namespace rushes::kernels
