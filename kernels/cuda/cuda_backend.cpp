#include "kernels/cuda/cuda_backend.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "kernels/check.h"
#include "kernels/cuda/products.h"
#include "kernels/cuda/recording.h"
#include "kernels/eight_bit_rows.h"

namespace rushes::kernels::cuda {

namespace {

std::size_t word_bytes(Word word) { return word == kWordF32 ? 4 : 2; }
DType dtype_of(Word word) { return word == kWordF32 ? DType::kF32 : DType::kBf16; }

// Elements [first, first + count) of a host tensor of floats, as `word`.
void convert(const HostTensor& host, Word word, std::size_t first, std::size_t count, std::byte* out) {
  const std::size_t size = dtype_bytes(host.dtype);
  const auto* from = static_cast<const std::byte*>(host.data) + first * size;
  if (host.dtype == dtype_of(word)) {
    std::memcpy(out, from, count * size);
    return;
  }
  const std::vector<float> values = widen({from, host.dtype, {static_cast<std::int64_t>(count)}});
  if (word == kWordF32) {
    std::memcpy(out, values.data(), count * sizeof(float));
    return;
  }
  auto* halves = reinterpret_cast<std::uint16_t*>(out);
  for (std::size_t i = 0; i < count; ++i) halves[i] = float_to_bf16(values[i]);
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    difference += d * d;
    norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(difference / norm);
}

// Six hexadecimal digits: FNV-1a in 64 bits (Fowler, Noll and Vo), folded to 24. Names, not secrets.
std::string fingerprint(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  hash = (hash ^ hash >> 24 ^ hash >> 48) & 0xffffffu;
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06x", static_cast<unsigned>(hash));
  return digits;
}

// A small causal convolution of smooth numbers.
std::vector<float> sample_convolution(Backend& backend) {
  const auto wave = [](std::int64_t count, double step) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(std::sin(step * static_cast<double>(i)));
    return values;
  };
  const std::int64_t t = 3, h = 5, w = 6, cin = 16, cout = 24;
  const std::vector<float> x = wave(t * h * w * cin, 0.7), weights = wave(cout * cin * 27, 0.37);
  const Conv3dPtr layer = backend.prepare_conv3d(host_tensor(weights, {cout, cin, 3, 3, 3}), {});
  const Tensor y = backend.empty(DType::kF32, {t, h, w, cout});
  backend.conv3d(backend.upload(host_tensor(x, {t, h, w, cin})), *layer, {2, 1, 1, 1, 1}, y);
  std::vector<float> out(static_cast<std::size_t>(y.elements()));
  backend.download(y, out.data());
  return out;
}

// Releases of cuDNN between 9.8 and 9.14 gave wrong convolutions in bf16 without an error.
void verify_convolutions(CudaDevice& device, Backend& backend) {
  bool& verified = device.convolutions().verified[word_of(backend.precision())];
  if (verified || !device.api().computes()) return;
  const double error =
      distance(sample_convolution(backend), sample_convolution(*make_reference_backend(backend.precision())));
  const double most = backend.precision() == Precision::kBf16 ? 1e-2 : 1e-5;
  if (!(error <= most))
    throw DeviceFault(kInvalidValue, "backend cuda: " + device.dnn().version() +
                                         " computes a convolution in " + dtype_name(backend.operand_dtype()) +
                                         " wrongly (relative error " + std::to_string(error) +
                                         "); install another version, or use --backend cpu");
  verified = true;
}

}  // namespace

Word word_of(Precision precision) { return precision == Precision::kBf16 ? kWordBf16 : kWordF32; }
bool aligned(const void* start) { return reinterpret_cast<std::uintptr_t>(start) % 16 == 0; }

std::unique_ptr<Backend> make_cuda_backend(DeviceApi* api, const CudaOptions& options) {
  std::shared_ptr<CudaDevice> device = CudaDevice::open(api, options.device);
  auto backend = std::make_unique<CudaBackend>(device, options);
  verify_convolutions(*device, *backend);
  return backend;
}

// At most 31 bytes: two of them joined by '+' are a name (config/name.h).
std::string CudaBackend::numeric_class() const {
  std::string name = "cuda-sm" + std::to_string(capability()) + "-" + dtype_name(operand_dtype());
  if (options_.precision == Precision::kBf16) {
    if (options_.eight_bit)
      name += attention8_form(capability()) == kValuesE4m3 ? "-int8qk-e4m3pv" : "-int8qk-bf16pv";
    if (options_.library_attention) name += "-sdpa";
  }
  return name + "-" + fingerprint(class_text());
}

std::string CudaBackend::class_text() const {
  const bool eight_bit = options_.eight_bit && options_.precision == Precision::kBf16;
  return device_->engines() +
         (eight_bit ? ", attention and products in 8 bits where the device has them" : "") +
         (options_.exceptions.empty() ? "" : ", " + options_.exceptions);
}

// ---- memory and transfer

