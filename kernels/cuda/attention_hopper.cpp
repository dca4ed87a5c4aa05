#include "kernels/cuda/attention_hopper.h"

#include "kernels/cuda/device_api.h"

namespace rushes::kernels::cuda {

TensorMapShape hopper_map_shape(const std::uint16_t* start, int width, int heads, int length, int batch,
                                int box_rows, int box_halves) {
  const auto count = [](int n) { return static_cast<std::uint64_t>(n); };
  TensorMapShape shape;
  shape.rank = 5;
  shape.start = start;
  const std::uint64_t row = count(heads) * count(width) * 2;
  const std::uint64_t size[5] = {64, count(length), count(width / 64), count(heads), count(batch)};
  const std::uint64_t stride[5] = {2, row, 128, count(width) * 2, row * count(length)};
  const std::uint32_t box[5] = {64, static_cast<std::uint32_t>(box_rows),
                                static_cast<std::uint32_t>(box_halves), 1, 1};
  for (int i = 0; i < 5; ++i)
    shape.size[i] = size[i], shape.stride_bytes[i] = stride[i], shape.box[i] = box[i];
  return shape;
}

int hopper_attention_arguments(DeviceApi& api, HopperIndex index, const AttentionArguments& a, int batch,
                               HopperAttentionArguments* to) {
  const HopperForm& form = kHopperForm[index];
  const auto keys = [&](const std::uint16_t* start) {
    return hopper_map_shape(start, form.width, a.heads, a.lk, batch, form.box_keys(), form.box_halves());
  };
  if (const int error = api.encode_tensor_map(
          &to->q, hopper_map_shape(a.q, form.width, a.heads, a.lq, batch, kHopperQueries, form.halves())))
    return error;
  if (const int error = api.encode_tensor_map(&to->k, keys(a.k))) return error;
  if (const int error = api.encode_tensor_map(&to->v, keys(a.v))) return error;
  to->y = a.y, to->log_sum = a.log_sum;
  to->heads = a.heads, to->lq = a.lq, to->lk = a.lk, to->scale = a.scale;
  to->first = a.first, to->tile = a.tile, to->query_tile = a.query_tile, to->key_tile = a.key_tile;
  return kSuccess;
}

LaunchShape hopper_attention_shape(HopperIndex index, const AttentionArguments& a, int batch) {
  const HopperForm& form = kHopperForm[index];
  const int tiles = (a.lq + a.query_tile - 1) / a.query_tile;
  int blocks = tiles * ((a.query_tile + kHopperQueries - 1) / kHopperQueries);
  blocks = (blocks + form.cluster - 1) / form.cluster * form.cluster;
  // Blocks of queries are the fastest index: neighbours share one head's keys in the L2 cache.
  LaunchShape shape;
  shape.grid[0] = static_cast<std::uint32_t>(blocks), shape.grid[1] = static_cast<std::uint32_t>(a.heads),
  shape.grid[2] = static_cast<std::uint32_t>(batch);
  shape.threads = kHopperThreads;
  shape.shared_bytes = static_cast<std::uint32_t>(form.shared_bytes());
  shape.cluster = static_cast<std::uint32_t>(form.cluster);
  return shape;
}

}  // namespace rushes::kernels::cuda
