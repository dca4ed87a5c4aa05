// The CUDA backend: bf16 or fp32 operands, sums in fp32, on an NVIDIA GPU of compute capability 8.0 or higher.
//
// linear is cuBLASLt's (with CudaOptions::eight_bit over rows in e4m3 too, where the library has a scale for each row:
// compute capability 9.0), conv3d cuDNN's; attention of heads of 64 and 128 in bf16 is a kernel of ours or cuDNN's, any
// other one two products around a softmax. With CudaOptions::eight_bit attention of kFewestKeys8 keys or more is
// computed in 8 bits (kernels/eight_bit.h) where its kernels take it: by shapes and options alone, so that a result still
// depends on inputs and numeric_class() alone. cuda_backend.cpp: memory and weights; cuda_matrix.cpp: linear, conv3d,
// attention;
// cuda_rows.cpp: the rest. After a first run of the same operations nothing here takes memory from the device or waits,
// but upload (where the pinned memory is full), download and synchronize.
//
// Where another backend refuses an index or group outside its table, or a mask without any key, this one gives NaN:
// the values lie on the device.
//
// Thread contract: as Backend. Tensors keep their device open, so they may outlive their backend.
#pragma once

#include <optional>

#include "kernels/backend.h"
#include "kernels/cuda/convolutions.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/workspace.h"

namespace rushes::kernels::cuda {

struct CudaLinear;
struct Product;

struct CudaOptions {
  int device = 0;
  Precision precision = Precision::kBf16;
  std::size_t score_bytes = std::size_t{256} << 20;  // of attention that is composed, about
  std::size_t linear_bytes = std::size_t{64} << 20;  // about, of a product in 8 bits
  bool library_attention = false;                    // cuDNN's where it takes the shape (library_attention.h)
  // Attention in 8 bits, and weights that in_8_bits() makes; with bf16 operands. A numeric class of its own.
  bool eight_bit = false;
  // What its caller computes without 8 bits, in words: a numeric class of its own.
  std::string exceptions = {};
};
// Over fewer keys than this (a text's, say) rounding q, k and v to 8 bits costs as much as it saves. Reckoned from bytes
// moved and operations, not measured.
inline constexpr int kFewestKeys8 = 1024;

// Throws DeviceFault where CudaDevice::why_not() says so, or where cuDNN computes wrongly; std::bad_alloc.
std::unique_ptr<Backend> make_cuda_backend(DeviceApi* api, const CudaOptions& options);

class CudaBuffer final : public Buffer {
 public:
  CudaBuffer(std::shared_ptr<CudaDevice> device, std::size_t bytes)
      : Buffer(bytes), device_(std::move(device)), range_(*device_, bytes) {}
  std::byte* data() const { return range_.data(); }
  const CudaDevice* device() const { return device_.get(); }

 private:
  std::shared_ptr<CudaDevice> device_;
  Scratch range_;
};

class CudaBackend final : public Backend {
 public:
  CudaBackend(std::shared_ptr<CudaDevice> device, const CudaOptions& options)
      : device_(std::move(device)), options_(options) {}

  std::string numeric_class() const override;
  std::string class_text() const override;
  Precision precision() const override { return options_.precision; }
  DType operand_dtype() const override {
    return options_.precision == Precision::kBf16 ? DType::kBf16 : DType::kF32;
  }

  Tensor empty(DType dtype, Shape shape) override;
  Tensor upload(const HostTensor& host) override;
  void download(const Tensor& x, void* out) override;
  void synchronize() override;
  void pace() override;
  void reserve(std::size_t bytes) override { device_->arena().reserve(bytes + kMostDnnWorkspace); }
  Memory memory() const override { return device_->arena().memory(); }
  RecordingPtr make_recording() override;
  bool run_pass(Recording* recording, const PassParts& parts, const std::function<bool()>& go_on) override;

  LinearPtr prepare_linear(const HostTensor& weight, const HostTensor& bias,
                           std::optional<Precision> precision) override;
  LinearPtr in_8_bits(const Linear& weights) override;
  Conv3dPtr prepare_conv3d(const HostTensor& weight, const HostTensor& bias, Strides strides,
                           std::optional<Precision> precision) override;
  KeyTilesPtr prepare_key_tiles(const KeyTilePlan& plan) override;

  void linear(const Tensor& x, const Linear& weights, const Tensor& y, Activation act) override;
  void conv3d(const Tensor& x, const Conv3d& weights, const Padding& padding, const Tensor& y,
              const Tensor& residual) override;
  void attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& y,
                 const AttentionOptions& options) override;

