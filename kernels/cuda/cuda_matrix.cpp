// Matrix products, convolutions and attention of the CUDA backend.
#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/library_attention.h"
#include "kernels/cuda/products.h"
#include "kernels/eight_bit_rows.h"

namespace rushes::kernels::cuda {

namespace {

std::size_t word_bytes(Word word) { return word == kWordF32 ? 4 : 2; }
Vector at(const Vector& x, std::int64_t element) {
  return {static_cast<std::byte*>(x.data) + static_cast<std::size_t>(element) * word_bytes(x.word), x.word};
}

}  // namespace

void CudaBackend::linear(const Tensor& x, const Linear& weights, const Tensor& y, Activation act) {
  const LinearSizes s = check_linear(x, weights, y, operand_dtype());
  const auto* layer = dynamic_cast<const CudaLinear*>(&weights);
  require(layer != nullptr, "linear", "weights of another device");
  if (s.rows == 0) return;
  const auto entered = device_->enter();
  if (layer->word == kWordE4m3) return linear_in_8_bits(x, *layer, y, act);
  const Operand in(*this, x, layer->word);
  multiply_rows(*layer, in.vector, nullptr, vector(y), s.rows, act);
}

// In pieces, so that scratch memory does not grow with the number of rows.
void CudaBackend::linear_in_8_bits(const Tensor& x, const CudaLinear& layer, const Tensor& y,
                                   Activation act) {
  const std::int64_t n = layer.out_features, k = layer.in_features, rows = x.elements() / k;
  const bool rounded = x.dtype() == DType::kF8E4M3;
  const Codes whole = rounded ? codes(x) : Codes{};
  constexpr std::int64_t kStep = 256;
  const std::size_t row_bytes =
      (rounded ? 0 : static_cast<std::size_t>(k) + sizeof(float)) +
      (finishes(layer, product_of(layer, std::min(rows, kStep), vector(y), act), act)
           ? 0
           : static_cast<std::size_t>(n) * word_bytes(layer.sums));
  const auto fit = static_cast<std::int64_t>(options_.linear_bytes / std::max<std::size_t>(row_bytes, 1));
  const std::int64_t step = std::max(fit / kStep, std::int64_t{1}) * kStep;
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first);
    std::optional<Scratch> scratch;
    Codes in = whole;
    if (rounded) {
      in.data += first * k, in.scale += first;
    } else {
      const std::size_t scales = row_scales_at(static_cast<std::size_t>(count * k));
      scratch.emplace(*device_, scales + static_cast<std::size_t>(count) * sizeof(float));
      in = {reinterpret_cast<std::uint8_t*>(scratch->data()),
            reinterpret_cast<float*>(scratch->data() + scales)};
      round_to_codes(at(vector(x), first * k), count, k, in);
    }
    multiply_rows(layer, in.vector(), in.scale, at(vector(y), first * n), count, act);
  }
}

// Row-major y = x w^T is column-major y^T = w x^T. The rows' own address and scale are multiply_rows()'s to give.
Product CudaBackend::product_of(const CudaLinear& layer, std::int64_t rows, const Vector& y,
                                Activation act) const {
  Product product{layer.out_features, rows, layer.in_features};
  if (layer.word == kWordE4m3) {
    const Codes w = codes(layer.weight);
    product.a = w.vector(), product.scale_a = product.scale_b = w.scale;
  } else {
    product.a = vector(layer.weight);
  }
  product.b.word = layer.word, product.d = y;
  product.stride_a = product.stride_b = layer.in_features;
  product.stride_d = layer.out_features;
  product.bias = bias_for(layer, y.word);
  product.gelu = act == Activation::kGeluTanh;
  return product;
}

const void* CudaBackend::bias_for(const CudaLinear& layer, Word result) const {
  if (layer.bias.empty()) return nullptr;
  return bytes(result == kWordF32 && layer.word != kWordE4m3 ? layer.bias : layer.bias_operand);
}

// Whether the library gives the layer's result itself.
bool CudaBackend::finishes(const CudaLinear& layer, const Product& product, Activation act) {
  if (product.d.word != kWordBf16 && layer.sums != kWordF32) return false;
  const Epilogue done = device_->products().epilogue(product);
  return (done.bias || !product.bias) && (act == Activation::kNone || done.gelu);
}

