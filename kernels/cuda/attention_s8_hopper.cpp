#include "kernels/cuda/attention_s8_hopper.h"

#include "kernels/cuda/device_api.h"
#include "kernels/cuda/kernel_table.h"

namespace rushes::kernels::cuda {

namespace {

// Rows of bytes: `columns` of them, `rows` rows that lie row_bytes apart, for each head and batch entry. The third of the
// five dimensions that tma_load() names is 1.
TensorMapShape map_shape(const void* start, int columns, int rows, std::uint64_t row_bytes, int heads,
                         std::uint64_t head_bytes, int batch, std::uint64_t batch_bytes, int box_rows) {
  const auto count = [](int n) { return static_cast<std::uint64_t>(n); };
  TensorMapShape shape;
  shape.rank = 5;
  shape.element_bytes = 1;
  shape.start = start;
  const std::uint64_t size[5] = {count(columns), count(rows), 1, count(heads), count(batch)};
  const std::uint64_t stride[5] = {1, row_bytes, head_bytes, head_bytes, batch_bytes};
  const std::uint32_t box[5] = {128, static_cast<std::uint32_t>(box_rows), 1, 1, 1};
  for (int i = 0; i < 5; ++i)
    shape.size[i] = size[i], shape.stride_bytes[i] = stride[i], shape.box[i] = box[i];
  return shape;
}

}  // namespace

int hopper_attention8_arguments(DeviceApi& api, const Attention8Arguments& a, int batch,
                                HopperAttention8Arguments* to) {
  constexpr int kWidth = kHopper8Width;
  const auto tokens = [&](const std::int8_t* start, int length, int box_rows) {
    const std::uint64_t row = static_cast<std::uint64_t>(a.heads) * kWidth;
    return map_shape(start, kWidth, length, row, a.heads, kWidth, batch,
                     row * static_cast<std::uint64_t>(length), box_rows);
  };
  if (const int error = api.encode_tensor_map(&to->q, tokens(a.q, a.lq, kHopper8Queries))) return error;
  if (const int error = api.encode_tensor_map(&to->k, tokens(a.k, a.lk, kHopper8Keys))) return error;
  const auto row = static_cast<std::uint64_t>(a.padded), head = row * kWidth;
  if (const int error =
          api.encode_tensor_map(&to->v, map_shape(a.v, a.padded, kWidth, row, a.heads, head, batch,
                                                  head * static_cast<std::uint64_t>(a.heads), kWidth)))
    return error;
  to->a = a;
  return kSuccess;
}

LaunchShape hopper_attention8_shape(const Attention8Arguments& a, int batch) {
  const int tiles = (a.lq + a.query_tile - 1) / a.query_tile;
  const int blocks = tiles * ((a.query_tile + kHopper8Queries - 1) / kHopper8Queries);
  // Blocks of queries are the fastest index: neighbours share one head's keys in the L2 cache.
  LaunchShape shape;
  shape.grid[0] = static_cast<std::uint32_t>(blocks), shape.grid[1] = static_cast<std::uint32_t>(a.heads),
  shape.grid[2] = static_cast<std::uint32_t>(batch);
  shape.threads = kHopper8Threads;
  shape.shared_bytes = kHopper8SharedBytes;
  return shape;
}

int launch_hopper_attention8(DeviceApi& api, Stream stream, const AttentionArguments& a, int batch,
                             std::byte* memory) {
  const Attention8Arguments operands = attention8_arguments(kValuesE4m3, a, batch, kHopper8Width, memory);
  HopperAttention8Arguments arguments;
  if (const int error = hopper_attention8_arguments(api, operands, batch, &arguments)) return error;
  return launch(api, api.kernels().attention_s8_hopper, hopper_attention8_shape(operands, batch), arguments,
                stream);
}

}  // namespace rushes::kernels::cuda
