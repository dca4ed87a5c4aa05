#include "tests/kernels/hopper_runs.h"

#include "tests/kernels/device_memory.h"

namespace rushes::kernels::cuda {

namespace {

struct Operands {
  DeviceVector<std::uint16_t> q, k, v, y;
  DeviceVector<std::int32_t> first, tile;
  DeviceVector<float> log_sum;

  Operands(Queue& queue, const AttentionCase& c)
      : q(queue, c.q),
        k(queue, c.k),
        v(queue, c.v),
        y(queue, std::vector<std::uint16_t>(c.q.size(), 0x7fc0)),  // NaN where nothing is written
        first(queue, c.plan.first),
        tile(queue, c.plan.tile),
        log_sum(queue,
                std::vector<float>(static_cast<std::size_t>(c.batch * c.heads * c.lq), std::nanf(""))) {}

  AttentionArguments arguments(const AttentionCase& c, bool with_log_sum) const {
    AttentionArguments a{q.data(), k.data(), v.data(), y.data(), c.heads, c.lq, c.lk, c.scale};
    a.query_tile = c.listed ? static_cast<int>(c.plan.query_tile) : c.lq;
    a.key_tile = c.listed ? static_cast<int>(c.plan.key_tile) : c.lk;
    if (c.listed) a.first = first.data(), a.tile = tile.data();
    if (with_log_sum) a.log_sum = log_sum.data();
    return a;
  }
  AttentionResult result(DeviceApi& api, const Queue& queue) const {
    AttentionResult found;
    found.error = api.stream_synchronize(queue.stream);
    if (found.error) return found;
    for (const std::uint16_t bits : y.values()) found.y.push_back(bf16_to_float(bits));
    found.log_sum = log_sum.values();
    return found;
  }
};

}  // namespace

AttentionResult run_portable(DeviceApi& api, const AttentionCase& c, bool with_log_sum) {
  Queue queue(api);
  const Operands operands(queue, c);
  const AttentionArguments a = operands.arguments(c, with_log_sum);
  const auto& kernel = c.width == 64 ? api.kernels().attention_64 : api.kernels().attention_128;
  check(api, launch(api, kernel, attention_shape(a, c.batch, c.width), a, queue.stream), kernel.name);
  return operands.result(api, queue);
}

AttentionResult run_hopper(DeviceApi& api, const AttentionCase& c, bool cluster, bool with_log_sum) {
  Queue queue(api);
  const Operands operands(queue, c);
  const AttentionArguments a = operands.arguments(c, with_log_sum);
  if (!hopper_attention_takes(a, c.width))
    throw DeviceFault(kInvalidValue, "no Hopper kernel takes this case");
  const HopperIndex index = hopper_attention_index(a, c.width, cluster);
  HopperAttentionArguments arguments;
  check(api, hopper_attention_arguments(api, index, a, c.batch, &arguments), "cuTensorMapEncodeTiled");
  check(api,
        launch(api, api.kernels().attention_hopper[index], hopper_attention_shape(index, a, c.batch),
               arguments, queue.stream),
        "attention_hopper");
  return operands.result(api, queue);
}

std::vector<float> expected_log_sum(const AttentionCase& c) {
  std::vector<float> out, q, k;
  for (const std::uint16_t bits : c.q) q.push_back(bf16_to_float(bits));
  for (const std::uint16_t bits : c.k) k.push_back(bf16_to_float(bits));
  const auto query_tiles = c.listed ? (c.lq + c.plan.query_tile - 1) / c.plan.query_tile : std::int64_t{0};
  for (int b = 0; b < c.batch; ++b)
    for (int h = 0; h < c.heads; ++h)
      for (int i = 0; i < c.lq; ++i) {
        double sum = 0;
        const auto at = [&](int length, int row) {
          return static_cast<std::size_t>(((b * length + row) * c.heads + h) * c.width);
        };
        const auto add = [&](std::int64_t from, std::int64_t to) {
          for (std::int64_t j = from; j < std::min<std::int64_t>(to, c.lk); ++j) {
            double dot = 0;
            const float *left = &q[at(c.lq, i)], *right = &k[at(c.lk, static_cast<int>(j))];
            for (int x = 0; x < c.width; ++x) dot += double{left[x]} * double{right[x]};
            sum += std::exp(dot * double{c.scale});
          }
        };
        if (c.listed) {
          const auto list = static_cast<std::size_t>(h * query_tiles + i / c.plan.query_tile);
          for (int n = c.plan.first[list]; n < c.plan.first[list + 1]; ++n) {
            const std::int64_t tile = c.plan.tile[static_cast<std::size_t>(n)];
            add(tile * c.plan.key_tile, (tile + 1) * c.plan.key_tile);
          }
        } else {
          add(0, c.lk);
        }
        out.push_back(static_cast<float>(std::log(sum)));
      }
  return out;
}

}  // namespace rushes::kernels::cuda
