#include "kernels/eight_bit.h"

#include <algorithm>
#include <cmath>

#include "kernels/backend.h"

namespace rushes::kernels {

namespace {

std::size_t size(std::int64_t count) { return static_cast<std::size_t>(count); }

// Where row `row` of a head lies in [B, length, heads, width].
std::size_t row_at(const EightBitShape& s, int length, int b, int row, int head) {
  return size(((std::int64_t{b} * length + row) * s.heads + head) * s.width);
}

// NaN is larger than anything.
float larger(float top, float x) { return x > top || std::isnan(x) ? x : top; }
float scale_of(float top, float largest) { return top < kSmallest ? 1.0f : top / largest; }

std::int8_t to_int8(float x, float inverse) {
  const float steps = x * inverse;
  return std::isnan(steps) ? std::int8_t{0} : static_cast<std::int8_t>(std::nearbyint(steps));
}

void quantise_queries(const EightBitShape& s, const std::uint16_t* q, EightBitOperands& to) {
  to.q.resize(size(std::int64_t{s.batch} * s.lq * s.heads * s.width));
  to.q_scale.resize(size(std::int64_t{s.batch} * s.heads * s.lq));
  for (int b = 0; b < s.batch; ++b)
    for (int h = 0; h < s.heads; ++h)
      for (int i = 0; i < s.lq; ++i) {
        const std::size_t at = row_at(s, s.lq, b, i, h);
        float top = 0.0f;
        for (int c = 0; c < s.width; ++c) top = larger(top, std::fabs(bf16_to_float(q[at + size(c)])));
        const float scale = scale_of(top, kLargestInt8), inverse = 1.0f / scale;
        for (int c = 0; c < s.width; ++c)
          to.q[at + size(c)] = to_int8(bf16_to_float(q[at + size(c)]), inverse);
        to.q_scale[size((std::int64_t{b} * s.heads + h) * s.lq + i)] = scale * (s.scale * kLog2E);
      }
}

std::vector<float> mean_of_keys(const EightBitShape& s, const std::uint16_t* k, int b, int h) {
  std::vector<float> mean(size(s.width));
  for (int c = 0; c < s.width; ++c) {
    float total = 0.0f;
    for (int chunk = 0; chunk < s.lk; chunk += kChunkKeys) {
      float sum = 0.0f;
      for (int r = 0; r < kChunkRows; ++r) {
        float part = 0.0f;
        for (int j = chunk + r; j < std::min(chunk + kChunkKeys, s.lk); j += kChunkRows)
          part += bf16_to_float(k[row_at(s, s.lk, b, j, h) + size(c)]);
        sum += part;
      }
      total += sum;
    }
    mean[size(c)] = total / static_cast<float>(s.lk);
  }
  return mean;
}

void quantise_keys(const EightBitShape& s, const std::uint16_t* k, EightBitOperands& to) {
  const int groups = padded_keys(s.lk) / kKeyGroup;
  to.k.resize(size(std::int64_t{s.batch} * s.lk * s.heads * s.width));
  to.k_scale.assign(size(std::int64_t{s.batch} * s.heads * groups), 1.0f);
  for (int b = 0; b < s.batch; ++b)
    for (int h = 0; h < s.heads; ++h) {
      const std::vector<float> mean = mean_of_keys(s, k, b, h);
      for (int first = 0; first < s.lk; first += kKeyGroup) {
        const int end = std::min(first + kKeyGroup, s.lk);
        const auto value = [&](int j, int c) {
          return bf16_to_float(k[row_at(s, s.lk, b, j, h) + size(c)]) - mean[size(c)];
        };
        float top = 0.0f;
        for (int j = first; j < end; ++j)
          for (int c = 0; c < s.width; ++c) top = larger(top, std::fabs(value(j, c)));
        const float scale = scale_of(top, kLargestInt8), inverse = 1.0f / scale;
        for (int j = first; j < end; ++j)
          for (int c = 0; c < s.width; ++c)
            to.k[row_at(s, s.lk, b, j, h) + size(c)] = to_int8(value(j, c), inverse);
        to.k_scale[size((std::int64_t{b} * s.heads + h) * groups + first / kKeyGroup)] = scale;
      }
    }
}

void quantise_values(const EightBitShape& s, const std::uint16_t* v, EightBitOperands& to) {
  const int padded = padded_keys(s.lk);
  to.v.assign(size(std::int64_t{s.batch} * s.heads * s.width * padded), 0);
  to.v_scale.resize(size(std::int64_t{s.batch} * s.heads * s.width));
  for (int b = 0; b < s.batch; ++b)
    for (int h = 0; h < s.heads; ++h)
      for (int c = 0; c < s.width; ++c) {
        const auto value = [&](int j) { return bf16_to_float(v[row_at(s, s.lk, b, j, h) + size(c)]); };
        float top = 0.0f;
        for (int j = 0; j < s.lk; ++j) top = larger(top, std::fabs(value(j)));
        const float scale = scale_of(top, kLargestE4m3), inverse = 1.0f / scale;
        const std::int64_t row = (std::int64_t{b} * s.heads + h) * s.width + c;
        for (int j = 0; j < s.lk; ++j)
          to.v[size(row * padded + value_place(j))] = float_to_f8e4m3(value(j) * inverse);
        to.v_scale[size(row)] = scale;
      }
}

// The keys that query `i` of head `h` attends to.
std::vector<int> keys_of(const EightBitShape& s, const KeyTilePlan* plan, int h, int i) {
  std::vector<int> keys;
  const auto add = [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t j = from; j < std::min<std::int64_t>(to, s.lk); ++j)
      keys.push_back(static_cast<int>(j));
  };
  if (!plan) {
    add(0, s.lk);
    return keys;
  }
  const std::int64_t query_tiles = (plan->query_length + plan->query_tile - 1) / plan->query_tile;
  const auto list = size(h * query_tiles + i / plan->query_tile);
  for (std::int32_t n = plan->first[list]; n < plan->first[list + 1]; ++n)
    add(plan->tile[size(n)] * plan->key_tile, (plan->tile[size(n)] + 1) * plan->key_tile);
  return keys;
}

}  // namespace

