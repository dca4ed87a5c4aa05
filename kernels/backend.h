// The operations that a video diffusion model needs, for any device.
//
// A Backend is one device with one queue. Operations are queued in the order of the calls and run in that
// order; a CPU backend runs each at once. Only `download`, `synchronize` and `pace` wait. Outputs are tensors that
// the caller made with `empty`; an operation never allocates what it returns. An output may alias an input
// only where the text says "in place". Memory comes from the backend's pool: a tensor that goes out of scope
// is reused by later operations, never while an earlier one may still read it. `memory().peak_bytes` after
// one dry step is the workspace of all later ones; `reserve` asks for it beforehand, so that a run fails
// before it starts and not in the middle.
//
// Dtypes: "float" below is kF32 or `operand_dtype()`. The residual stream, norms' parameters, modulation and
// the head are always kF32. A tensor that only feeds linear, conv3d or attention is best made with
// operand_dtype(). kF8E4M3 is a tensor of rows [R, C] with a scale for each (kernels/eight_bit_rows.h): the two layer
// norms write it, linear with weights in 8 bits reads it, always whole; only backends whose in_8_bits() gives weights
// make it. Layouts: tokens are [rows, channels]; video features are channels last, [T, H, W, C] (time
// first, no batch).
//
// Errors: wrong shapes, dtypes or foreign tensors are broken assumptions of the caller and throw
// std::invalid_argument with the operation and the shapes; exhausted memory throws std::bad_alloc. The caller
// that faces a thread or a wire turns them into values.
//
// Numbers: reductions have a fixed order, so that a result depends only on inputs and numeric_class(), never
// on the number of threads. Sources: Wan2.1 wan/modules/{model,vae,t5,attention}.py, Wan2.2
// wan/modules/{model,vae2_2}.py.
//
// Thread contract: one thread at a time uses a backend and its tensors.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/philox.h"
#include "kernels/tensor.h"

namespace rushes::kernels {

// kBf16: operands of linear, conv3d and attention are rounded to bf16, products accumulated in fp32; all else
// is fp32.
enum class Precision : std::uint8_t { kF32, kBf16 };

// kGeluTanh: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). kGeluErf: x/2 (1 + erf(x/sqrt(2))). kSilu: x/(1 +
// e^-x).
enum class Activation : std::uint8_t { kNone, kSilu, kGeluTanh, kGeluErf };

// Weights in the backend's own layout and dtype. Made once per load, shared, immutable, usable on any later
// call.
class Linear {
 public:
  virtual ~Linear() = default;
  std::int64_t in_features = 0;   // K
  std::int64_t out_features = 0;  // N
  bool eight_bit = false;         // made by Backend::in_8_bits()
};
class Conv3d {
 public:
  virtual ~Conv3d() = default;
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t kernel_t = 0, kernel_h = 0, kernel_w = 0;
  std::int64_t stride_t = 1, stride_h = 1, stride_w = 1;
};
using LinearPtr = std::shared_ptr<const Linear>;
using Conv3dPtr = std::shared_ptr<const Conv3d>;

struct Strides {
  std::int64_t t = 1, h = 1, w = 1;
};

// Zeros around the input, in input positions. Causal convolutions have kernel_t - 1 frames in front and none
// behind.
struct Padding {
  std::int64_t front = 0;  // frames before the first; nothing is ever padded behind the last
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
};

// Which key tiles each query tile attends to: per (head, query tile) an ascending list without repeats, at
// least one entry. Query tile i holds queries [i * query_tile, (i + 1) * query_tile), key tiles likewise;
// last tiles are ragged.
struct KeyTilePlan {
  std::int64_t heads = 0;
  std::int64_t query_length = 0, key_length = 0;
  std::int64_t query_tile = 128, key_tile = 128;  // multiples of 16, at most 256
  std::vector<std::int32_t> first;                // [heads * query_tiles + 1], offsets into `tile`
  std::vector<std::int32_t> tile;                 // key tile indices
};
// A plan in the device's form; made once per geometry, like weights.
class KeyTiles {
 public:
  virtual ~KeyTiles() = default;
};
using KeyTilesPtr = std::shared_ptr<const KeyTiles>;

struct AttentionOptions {
  float scale = 1.0f;     // multiplies q.k: 1/sqrt(D) in the DiT and the VAE, 1 in UMT5
  KeyTilesPtr key_tiles;  // null: every query attends to every key (dense)
  // Additive bias by relative position: kF32 [heads, Lq + Lk - 1]; query i and key j take entry j - i + Lq
  // - 1. Optional.
  Tensor relative_bias;
  // kI32 [B, Lk]; key j takes part where the entry is not 0; at least one must. Optional; not with key_tiles.
  Tensor key_mask;
  // False: not in 8 bits, whatever the backend was asked for: a layer that they ruin (kernels/eight_bit_gate.h).
  bool eight_bit = true;
};

// Rows of parameters for a norm or a gate: each tensor is kF32 [G, C]. G = 1: one row for all tokens; G = R:
// one per token; otherwise `group` (kI32 [R], values in [0, G)) says which row a token takes.
struct Modulation {
  Tensor shift;  // optional
  Tensor scale;  // optional
  Tensor group;  // optional, see above
};

// One term of a sum of tensors.
struct Term {
  float factor = 1.0f;
  Tensor x;
};
inline constexpr std::size_t kMostTerms = 4;

// A pass that a device has been told once and runs again: what its parts queued, and the memory of the tensors that they
// made. Used with its backend alone; without it that memory is free again.
class Recording {
 public:
  virtual ~Recording() = default;
};
using RecordingPtr = std::unique_ptr<Recording>;
using PassParts = std::vector<std::function<void()>>;

struct Memory {
  std::size_t in_use_bytes = 0;  // held by tensors, prepared weights and recordings
  std::size_t peak_bytes = 0;    // the most that was ever in use
  std::size_t pooled_bytes = 0;  // taken from the device, in use or waiting for reuse
};

class Backend {
 public:
  virtual ~Backend() = default;