// `x` [rows, K] in the layer's word, `scale` [rows] of kWordE4m3, `y` [rows, N].
void CudaBackend::multiply_rows(const CudaLinear& layer, const Vector& x, const float* scale, const Vector& y,
                                std::int64_t rows, Activation act) {
  Product product = product_of(layer, rows, y, act);
  product.b = x, product.scale_b = scale;
  if (finishes(layer, product, act)) return device_->products().run(product);
  // What is left is computed in fp32, where the library gives sums in fp32, then rounded once.
  const std::int64_t n = layer.out_features;
  std::optional<Scratch> sums;
  product.gelu = false;
  if (y.word != layer.sums) {
    sums.emplace(*device_, static_cast<std::size_t>(rows * n) * word_bytes(layer.sums));
    product.d = {sums->data(), layer.sums};
    product.bias = bias_for(layer, layer.sums);
  }
  const Epilogue done = device_->products().epilogue(product);
  device_->products().run(product);
  MapArguments rest{product.d, {}, y, rows * n, static_cast<int>(n)};
  if (!done.bias) rest.shift = floats(layer.bias);
  rest.activation = static_cast<int>(act);
  launch_map(kMapAffine, rest);
}

void CudaBackend::conv3d(const Tensor& x, const Conv3d& weights, const Padding& padding, const Tensor& y,
                         const Tensor& residual) {
  const ConvSizes s = check_conv3d(x, weights, padding, y, residual, operand_dtype());
  const auto* layer = dynamic_cast<const CudaConv3d*>(&weights);
  require(layer != nullptr, "conv3d", "weights of another device");
  if (y.elements() == 0) return;
  const auto entered = device_->enter();
  Convolution shape;
  shape.word = layer->word, shape.cin = layer->padded_in, shape.cout = layer->padded_out;
  shape.kernel = {layer->kernel_t, layer->kernel_h, layer->kernel_w};
  shape.stride = {layer->stride_t, layer->stride_h, layer->stride_w};
  shape.out = {s.to, s.ho, s.wo};
  // The library pads both ends of a dimension alike; other zeros, causal ones among them, are written around x.
  const std::array<std::int64_t, 3> size = {s.t, s.h, s.w},
                                    before = {padding.front, padding.top, padding.left},
                                    behind = {0, padding.bottom, padding.right};
  std::array<std::int64_t, 3> start = {};
  const auto pad = [&](bool by_library) {
    for (std::size_t i = 0; i < 3; ++i) {
      const bool alike = by_library && before[i] == behind[i];
      shape.padding[i] = alike ? before[i] : 0;
      start[i] = alike ? 0 : before[i];
      shape.size[i] = size[i] + (alike ? 0 : before[i] + behind[i]);
    }
  };
  pad(true);
  const std::optional<Word> library = device_->convolutions().word_of_y(shape);
  if (!library) pad(false);
  std::optional<Operand> operand;
  std::optional<Scratch> padded;
  Vector in;
  if (shape.size == size && shape.cin == s.cin) {
    in = operand.emplace(*this, x, layer->word).vector;
  } else {
    const std::int64_t row = shape.size[2] * shape.cin, frame = shape.size[1] * row;
    const auto total = static_cast<std::size_t>(shape.size[0] * frame) * word_bytes(layer->word);
    padded.emplace(*device_, total);
    device_->clear(padded->data(), total);
    in = {padded->data(), layer->word};
    copy_steps(vector(x), {s.h * s.w * s.cin, s.w * s.cin, s.cin, 1},
               at(in, start[0] * frame + start[1] * row + start[2] * shape.cin), {frame, row, shape.cin, 1},
               {s.t, s.h, s.w, s.cin});
  }
  const Word word = library.value_or(kWordF32);
  const bool alone = layer->bias.empty() && residual.empty();
  const bool direct = vector(y).word == word && shape.cout == s.cout && aligned(bytes(y)) &&
                      (residual.empty() || residual.buffer() != y.buffer());
  std::optional<Scratch> sums;
  if (!direct)
    sums.emplace(*device_, static_cast<std::size_t>(s.to * s.ho * s.wo * shape.cout) * word_bytes(word));
  const Vector out = direct ? vector(y) : Vector{sums->data(), word};
  if (library) {
    device_->convolutions().run(shape, in.data, bytes(layer->weight), out.data);
  } else {
    convolve_by_products(shape, in, vector(layer->weight), out);
  }
  if (direct && alone) return;
  MapArguments rest{out, residual.empty() ? Vector{} : vector(residual), vector(y), y.elements(),
                    static_cast<int>(s.cout)};
  rest.x_stride = shape.cout == s.cout ? 0 : static_cast<int>(shape.cout);
  rest.shift = floats(layer->bias);
  launch_map(kMapAffine, rest);
}

