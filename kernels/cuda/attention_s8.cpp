#include "kernels/cuda/attention_s8.h"

#include "kernels/cuda/device_api.h"
#include "kernels/cuda/kernel_table.h"

namespace rushes::kernels::cuda {

namespace {

// Where the operands lie in their memory.
struct Places {
  Places(Attention8Form form, const AttentionArguments& a, int batch, int width) {
    const auto heads = static_cast<std::size_t>(batch) * static_cast<std::size_t>(a.heads);
    const auto w = static_cast<std::size_t>(width), lq = static_cast<std::size_t>(a.lq),
               lk = static_cast<std::size_t>(a.lk), padded = static_cast<std::size_t>(padded_keys(a.lk));
    q = take(heads * lq * w);
    k = take(heads * lk * w);
    v = take(form == kValuesE4m3 ? heads * w * padded : 0);
    q_scale = take(heads * lq * 4);
    k_scale = take(heads * padded / kKeyGroup * 4);
    v_scale = take(heads * w * 4);
    mean = take(heads * w * 4);
    partial = take(heads * static_cast<std::size_t>(chunks(a.lk)) * 2 * w * 4);
  }
  std::size_t take(std::size_t count) {
    const std::size_t at = bytes;
    bytes += (count + 255) / 256 * 256;
    return at;
  }
  std::size_t bytes = 0;
  std::size_t q, k, v, q_scale, k_scale, v_scale, mean, partial;
};

template <typename T>
T* as(std::byte* memory, std::size_t at) {
  return reinterpret_cast<T*>(memory + at);
}

}  // namespace

std::size_t attention8_bytes(Attention8Form form, const AttentionArguments& a, int batch, int width) {
  return Places(form, a, batch, width).bytes;
}

Attention8Arguments attention8_arguments(Attention8Form form, const AttentionArguments& a, int batch,
                                         int width, std::byte* memory) {
  const Places at(form, a, batch, width);
  Attention8Arguments to;
  to.q = as<std::int8_t>(memory, at.q), to.k = as<std::int8_t>(memory, at.k);
  to.q_scale = as<float>(memory, at.q_scale), to.k_scale = as<float>(memory, at.k_scale);
  to.v = as<std::uint8_t>(memory, at.v), to.v_scale = as<float>(memory, at.v_scale);
  to.v16 = a.v, to.y = a.y;
  to.log_sum = a.log_sum, to.q16 = a.q, to.k_mean = as<float>(memory, at.mean), to.scale = a.scale;
  to.heads = a.heads, to.lq = a.lq, to.lk = a.lk, to.padded = padded_keys(a.lk);
  to.first = a.first, to.tile = a.tile, to.query_tile = a.query_tile, to.key_tile = a.key_tile;
  return to;
}

int launch_quantise(DeviceApi& api, Stream stream, Attention8Form form, const AttentionArguments& a,
                    int batch, int width, std::byte* memory) {
  const Places at(form, a, batch, width);
  const KernelTable& table = api.kernels();
  const int by_width = width / 128;
  auto *mean = as<float>(memory, at.mean), *partial = as<float>(memory, at.partial),
       *v_scale = as<float>(memory, at.v_scale);
  const ChunkStatisticsArguments chunked{a.k, a.v, partial, a.heads, a.lk};
  if (const int error = launch(api, table.chunk_statistics[by_width],
                               chunk_statistics_shape(chunked, batch, width), chunked, stream))
    return error;
  const StatisticsArguments whole{partial, mean, v_scale, a.heads, a.lk, chunks(a.lk)};
  if (const int error =
          launch(api, table.statistics[by_width], statistics_shape(whole, batch, width), whole, stream))
    return error;
  RoundRowsArguments queries{a.q, nullptr, as<std::int8_t>(memory, at.q), as<float>(memory, at.q_scale)};
  queries.heads = a.heads, queries.length = queries.scales = a.lq, queries.factor = a.scale * kLog2E;
  if (const int error =
          launch(api, table.round_queries[by_width], round_rows_shape(queries, batch), queries, stream))
    return error;
  RoundRowsArguments keys{a.k, mean, as<std::int8_t>(memory, at.k), as<float>(memory, at.k_scale)};
  keys.heads = a.heads, keys.length = a.lk, keys.scales = padded_keys(a.lk) / kKeyGroup;
  if (const int error = launch(api, table.round_keys[by_width], round_rows_shape(keys, batch), keys, stream))
    return error;
  if (form == kValuesBf16) return kSuccess;
  const RoundValuesArguments values{a.v, v_scale, as<std::uint8_t>(memory, at.v), a.heads, a.lk};
  return launch(api, table.round_values[by_width], round_values_shape(values, batch, width), values, stream);
}

int launch_attention8(DeviceApi& api, Stream stream, Attention8Form form, const AttentionArguments& a,
                      int batch, int width, std::byte* memory) {
  const Attention8Arguments arguments = attention8_arguments(form, a, batch, width, memory);
  return launch(api, api.kernels().attention_s8[form][width / 128],
                attention8_shape(form, arguments, batch, width), arguments, stream);
}

}  // namespace rushes::kernels::cuda