  // What decides the bits of a result, for example "reference-f64", "cpu-avx512-f32", "cpu-avx512bf16-bf16",
  // "cpu-avx2-f32": results are equal bit for bit between two backends that give the same class.
  virtual std::string numeric_class() const = 0;
  // What a class stands for beyond its words, for people: "cuBLASLt 13.1.0, cuDNN 9.19.0, 132 multiprocessors". Empty:
  // nothing.
  virtual std::string class_text() const { return ""; }
  virtual Precision precision() const = 0;
  virtual DType operand_dtype() const = 0;

  // ---- memory and transfer
  virtual Tensor empty(DType dtype, Shape shape) = 0;  // kF32, kBf16, kI32 or kF8E4M3; contents undefined
  // kF16 and kF8E4M3 arrive as kF32, other dtypes as they are.
  virtual Tensor upload(const HostTensor& host) = 0;
  // Waits, then writes x.elements() elements to `out`: floats for float tensors (bf16 widened), int32 for
  // kI32.
  virtual void download(const Tensor& x, void* out) = 0;
  virtual void synchronize() = 0;
  // Waits until what was queued before the last call has run. Who calls it after each piece of work stays one piece
  // ahead of the device: the device has always work, and the caller hears of its progress.
  virtual void pace() = 0;
  virtual void reserve(std::size_t bytes) = 0;  // makes the pool at least this large
  virtual Memory memory() const = 0;

  // ---- a pass that is repeated
  // Null where a device gains nothing by it.
  virtual RecordingPtr make_recording() { return nullptr; }
  // Runs the parts in order. `go_on` (may be empty) is asked before each; when it says no, the pass ends there and the
  // result is false. With a `recording` (may be null) the parts of the first pass run as they are, those of the second
  // are recorded, and from then on the record runs in their place. So every pass with one recording has the same
  // operations on the same tensors; parts do not transfer or wait; what they make for each other is theirs, what they
  // read or write beside it outlives the recording; and a pass that ended early can be run again from its first part.
  virtual bool run_pass(Recording* /*recording*/, const PassParts& parts,
                        const std::function<bool()>& go_on) {
    for (const auto& part : parts) {
      if (go_on && !go_on()) return false;
      part();
    }
    return true;
  }