void CudaBackend::convolve_by_products(const Convolution& c, const Vector& x, const Vector& w,
                                       const Vector& y) {
  const std::int64_t row = c.size[2] * c.cin, frame = c.size[1] * row, out_row = c.out[2] * c.cout;
  const std::int64_t taps = c.kernel[0] * c.kernel[1] * c.kernel[2];
  for (std::int64_t t = 0; t < c.out[0]; ++t)
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      const std::int64_t kt = tap / (c.kernel[1] * c.kernel[2]), kh = tap / c.kernel[2] % c.kernel[1],
                         kw = tap % c.kernel[2];
      Product product{c.cout, c.out[2], c.cin, c.out[1], true};  // one batch entry per row of y
      product.a = at(w, tap * c.cin);
      product.b = at(x, (t * c.stride[0] + kt) * frame + kh * row + kw * c.cin);
      product.d = at(y, t * c.out[1] * out_row);
      product.stride_a = taps * c.cin, product.stride_b = c.stride[2] * c.cin, product.stride_d = c.cout;
      product.batch_b = c.stride[1] * row, product.batch_d = out_row;
      product.accumulate = tap > 0;
      device_->products().run(product);
    }
}

void CudaBackend::attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& y,
                            const AttentionOptions& options) {
  const AttentionSizes s = check_attention(q, k, v, y, options, operand_dtype());
  const auto* tiles = dynamic_cast<const Tiles*>(options.key_tiles.get());
  require(tiles || !options.key_tiles, "attention", "key tiles of another device");
  require(!tiles || (tiles->plan.heads == s.heads && tiles->plan.query_length == s.lq &&
                     tiles->plan.key_length == s.lk),
          "attention", "key tiles planned for another geometry");
  require(!tiles || options.key_mask.empty(), "attention", "key_mask and key_tiles exclude each other");
  if (y.elements() == 0) return;
  const auto entered = device_->enter();
  const Word word = word_of(options_.precision);
  const Operand queries(*this, q, word), keys(*this, k, word), values(*this, v, word);
  const bool by_kernel = word == kWordBf16 && (s.width == 64 || s.width == 128) &&
                         options.relative_bias.empty() && options.key_mask.empty();
  if (by_kernel) {
    attend_by_kernel(options, tiles, queries, keys, values, y, s.lk);
  } else {
    attend_by_products(options, tiles, queries, keys, values, y, s.lk);
  }
}

void CudaBackend::attend_by_kernel(const AttentionOptions& options, const Tiles* tiles, const Operand& q,
                                   const Operand& k, const Operand& v, const Tensor& y, std::int64_t lk) {
  const Vector out = vector(y);
  const bool direct = out.word == kWordBf16 && aligned(out.data);
  std::optional<Scratch> sums;
  if (!direct) sums.emplace(*device_, static_cast<std::size_t>(y.elements()) * 2);
  const auto halves = [](void* data) { return static_cast<std::uint16_t*>(data); };
  AttentionArguments a;
  a.q = halves(q.vector.data), a.k = halves(k.vector.data), a.v = halves(v.vector.data);
  a.y = halves(direct ? out.data : sums->data());
  a.heads = static_cast<int>(y.dim(2)), a.lq = static_cast<int>(y.dim(1)), a.lk = static_cast<int>(lk);
  a.scale = options.scale;
  a.query_tile = a.lq, a.key_tile = a.lk;
  if (tiles) {
    a.first = reinterpret_cast<const std::int32_t*>(bytes(tiles->first));
    a.tile = reinterpret_cast<const std::int32_t*>(bytes(tiles->tile));
    a.query_tile = static_cast<int>(tiles->plan.query_tile);
    a.key_tile = static_cast<int>(tiles->plan.key_tile);
  }
  const int width = static_cast<int>(y.dim(3)), batch = static_cast<int>(y.dim(0));
  if (attends_in_8_bits(options, a, width)) {
    attend_in_8_bits(a, batch, width);
  } else if (options_.library_attention && device_->library_attention().takes(a, batch, width)) {
    device_->library_attention().run(a, batch, width);
  } else if (device_->info().major == 9 && hopper_attention_takes(a, width)) {
    // Two blocks of queries share the copies of keys where there are more than two.
    const HopperIndex index = hopper_attention_index(a, width, a.lq > 2 * kHopperQueries);
    HopperAttentionArguments hopper;
    check(device_->api(), hopper_attention_arguments(device_->api(), index, a, batch, &hopper),
          "cuTensorMapEncodeTiled");
    device_->launch(device_->kernels().attention_hopper[index], hopper_attention_shape(index, a, batch),
                    hopper);
  } else {
    device_->launch(width == 64 ? device_->kernels().attention_64 : device_->kernels().attention_128,
                    attention_shape(a, batch, width), a);
  }
  if (!direct) launch_map(kMapAffine, {{sums->data(), kWordBf16}, {}, out, y.elements(), 8});
}