std::byte* CudaBackend::bytes(const Tensor& x) const {
  const auto* buffer = dynamic_cast<const CudaBuffer*>(x.buffer());
  if (!buffer || buffer->device() != device_.get())
    refuse("operand", x.empty() ? "an empty tensor" : "a tensor of another device");
  return buffer->data() + x.offset();
}

Vector CudaBackend::vector(const Tensor& x) const {
  require(x.dtype() != DType::kF8E4M3, "operand", "rows in 8 bits feed linear alone");
  return {bytes(x), x.dtype() == DType::kBf16 ? kWordBf16 : kWordF32};
}

CudaBackend::Codes CudaBackend::codes(const Tensor& x) const {
  auto* start = reinterpret_cast<std::uint8_t*>(bytes(x));
  const auto count = static_cast<std::size_t>(x.elements());
  require(x.dtype() == DType::kF8E4M3 && x.offset() == 0 &&
              x.buffer()->bytes() == row_scales_at(count) + count / static_cast<std::size_t>(x.dim(-1)) * 4,
          "operand", "rows in 8 bits are used whole");
  return {start, reinterpret_cast<float*>(start + row_scales_at(count))};
}

const float* CudaBackend::floats(const Tensor& x) const {
  return x.empty() ? nullptr : reinterpret_cast<const float*>(bytes(x));
}

RowParameters CudaBackend::row_parameters(const Tensor& parameters, const Tensor& group) const {
  if (parameters.empty()) return {};
  RowParameters made{floats(parameters), nullptr, parameters.dim(0)};
  if (!group.empty() && made.groups > 1) made.group = reinterpret_cast<const std::int32_t*>(bytes(group));
  return made;
}

CudaBackend::Operand::Operand(CudaBackend& backend, const Tensor& x, Word word) : vector(backend.vector(x)) {
  if (vector.word == word && aligned(vector.data)) return;
  const std::int64_t count = x.elements();
  copy.emplace(*backend.device_, static_cast<std::size_t>(count) * word_bytes(word));
  MapArguments cast;
  cast.x = vector;
  cast.out = vector = {copy->data(), word};
  cast.count = count;
  cast.cols = 8;
  backend.launch_map(kMapAffine, cast);
}

Tensor CudaBackend::empty(DType dtype, Shape shape) {
  const bool rows = dtype == DType::kF8E4M3 && options_.eight_bit;
  require(dtype == DType::kF32 || dtype == DType::kBf16 || dtype == DType::kI32 || rows, "empty",
          std::string("no ") + dtype_name(dtype) + " tensors on the device");
  const auto count = static_cast<std::size_t>(element_count(shape));
  require(count <= SIZE_MAX / 8, "empty", "impossible size " + to_string(shape));
  if (rows) {
    require(!shape.empty() && shape.back() > 0, "empty", "rows without columns: " + to_string(shape));
    const std::size_t scales = count / static_cast<std::size_t>(shape.back()) * sizeof(float);
    return Tensor(std::make_shared<CudaBuffer>(device_, row_scales_at(count) + scales), 0, dtype,
                  std::move(shape));
  }
  return Tensor(std::make_shared<CudaBuffer>(device_, count * dtype_bytes(dtype)), 0, dtype,
                std::move(shape));
}

Tensor CudaBackend::upload(const HostTensor& host) {
  require(!host.empty(), "upload", "an empty host tensor");
  if (host.dtype != DType::kI32) return upload_as(host, host.dtype == DType::kBf16 ? kWordBf16 : kWordF32);
  const Tensor x = empty(DType::kI32, host.shape);
  const auto entered = device_->enter();
  device_->upload(bytes(x), x.bytes(), [&](std::byte* to, std::size_t offset, std::size_t size) {
    std::memcpy(to, static_cast<const std::byte*>(host.data) + offset, size);
  });
  return x;
}

Tensor CudaBackend::upload_as(const HostTensor& host, Word word) {
  const Tensor x = empty(dtype_of(word), host.shape);
  const std::size_t size = word_bytes(word);
  const auto entered = device_->enter();
  device_->upload(bytes(x), x.bytes(), [&](std::byte* to, std::size_t offset, std::size_t piece) {
    convert(host, word, offset / size, piece / size, to);
  });
  return x;
}

void CudaBackend::download(const Tensor& x, void* out) {
  if (x.elements() == 0) return;
  const auto entered = device_->enter();
  device_->download(bytes(x), x.bytes(), [&](const std::byte* from, std::size_t offset, std::size_t size) {
    if (x.dtype() != DType::kBf16) {
      std::memcpy(static_cast<std::byte*>(out) + offset, from, size);
      return;
    }
    const auto* halves = reinterpret_cast<const std::uint16_t*>(from);
    float* to = static_cast<float*>(out) + offset / 2;
    for (std::size_t i = 0; i < size / 2; ++i) to[i] = bf16_to_float(halves[i]);
  });
}