  // ---- once per load
  // weight [N, K] (PyTorch's Linear), bias [N] or empty. `precision` overrides the backend's for this layer:
  // the time MLP and the head stay kF32.
  virtual LinearPtr prepare_linear(const HostTensor& weight, const HostTensor& bias,
                                   std::optional<Precision> precision = std::nullopt) = 0;
  // weight [Cout, Cin, kt, kh, kw] (or [Cout, Cin, kh, kw]: kt = 1), bias [Cout] or empty; every kernel size
  // >= 1.
  virtual Conv3dPtr prepare_conv3d(const HostTensor& weight, const HostTensor& bias, Strides strides = {},
                                   std::optional<Precision> precision = std::nullopt) = 0;
  // The layer over operands of 8 bits (kernels/eight_bit_rows.h), rounded on the device from `weights`, which this backend
  // or one of the same device has prepared. Null: this backend computes none, or not of these sizes.
  virtual LinearPtr in_8_bits(const Linear& /*weights*/) { return nullptr; }
  virtual KeyTilesPtr prepare_key_tiles(const KeyTilePlan& plan) = 0;

  // ---- matrix products
  // y[r, n] = act(sum_k x[r, k] w[n, k] + bias[n]). x float [R, K], y float [R, N]. With weights in 8 bits x is rounded
  // by rows, or is kF8E4M3.
  virtual void linear(const Tensor& x, const Linear& weights, const Tensor& y,
                      Activation act = Activation::kNone) = 0;
  // y = conv(x) + bias, correlation as in PyTorch. x float [T, H, W, Cin]; y float [T', H', W', Cout] with
  // T' = (front + T - kt) / stride_t + 1, H' = (top + H + bottom - kh) / stride_h + 1, W' likewise.
  // `residual` (optional, float, y's shape) is added to the result; it may be y itself.
  virtual void conv3d(const Tensor& x, const Conv3d& weights, const Padding& padding, const Tensor& y,
                      const Tensor& residual = {}) = 0;
  // y = softmax(scale q k^T + bias) v per batch entry and head. q, y float [B, Lq, heads, D]; k, v float
  // [B, Lk, heads, D]; D any (32, 64 and 128 have fast paths; the VAE has one head of width C, B = frames).
  virtual void attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& y,
                         const AttentionOptions& options) = 0;

