#include "tests/kernels/operations.h"

namespace rushes::kernels {

namespace {

// Sizes at, below and above vector and tile borders.
std::int64_t odd_size(Random& random) {
  static const std::int64_t sizes[] = {1, 2, 3, 7, 12, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96, 130};
  return sizes[random.between(0, 16)];
}

std::vector<float> linear_case(Backend& backend, Random random) {
  const std::int64_t rows = odd_size(random), k = odd_size(random) * random.between(1, 9),
                     n = odd_size(random);
  const auto act = static_cast<Activation>(random.between(0, 3));
  const bool biased = random.between(0, 3) > 0;
  const auto w = random.normal(n * k, 1.0f / std::sqrt(static_cast<float>(k))), b = random.normal(n);
  const Tensor x = put(backend, random.normal(rows * k), {rows, k}),
               y = backend.empty(DType::kF32, {rows, n});
  const LinearPtr layer =
      backend.prepare_linear(host_tensor(w, {n, k}), biased ? host_tensor(b, {n}) : HostTensor{});
  backend.linear(x, *layer, y, act);
  return get(backend, y);
}

std::vector<float> conv3d_case(Backend& backend, Random random) {
  static const Shape kernels[] = {{3, 3, 3}, {3, 1, 1}, {1, 3, 3}, {1, 1, 1}};
  const Shape kernel = kernels[random.between(0, 3)];
  const std::int64_t cin = random.between(1, 40), cout = random.between(1, 70), t = random.between(1, 5);
  const std::int64_t h = random.between(3, 12), w = random.between(3, 40);
  Strides strides{random.between(1, 2), random.between(1, 2), random.between(1, 2)};
  Padding padding;
  padding.front = std::max<std::int64_t>(random.between(0, kernel[0] - 1), kernel[0] - t);
  if (kernel[1] == 3) padding.top = random.between(0, 1), padding.left = random.between(0, 1);
  if (kernel[1] == 3) padding.bottom = random.between(0, 1), padding.right = random.between(0, 1);
  const float spread = 1.0f / std::sqrt(static_cast<float>(cin * kernel[0] * kernel[1] * kernel[2]));
  const auto weights = random.normal(cout * cin * kernel[0] * kernel[1] * kernel[2], spread);
  const auto bias = random.normal(cout, 0.1f);
  const Conv3dPtr layer = backend.prepare_conv3d(
      host_tensor(weights, {cout, cin, kernel[0], kernel[1], kernel[2]}), host_tensor(bias, {cout}), strides);
  const Shape out = {(padding.front + t - kernel[0]) / strides.t + 1,
                     (padding.top + h + padding.bottom - kernel[1]) / strides.h + 1,
                     (padding.left + w + padding.right - kernel[2]) / strides.w + 1, cout};
  const Tensor x = put(backend, random.normal(t * h * w * cin), {t, h, w, cin});
  const Tensor y = put(backend, random.normal(element_count(out)), out);
  backend.conv3d(x, *layer, padding, y, random.between(0, 1) ? y : Tensor{});
  return get(backend, y);
}

// A random list of key tiles, never empty.
KeyTilesPtr random_tiles(Backend& backend, Random& random, std::int64_t heads, std::int64_t lq,
                         std::int64_t lk) {
  KeyTilePlan plan;
  plan.heads = heads, plan.query_length = lq, plan.key_length = lk;
  plan.query_tile = 16 * random.between(1, 8), plan.key_tile = 16 * random.between(1, 8);
  const std::int64_t query_tiles = (lq + plan.query_tile - 1) / plan.query_tile;
  const std::int64_t key_tiles = (lk + plan.key_tile - 1) / plan.key_tile;
  plan.first.push_back(0);
  for (std::int64_t i = 0; i < heads * query_tiles; ++i) {
    const std::int64_t kept = random.between(0, key_tiles - 1);
    for (std::int64_t j = 0; j < key_tiles; ++j) {
      if (j == kept || random.between(0, 1)) plan.tile.push_back(static_cast<std::int32_t>(j));
    }
    plan.first.push_back(static_cast<std::int32_t>(plan.tile.size()));
  }
  return backend.prepare_key_tiles(plan);
}

std::vector<float> attention_case(Backend& backend, Random random, int variant) {
  static const std::int64_t widths[] = {32, 64, 128, 12, 20, 96, 384, 7};
  const std::int64_t b = random.between(1, 2), heads = random.between(1, 3), d = widths[random.between(0, 7)];
  const std::int64_t lq = random.between(1, 200), lk = random.between(1, 300);
  auto q = random.normal(b * lq * heads * d), k = random.normal(b * lk * heads * d);
  auto v = random.normal(b * lk * heads * d);
  round_values(q), round_values(k), round_values(v);  // in bf16 the operands are exact
  AttentionOptions options;
  options.scale = 1.0f / std::sqrt(static_cast<float>(d));
  if (variant == 1) options.key_tiles = random_tiles(backend, random, heads, lq, lk);
  if (variant == 2) {
    options.relative_bias = put(backend, random.normal(heads * (lq + lk - 1)), {heads, lq + lk - 1});
    std::vector<std::int32_t> mask(static_cast<std::size_t>(b * lk));
    for (std::int64_t i = 0; i < b * lk; ++i)
      mask[static_cast<std::size_t>(i)] = i % lk == 0 || random.between(0, 2);
    if (lk > 140) std::fill_n(mask.begin() + 1, 135, 0);  // a whole tile but one key is masked
    options.key_mask = backend.upload(host_tensor(mask, {b, lk}));
  }
  const Tensor y = backend.empty(DType::kF32, {b, lq, heads, d});
  backend.attention(put(backend, q, {b, lq, heads, d}), put(backend, k, {b, lk, heads, d}),
                    put(backend, v, {b, lk, heads, d}), y, options);
  return get(backend, y);
}

std::vector<float> layer_norm_case(Backend& backend, Random random) {
  const std::int64_t rows = odd_size(random), cols = 1 + odd_size(random) * random.between(1, 8);
  auto values = random.normal(rows * cols, 2.0f);
  for (float& value : values) value += 3.0f;
  const Tensor x = put(backend, values, {rows, cols}), y = backend.empty(DType::kF32, {rows, cols});
  const bool affine = random.between(0, 1);
  const Tensor weight = affine ? put(backend, random.normal(cols), {cols}) : Tensor{};
  const Tensor bias = affine ? put(backend, random.normal(cols), {cols}) : Tensor{};
  Modulation modulation;
  const std::int64_t kind = random.between(0, 3);
  if (kind > 0) {
    const std::int64_t groups = kind == 1 ? 1 : kind == 2 ? rows : 3;
    modulation.shift = put(backend, random.normal(groups * cols), {groups, cols});
    modulation.scale = put(backend, random.normal(groups * cols), {groups, cols});
    std::vector<std::int32_t> group(static_cast<std::size_t>(rows));
    for (auto& g : group) g = static_cast<std::int32_t>(random.between(0, 2));
    if (kind == 3) modulation.group = backend.upload(host_tensor(group, {rows}));
  }
  backend.layer_norm(x, weight, bias, modulation, 1e-6f, y);
  return get(backend, y);
}

// x after it, then y: with a gate or without, grouped or not, with either kind of norm.
std::vector<float> add_gated_layer_norm_case(Backend& backend, Random random) {
  const std::int64_t rows = odd_size(random), cols = 1 + odd_size(random) * random.between(1, 8);
  const Tensor x = put(backend, random.normal(rows * cols, 2.0f), {rows, cols}),
               update = put(backend, random.normal(rows * cols), {rows, cols});
  const Tensor y = backend.empty(DType::kF32, {rows, cols});
  const std::int64_t kind = random.between(0, 2), groups = kind == 0 ? 1 : kind == 1 ? rows : 3;
  const auto parameters = [&](bool wanted) {
    return wanted ? put(backend, random.normal(groups * cols), {groups, cols}) : Tensor{};
  };
  const Tensor gate = parameters(random.between(0, 2) > 0);
  const bool affine = random.between(0, 1);
  Modulation modulation{parameters(!affine), parameters(!affine), {}};
  std::vector<std::int32_t> group(static_cast<std::size_t>(rows));
  for (auto& g : group) g = static_cast<std::int32_t>(random.between(0, 2));
  if (kind == 2) modulation.group = backend.upload(host_tensor(group, {rows}));
  const Tensor weight = affine ? put(backend, random.normal(cols), {cols}) : Tensor{};
  const Tensor bias = affine ? put(backend, random.normal(cols), {cols}) : Tensor{};
  backend.add_gated_layer_norm(x, update, gate, weight, bias, modulation, 1e-6f, y);
  std::vector<float> values = get(backend, x);
  for (const float value : get(backend, y)) values.push_back(value);
  return values;
}

std::vector<float> rms_norm_case(Backend& backend, Random random) {
  const std::int64_t rows = odd_size(random), cols = odd_size(random) * random.between(1, 8);
  const Tensor x = put(backend, random.normal(rows * cols), {rows, cols});
  backend.rms_norm(x, put(backend, random.normal(cols), {cols}), 1e-6f, x);
  return get(backend, x);
}

std::vector<float> rope_case(Backend& backend, Random random) {
  const std::int64_t b = random.between(1, 2), length = odd_size(random), heads = random.between(1, 4);
  const std::int64_t d = 2 * random.between(1, 64);
  std::vector<float> table;
  for (std::int64_t i = 0; i < length * d / 2; ++i) {
    const double angle = 0.37 * static_cast<double>(i);
    table.push_back(static_cast<float>(std::cos(angle)));
    table.push_back(static_cast<float>(std::sin(angle)));
  }
  const Tensor x = put(backend, random.normal(b * length * heads * d), {b, length, heads, d});
  const Tensor y = backend.empty(DType::kF32, x.shape());
  backend.rms_norm_rope(x, put(backend, random.normal(heads * d), {heads * d}), 1e-6f,
                        put(backend, table, {length, d / 2, 2}), y);
  return get(backend, y);
}

std::vector<float> channel_norm_case(Backend& backend, Random random) {
  const std::int64_t rows = odd_size(random) * random.between(1, 9), cols = odd_size(random);
  auto values = random.normal(rows * cols);
  std::fill_n(values.begin(), cols, 0.0f);  // a pixel without any signal stays 0
  const Tensor x = put(backend, values, {rows, 1, 1, cols}), y = backend.empty(DType::kF32, x.shape());
  backend.channel_norm(x, put(backend, random.normal(cols), {cols}),
                       random.between(0, 1) ? Activation::kSilu : Activation::kNone, y);
  return get(backend, y);
}

std::vector<float> elementwise_case(Backend& backend, Random random) {
  const std::int64_t rows = odd_size(random), cols = odd_size(random) * random.between(1, 20);
  const Tensor x = put(backend, random.normal(rows * cols, 4.0f), {rows, cols});
  const Tensor y = put(backend, random.normal(rows * cols), {rows, cols});
  backend.activate(x, static_cast<Activation>(random.between(0, 3)), x);
  backend.add_gated(x, y, put(backend, random.normal(cols), {1, cols}));
  backend.gelu_gate(y, x, y);
  backend.combine({{0.7f, x}, {-1.3f, y}}, y);
  backend.channel_affine(y, put(backend, random.normal(cols), {cols}),
                         put(backend, random.normal(cols), {cols}), y);
  backend.clamp(y, -3.0f, 2.5f, y);
  backend.combine({{1.5f, y}}, y);
  return get(backend, y);
}

std::vector<float> combine_case(Backend& backend, Random random) {
  const std::int64_t rows = odd_size(random), cols = odd_size(random) * random.between(1, 20);
  const auto count = static_cast<std::size_t>(random.between(1, static_cast<std::int64_t>(kMostTerms)));
  std::vector<Term> terms;
  for (std::size_t i = 0; i < count; ++i)
    terms.push_back({random.normal(1)[0], put(backend, random.normal(rows * cols), {rows, cols})});
  const std::int64_t place = random.between(0, static_cast<std::int64_t>(count));
  const Tensor out = place < static_cast<std::int64_t>(count) ? terms[static_cast<std::size_t>(place)].x
                                                              : backend.empty(DType::kF32, {rows, cols});
  backend.combine(terms, out);
  return get(backend, out);
}

std::vector<float> fill_noise_case(Backend& backend, Random random) {
  const std::int64_t frames = random.between(1, 4);
  const Tensor x =
      backend.empty(DType::kF32, {random.between(1, 5), frames, random.between(1, 20), odd_size(random)});
  NoisePlace first;
  for (std::uint32_t& place : first) place = static_cast<std::uint32_t>(random.between(0, 1'000'000));
  std::vector<NoiseSource> sources;
  for (std::int64_t t = 0; t < frames; ++t)
    sources.push_back({static_cast<std::uint64_t>(random.between(0, INT64_MAX)),
                       static_cast<std::uint32_t>(random.between(0, 2)), static_cast<std::uint32_t>(t)});
  backend.fill_noise(x, sources, first);
  return get(backend, x);
}

std::vector<float> resample_case(Backend& backend, Random random) {
  const std::int64_t t = random.between(1, 5), h = 2 * random.between(1, 6), w = 2 * random.between(1, 6);
  const std::int64_t c = random.between(1, 20);
  const Tensor x = put(backend, random.normal(t * h * w * c), {t, h, w, c});
  const Tensor down = backend.empty(DType::kF32, {(t + 1) / 2, h / 2, w / 2, 2 * c});
  average_down(backend, x, 2, 2, down);
  const Tensor up = backend.empty(DType::kF32, {(t + 1) / 2 * 2 - 1, h, w, c});
  repeat_up(backend, down, 2, 2, up);
  const Tensor large = backend.empty(DType::kF32, {up.dim(0), 2 * h, 2 * w, c});
  backend.upsample_nearest_2x(up, large);
  return get(backend, large);
}

}  // namespace

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all = {
      {"linear", Operation::kProduct, linear_case},
      {"conv3d", Operation::kProduct, conv3d_case},
      {"attention", Operation::kAttention, [](Backend& b, Random r) { return attention_case(b, r, 0); }},
      {"attention_tiles", Operation::kAttention,
       [](Backend& b, Random r) { return attention_case(b, r, 1); }},
      {"attention_bias_mask", Operation::kAttention,
       [](Backend& b, Random r) { return attention_case(b, r, 2); }},
      {"layer_norm", Operation::kRows, layer_norm_case},
      {"add_gated_layer_norm", Operation::kRows, add_gated_layer_norm_case},
      {"rms_norm", Operation::kRows, rms_norm_case},
      {"rms_norm_rope", Operation::kRows, rope_case},
      {"channel_norm", Operation::kRows, channel_norm_case},
      {"elementwise", Operation::kRows, elementwise_case},
      {"resample", Operation::kRows, resample_case},
      {"combine", Operation::kExact, combine_case},
      {"fill_noise", Operation::kExact, fill_noise_case},
  };
  return all;
}

}  // namespace rushes::kernels