bool CudaBackend::attends_in_8_bits(const AttentionOptions& options, const AttentionArguments& a,
                                    int width) const {
  return options_.eight_bit && options.eight_bit && a.lk >= kFewestKeys8 && attention8_takes(a, width);
}

void CudaBackend::attend_in_8_bits(const AttentionArguments& a, int batch, int width) {
  DeviceApi& api = device_->api();
  const Attention8Form form = attention8_form(capability());
  const Scratch memory(*device_, attention8_bytes(form, a, batch, width));
  check(api, launch_quantise(api, device_->stream(), form, a, batch, width, memory.data()),
        "attention in 8 bits: rounding");
  const bool hopper = capability() == 90 && hopper_attention8_takes(a, width);
  check(api,
        hopper ? launch_hopper_attention8(api, device_->stream(), a, batch, memory.data())
               : launch_attention8(api, device_->stream(), form, a, batch, width, memory.data()),
        "attention in 8 bits");
}

// Scores of as many queries at a time as score_bytes hold, for all heads of a batch entry; with one head for all batch
// entries.
void CudaBackend::attend_by_products(const AttentionOptions& options, const Tiles* tiles, const Operand& q,
                                     const Operand& k, const Operand& v, const Tensor& y, std::int64_t lk) {
  const std::int64_t lq = y.dim(1), heads = y.dim(2), width = y.dim(3), row = heads * width;
  const std::int64_t entries = heads == 1 ? y.dim(0) : heads, rounds = heads == 1 ? 1 : y.dim(0);
  const std::int64_t stride = (lk + 7) / 8 * 8;
  const Word word = q.vector.word;
  const std::int64_t query_bytes = entries * stride * (word == kWordF32 ? 4 : 6);
  std::int64_t chunk =
      std::clamp(static_cast<std::int64_t>(options_.score_bytes) / query_bytes, std::int64_t{1}, lq);
  if (chunk < lq && chunk > 64) chunk = chunk / 64 * 64;
  const Scratch scores(*device_, static_cast<std::size_t>(entries * chunk * stride) * sizeof(float));
  std::optional<Scratch> rounded;
  if (word != kWordF32) rounded.emplace(*device_, static_cast<std::size_t>(entries * chunk * stride) * 2);

  SoftmaxArguments soft;
  soft.s = reinterpret_cast<const float*>(scores.data());
  soft.p = {rounded ? rounded->data() : scores.data(), word};
  soft.lq = static_cast<int>(lq), soft.lk = static_cast<int>(lk), soft.stride = static_cast<int>(stride);
  soft.heads = static_cast<int>(heads), soft.scale = options.scale, soft.warps = row_warps(stride);
  soft.relative_bias = floats(options.relative_bias);
  if (!options.key_mask.empty())
    soft.key_mask = reinterpret_cast<const std::int32_t*>(bytes(options.key_mask));
  if (tiles) {
    soft.first = reinterpret_cast<const std::int32_t*>(bytes(tiles->first));
    soft.tile = reinterpret_cast<const std::int32_t*>(bytes(tiles->tile));
    soft.query_tile = static_cast<int>(tiles->plan.query_tile);
    soft.key_tile = static_cast<int>(tiles->plan.key_tile);
  }
  for (std::int64_t round = 0; round < rounds; ++round)
    for (std::int64_t first = 0; first < lq; first += chunk) {
      const std::int64_t queries = std::min(chunk, lq - first), keys_at = round * lk * row,
                         queries_at = (round * lq + first) * row;
      Product product{lk, queries, width, entries, true};  // k q^T, column-major: a row of keys per query
      product.a = at(k.vector, keys_at), product.b = at(q.vector, queries_at);
      product.d = {scores.data(), kWordF32};
      product.stride_a = product.stride_b = row, product.stride_d = stride;
      product.batch_a = heads == 1 ? lk * row : width, product.batch_b = heads == 1 ? lq * row : width;
      product.batch_d = queries * stride;
      device_->products().run(product);

      soft.rows = entries * queries, soft.queries = static_cast<int>(queries);
      soft.first_query = static_cast<int>(first), soft.batch = static_cast<int>(round);
      device_->launch(device_->kernels().softmax, row_shape(soft.rows, soft.warps), soft);

      Product mix{width, queries, lk, entries, false};
      mix.a = at(v.vector, keys_at), mix.b = soft.p, mix.d = at(vector(y), queries_at);
      mix.stride_a = mix.stride_d = row, mix.stride_b = stride;
      mix.batch_a = product.batch_a, mix.batch_b = product.batch_d, mix.batch_d = product.batch_b;
      device_->products().run(mix);
    }
}

}  // namespace rushes::kernels::cuda