EightBitOperands quantise(const EightBitShape& shape, const std::uint16_t* q, const std::uint16_t* k,
                          const std::uint16_t* v) {
  EightBitOperands operands;
  quantise_queries(shape, q, operands);
  quantise_keys(shape, k, operands);
  quantise_values(shape, v, operands);
  return operands;
}

std::vector<float> attend(const EightBitShape& s, const EightBitOperands& o, const KeyTilePlan* plan) {
  const int padded = padded_keys(s.lk), groups = padded / kKeyGroup;
  std::vector<float> y(o.q.size());
  std::vector<double> weight, sum(size(s.width));
  for (int b = 0; b < s.batch; ++b)
    for (int h = 0; h < s.heads; ++h)
      for (int i = 0; i < s.lq; ++i) {
        const std::int64_t head = std::int64_t{b} * s.heads + h;
        const std::vector<int> keys = keys_of(s, plan, h, i);
        const std::int8_t* left = &o.q[row_at(s, s.lq, b, i, h)];
        weight.clear();
        for (const int j : keys) {
          const std::int8_t* right = &o.k[row_at(s, s.lk, b, j, h)];
          int dot = 0;
          for (int c = 0; c < s.width; ++c) dot += left[c] * right[c];
          weight.push_back(dot * static_cast<double>(o.k_scale[size(head * groups + j / kKeyGroup)]) *
                           static_cast<double>(o.q_scale[size(head * s.lq + i)]));
        }
        const double top = *std::max_element(weight.begin(), weight.end());
        double total = 0;
        std::fill(sum.begin(), sum.end(), 0.0);
        for (std::size_t n = 0; n < keys.size(); ++n) {
          const double p = std::exp2(weight[n] - top);
          total += p;
          for (int c = 0; c < s.width; ++c)
            sum[size(c)] += p * static_cast<double>(f8e4m3_to_float(
                                    o.v[size((head * s.width + c) * padded + value_place(keys[n]))]));
        }
        for (int c = 0; c < s.width; ++c)
          y[row_at(s, s.lq, b, i, h) + size(c)] = static_cast<float>(
              sum[size(c)] / total * static_cast<double>(o.v_scale[size(head * s.width + c)]));
      }
  return y;
}

}  // namespace rushes::kernels