  // ---- norms and what follows them: over the last dimension, rows = everything before it
  // y = LN(x) [* weight + bias] [* (1 + scale) + shift], LN(x) = (x - mean) / sqrt(var + eps), biased variance.
  // x kF32 [R, C], y float or kF8E4M3 [R, C]; weight, bias kF32 [C] or both empty; modulation kF32 (optional).
  virtual void layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const Modulation& modulation, float eps, const Tensor& y) = 0;
  // add_gated(x, update, gate, modulation.group), then layer_norm(x, ...) into y: what stands between two layers of a
  // transformer, in one pass over x. The bits of x and y are those of the two. y is another tensor than x and update.
  virtual void add_gated_layer_norm(const Tensor& x, const Tensor& update, const Tensor& gate,
                                    const Tensor& weight, const Tensor& bias, const Modulation& modulation,
                                    float eps, const Tensor& y) = 0;
  // y = x / sqrt(mean(x^2) + eps) * weight. x, y float [R, C] (in place allowed), weight kF32 [C].
  virtual void rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& y) = 0;
  // RMS norm over all heads together, then rotation of interleaved pairs: for pair p of a head,
  // (a, b) -> (a cos - b sin, a sin + b cos). x, y float [B, L, heads, D] (in place allowed), weight kF32
  // [heads * D], table kF32 [L, D/2, 2] = (cos, sin), computed in fp64 on the host.
  virtual void rms_norm_rope(const Tensor& x, const Tensor& weight, float eps, const Tensor& table,
                             const Tensor& y) = 0;
  // The VAE's norm: y = act(x / max(||x||_2, 1e-12) * sqrt(C) * gamma). x, y float [..., C] (in place
  // allowed), gamma kF32 [C]; act kNone or kSilu.
  virtual void channel_norm(const Tensor& x, const Tensor& gamma, Activation act, const Tensor& y) = 0;

  // ---- elementwise: in place allowed everywhere
  // x += gate * y, x kF32 [R, C], y float [R, C], gate kF32 [G, C] or empty (1), group as in Modulation.
  virtual void add_gated(const Tensor& x, const Tensor& y, const Tensor& gate, const Tensor& group = {}) = 0;
  virtual void activate(const Tensor& x, Activation act, const Tensor& y) = 0;
  // y = a * gelu_tanh(gate): UMT5's gated feed-forward. Float, equal shapes.
  virtual void gelu_gate(const Tensor& gate, const Tensor& a, const Tensor& y) = 0;
  // out = ((f0 x0 + f1 x1) + f2 x2) + f3 x3, one to kMostTerms terms. Float, equal shapes. In fp32, every product
  // and every sum rounded by itself: equal inputs give equal bits on every backend. `out` may be any of the x.
  virtual void combine(const std::vector<Term>& terms, const Tensor& out) = 0;
  // y[r, c] = x[r, c] * scale[c] + shift[c]; either may be empty. x, y float [..., C], scale, shift kF32 [C].
  virtual void channel_affine(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& y) = 0;
  virtual void clamp(const Tensor& x, float low, float high, const Tensor& y) = 0;

  // ---- movement
  virtual void fill(const Tensor& x, float value) = 0;
  // x[c, t, h, w] = the noise of frames[t] at the absolute coordinates first + (c, t, h, w), kernels/philox.h: equal bits
  // on every backend. x kF32 [C, T, H, W]; `frames` has T sources.
  virtual void fill_noise(const Tensor& x, const std::vector<NoiseSource>& frames,
                          const NoisePlace& first) = 0;
  // Copies a box of `extent` elements from `source` at `source_start` to `target` at `target_start` (one
  // entry per dimension, equal ranks), converting between float dtypes: concatenation, slices, padding,
  // casts.
  virtual void copy_box(const Tensor& source, const Shape& source_start, const Tensor& target,
                        const Shape& target_start, const Shape& extent) = 0;
  // Dimension i of y is dimension order[i] of x; rank <= 8, any dtype, x and y of one dtype. See
  // kernels/layout.h for patchify, unpatchify, channels first <-> last and time interleave as permutations of
  // a reshaped view.
  virtual void permute(const Tensor& x, const std::vector<int>& order, const Tensor& y) = 0;
  // y[t, h, w, c] = x[t, h/2, w/2, c]. x float [T, H, W, C], y [T, 2H, 2W, C]. (nearest-exact equals nearest
  // at x2)
  virtual void upsample_nearest_2x(const Tensor& x, const Tensor& y) = 0;
  // y[i] = mean of x[i, 0..g). x float [..., g], y float of x's shape without the last dimension. (VAE 2.2
  // AvgDown3D)
  virtual void group_mean(const Tensor& x, const Tensor& y) = 0;
  // y[i, 0..g) = x[i]. x float [...], y float [..., g]. (VAE 2.2 DupUp3D)
  virtual void group_repeat(const Tensor& x, const Tensor& y) = 0;
  // y[r] = table[index[r]]. table kF32 or kBf16 [V, C], index kI32 [R] in [0, V), y float [R, C].
  virtual void gather_rows(const Tensor& table, const Tensor& index, const Tensor& y) = 0;
};

// Every operation plainly, sums in double, tensors in fp32: the judge in tests. Scalar and single-threaded.
// kBf16 rounds the operands of linear, conv3d and attention, nothing else.
std::unique_ptr<Backend> make_reference_backend(Precision precision = Precision::kF32);

struct CpuOptions {
  int threads = 0;  // 0: as many as this process may use
  Precision precision = Precision::kF32;
};
std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options = {});

}  // namespace rushes::kernels
