#include "tests/kernels/attention_cases.h"

namespace rushes::kernels {

AttentionCase attention_case(std::uint64_t seed, int width, int longest, bool listed, int key_unit) {
  Random random(seed);
  AttentionCase c;
  c.batch = static_cast<int>(random.between(1, 2)), c.heads = static_cast<int>(random.between(1, 2));
  c.lq = static_cast<int>(random.between(1, longest)), c.lk = static_cast<int>(random.between(1, longest));
  c.width = width, c.listed = listed;
  if (listed) {
    c.plan.query_tile = 16 * random.between(1, 8);
    c.plan.key_tile = key_unit * random.between(1, 128 / key_unit);
  }
  complete(c, seed);
  return c;
}

void complete(AttentionCase& c, std::uint64_t seed) {
  Random random(seed);
  const int width = c.width;
  c.scale = 1.0f / std::sqrt(static_cast<float>(width));
  const auto make = [&](int length) {
    std::vector<float> values = random.normal(std::int64_t{c.batch} * length * c.heads * width);
    round_values(values);
    return values;
  };
  const auto q = make(c.lq);
  auto k = make(c.lk), v = make(c.lk);
  const auto add_bias = [&](std::vector<float>& values, auto bias_of) {
    std::vector<float> bias(static_cast<std::size_t>(c.heads * width));
    for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = bias_of(i);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += bias[i % bias.size()];
    round_values(values);
  };
  if (c.key_bias != 0.0f)
    add_bias(k, [&](std::size_t i) {
      return i % 16 != 5 ? 0.0f : random.between(0, 1) ? c.key_bias : -c.key_bias;
    });
  if (c.value_bias != 0.0f) add_bias(v, [&](std::size_t) { return c.value_bias * random.normal(1).front(); });
  const auto bits = [](const std::vector<float>& values) {
    std::vector<std::uint16_t> out;
    for (const float value : values) out.push_back(float_to_bf16(value));
    return out;
  };
  c.q = bits(q), c.k = bits(k), c.v = bits(v);

  const auto reference = make_reference_backend();
  AttentionOptions options;
  options.scale = c.scale;
  if (c.listed) {
    KeyTilePlan& plan = c.plan;
    plan.heads = c.heads, plan.query_length = c.lq, plan.key_length = c.lk;
    const auto tiles = [](std::int64_t length, std::int64_t size) { return (length + size - 1) / size; };
    plan.first.push_back(0);
    for (std::int64_t i = 0; i < c.heads * tiles(c.lq, plan.query_tile); ++i) {
      const std::int64_t kept = random.between(0, tiles(c.lk, plan.key_tile) - 1);
      for (std::int64_t j = 0; j < tiles(c.lk, plan.key_tile); ++j) {
        if (j == kept || random.between(0, 1)) plan.tile.push_back(static_cast<std::int32_t>(j));
      }
      plan.first.push_back(static_cast<std::int32_t>(plan.tile.size()));
    }
    options.key_tiles = reference->prepare_key_tiles(plan);
  }
  const Shape queries = {c.batch, c.lq, c.heads, width}, keys = {c.batch, c.lk, c.heads, width};
  const Tensor y = reference->empty(DType::kF32, queries);
  reference->attention(put(*reference, q, queries), put(*reference, k, keys), put(*reference, v, keys), y,
                       options);
  c.expected = get(*reference, y);
}

}  // namespace rushes::kernels