void CudaBackend::synchronize() {
  const auto entered = device_->enter();
  device_->synchronize();
}

void CudaBackend::pace() {
  const auto entered = device_->enter();
  device_->pace();
}

RecordingPtr CudaBackend::make_recording() { return std::make_unique<CudaRecording>(device_); }

bool CudaBackend::run_pass(Recording* recording, const PassParts& parts, const std::function<bool()>& go_on) {
  if (!recording) return Backend::run_pass(recording, parts, go_on);
  auto* own = dynamic_cast<CudaRecording*>(recording);
  require(own && &own->device() == device_.get(), "run_pass", "a recording of another device");
  return own->run(parts, go_on);
}

// ---- once per load

LinearPtr CudaBackend::prepare_linear(const HostTensor& weight, const HostTensor& bias,
                                      std::optional<Precision> precision) {
  check_linear_weights(weight, bias);
  auto layer = std::make_shared<CudaLinear>();
  layer->word = word_of(precision.value_or(options_.precision));
  layer->out_features = weight.shape[0];
  layer->in_features = weight.shape[1];
  layer->weight = upload_as(weight, layer->word);
  if (bias.empty()) return layer;
  layer->bias = upload_as(bias, kWordF32);
  layer->bias_operand = upload_as(bias, kWordBf16);
  return layer;
}

// The library is asked with as many rows as a small picture has. That it takes any other number then is assumed, not shown.
LinearPtr CudaBackend::in_8_bits(const Linear& weights) {
  const auto* layer = dynamic_cast<const CudaLinear*>(&weights);
  require(layer != nullptr, "in_8_bits", "weights of another device");
  const std::int64_t n = layer->out_features, k = layer->in_features, rows = 256;
  if (!options_.eight_bit || layer->word != kWordBf16 || n % 16 || k % 16 || capability() < 89)
    return nullptr;
  const auto entered = device_->enter();
  auto rounded = std::make_shared<CudaLinear>(*layer);
  rounded->eight_bit = true, rounded->word = kWordE4m3;
  rounded->weight = empty(DType::kF8E4M3, {n, k});
  const Codes to = codes(rounded->weight);
  Product product{n, rows, k};
  product.a = product.b = to.vector(), product.d = {nullptr, kWordF32};
  product.scale_a = product.scale_b = to.scale;
  product.stride_a = product.stride_b = k, product.stride_d = n;
  if (!device_->products().takes(product)) rounded->sums = kWordBf16;
  product.d.word = kWordBf16;
  if (!device_->products().takes(product)) return nullptr;
  round_to_codes(vector(layer->weight), n, k, to);
  return rounded;
}

Conv3dPtr CudaBackend::prepare_conv3d(const HostTensor& weight, const HostTensor& bias, Strides strides,
                                      std::optional<Precision> precision) {
  check_conv3d_weights(weight, bias, strides);
  auto layer = std::make_shared<CudaConv3d>();
  layer->word = word_of(precision.value_or(options_.precision));
  Shape s = weight.shape;
  if (s.size() == 4) s.insert(s.begin() + 2, 1);
  layer->out_channels = s[0], layer->in_channels = s[1];
  layer->kernel_t = s[2], layer->kernel_h = s[3], layer->kernel_w = s[4];
  layer->stride_t = strides.t, layer->stride_h = strides.h, layer->stride_w = strides.w;
  const std::int64_t step = layer->word == kWordBf16 ? 8 : 1, taps = s[2] * s[3] * s[4];
  layer->padded_in = (s[1] + step - 1) / step * step;
  layer->padded_out = (s[0] + step - 1) / step * step;
  const std::vector<float> w = widen(weight);
  std::vector<float> last(
      static_cast<std::size_t>(layer->padded_out * taps * layer->padded_in));  // channels last
  for (std::int64_t o = 0; o < s[0]; ++o)
    for (std::int64_t i = 0; i < s[1]; ++i)
      for (std::int64_t k = 0; k < taps; ++k)
        last[static_cast<std::size_t>((o * taps + k) * layer->padded_in + i)] =
            w[static_cast<std::size_t>((o * s[1] + i) * taps + k)];
  layer->weight =
      upload_as(host_tensor(last, {layer->padded_out, s[2], s[3], s[4], layer->padded_in}), layer->word);
  if (!bias.empty()) layer->bias = upload_as(bias, kWordF32);
  return layer;
}

KeyTilesPtr CudaBackend::prepare_key_tiles(const KeyTilePlan& plan) {
  check_key_tile_plan(plan);
  auto tiles = std::make_shared<Tiles>();
  tiles->first = upload(host_tensor(plan.first, {static_cast<std::int64_t>(plan.first.size())}));
  tiles->tile = upload(host_tensor(plan.tile, {static_cast<std::int64_t>(plan.tile.size())}));
  tiles->plan = plan;
  tiles->plan.first.clear();
  tiles->plan.tile.clear();
  return tiles;
}

}  // namespace rushes::kernels::cuda