  void layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Modulation& modulation,
                  float eps, const Tensor& y) override;
  void add_gated_layer_norm(const Tensor& x, const Tensor& update, const Tensor& gate, const Tensor& weight,
                            const Tensor& bias, const Modulation& modulation, float eps,
                            const Tensor& y) override;
  void rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& y) override;
  void rms_norm_rope(const Tensor& x, const Tensor& weight, float eps, const Tensor& table,
                     const Tensor& y) override;
  void channel_norm(const Tensor& x, const Tensor& gamma, Activation act, const Tensor& y) override;

  void add_gated(const Tensor& x, const Tensor& y, const Tensor& gate, const Tensor& group) override;
  void activate(const Tensor& x, Activation act, const Tensor& y) override;
  void gelu_gate(const Tensor& gate, const Tensor& a, const Tensor& y) override;
  void combine(const std::vector<Term>& terms, const Tensor& out) override;
  void channel_affine(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& y) override;
  void clamp(const Tensor& x, float low, float high, const Tensor& y) override;

  void fill(const Tensor& x, float value) override;
  void fill_noise(const Tensor& x, const std::vector<NoiseSource>& frames, const NoisePlace& first) override;
  void copy_box(const Tensor& source, const Shape& source_start, const Tensor& target,
                const Shape& target_start, const Shape& extent) override;
  void permute(const Tensor& x, const std::vector<int>& order, const Tensor& y) override;
  void upsample_nearest_2x(const Tensor& x, const Tensor& y) override;
  void group_mean(const Tensor& x, const Tensor& y) override;
  void group_repeat(const Tensor& x, const Tensor& y) override;
  void gather_rows(const Tensor& table, const Tensor& index, const Tensor& y) override;

 private:
  struct Operand;  // a tensor as an operation takes it
  struct Tiles;    // KeyTiles on the device

  std::byte* bytes(const Tensor& x) const;  // throws std::invalid_argument for a foreign tensor
  Vector vector(const Tensor& x) const;
  const float* floats(const Tensor& x) const;  // null for an empty one
  RowParameters row_parameters(const Tensor& parameters, const Tensor& group) const;
  Tensor upload_as(const HostTensor& host, Word word);
  struct Codes;  // rows in 8 bits
  Codes codes(const Tensor& x) const;
  void round_to_codes(const Vector& x, std::int64_t rows, std::int64_t cols, const Codes& to);
  void launch_rows_e4m3(RowsE4m3 form, NormArguments arguments, const Codes& to);
  void linear_in_8_bits(const Tensor& x, const CudaLinear& layer, const Tensor& y, Activation act);
  Product product_of(const CudaLinear& layer, std::int64_t rows, const Vector& y, Activation act) const;
  const void* bias_for(const CudaLinear& layer, Word result) const;  // null: none
  bool finishes(const CudaLinear& layer, const Product& product, Activation act);
  void multiply_rows(const CudaLinear& layer, const Vector& x, const float* scale, const Vector& y,
                     std::int64_t rows, Activation act);
  void launch_map(Map map, MapArguments arguments);
  void launch_norm(Norm norm, NormArguments arguments);
  NormArguments layer_norm_arguments(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                     const Modulation& modulation, float eps, const Tensor& y) const;
  // Copies a box of `extent`; steps in elements per dimension, the last one innermost.
  void copy_steps(const Vector& x, const Shape& x_step, const Vector& y, const Shape& y_step,
                  const Shape& extent);
  // A convolution that the library has no engine for: one product per tap and frame, added up in y (fp32); `x` holds
  // its zeros.
  void convolve_by_products(const Convolution& shape, const Vector& x, const Vector& w, const Vector& y);
  // Attention by one kernel, or composed of products and a softmax; operands in the backend's word.
  void attend_by_kernel(const AttentionOptions& options, const Tiles* tiles, const Operand& q,
                        const Operand& k, const Operand& v, const Tensor& y, std::int64_t lk);
  bool attends_in_8_bits(const AttentionOptions& options, const AttentionArguments& a, int width) const;
  void attend_in_8_bits(const AttentionArguments& a, int batch, int width);
  void attend_by_products(const AttentionOptions& options, const Tiles* tiles, const Operand& q,
                          const Operand& k, const Operand& v, const Tensor& y, std::int64_t lk);

  int capability() const { return 10 * device_->info().major + device_->info().minor; }  // 90 for 9.0

  std::shared_ptr<CudaDevice> device_;
  CudaOptions options_;
};

Word word_of(Precision precision);
bool aligned(const void* start);  // to 16 bytes

// A tensor in a word that may not be its own: itself, or a copy in scratch memory; 16-byte aligned.
struct CudaBackend::Operand {
  Operand(CudaBackend& backend, const Tensor& x, Word word);
  std::optional<Scratch> copy;
  Vector vector;
};
struct CudaBackend::Codes {
  std::uint8_t* data = nullptr;  // [R, C]
  float* scale = nullptr;        // [R]
  Vector vector() const { return {data, kWordE4m3}; }
};
struct CudaBackend::Tiles final : KeyTiles {
  KeyTilePlan plan;  // without its lists
  Tensor first, tile;
};

struct CudaLinear final : Linear {
  Word word = kWordF32;
  Word sums = kWordF32;       // what the library gives where more is to be done to it
  Tensor weight;              // [N, K]
  Tensor bias, bias_operand;  // [N] in fp32 and, for results in bf16, in bf16; both empty where there is none
};
// Channels are padded with zeros to multiples of 8 in bf16: tensor cores read 16 bytes at a time.
struct CudaConv3d final : Conv3d {
  Word word = kWordF32;
  std::int64_t padded_in = 0, padded_out = 0;
  Tensor weight;  // [padded_out, kt, kh, kw, padded_in]
  Tensor bias;    // kF32 [out_channels], or empty
};

}  // namespace rushes::kernels::cuda
