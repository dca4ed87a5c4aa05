#include "kernels/cuda/quantise.h"

#include <ptx/warp.h>

#include "kernels/cuda/forms.h"
// After warp.h:
#include "kernels/cuda/quantise_access.h"

namespace rushes::kernels::cuda {
namespace {

template <int kWidth>
RUSHES_KERNEL(kChunkRows* kWidth / 8)
chunk_statistics_kernel(RUSHES_ARGUMENTS(ChunkStatisticsArguments) a) {
  constexpr int kLanes = kWidth / 8;
  const int chunk = device::block_x(), head = device::block_y(), batch = device::block_z();
  const int row = device::thread_index() / kLanes, column = device::thread_index() % kLanes * 8;
  const int first = chunk * kChunkKeys, end = first + kChunkKeys < a.lk ? first + kChunkKeys : a.lk;
  float sum[8] = {}, top[8] = {};
  for (int key = first + row; key < end; key += kChunkRows) {
    const std::int64_t at =
        ((static_cast<std::int64_t>(batch) * a.lk + key) * a.heads + head) * kWidth + column;
    float k[8], v[8];
    device::load_bf16(k, a.k + at);
    device::load_bf16(v, a.v + at);
    RUSHES_UNROLL
    for (int i = 0; i < 8; ++i) {
      sum[i] += k[i];
      top[i] = device::larger(top[i], fabsf(v[i]));
    }
  }
  auto* sums = reinterpret_cast<float*>(device::shared_memory());  // [kChunkRows][kWidth]
  float* tops = sums + kChunkRows * kWidth;
  RUSHES_UNROLL
  for (int i = 0; i < 8; ++i) {
    sums[row * kWidth + column + i] = sum[i];
    tops[row * kWidth + column + i] = top[i];
  }
  if (!RUSHES_MUTATION(51)) device::sync_block();
  const int c = device::thread_index();
  if (c >= kWidth) return;
  float total = 0.0f, largest = 0.0f;
  for (int r = 0; r < kChunkRows; ++r) {
    total += sums[r * kWidth + c];
    largest = device::larger(largest, tops[r * kWidth + c]);
  }
  float* to = a.partial +
              ((static_cast<std::int64_t>(batch) * a.heads + head) * device::grid_x() + chunk) * 2 * kWidth;
  to[c] = total;
  to[kWidth + c] = largest;
}

template <int kWidth>
RUSHES_KERNEL(kWidth)
statistics_kernel(RUSHES_ARGUMENTS(StatisticsArguments) a) {
  const int c = device::thread_index();
  const std::int64_t head = static_cast<std::int64_t>(device::block_z()) * a.heads + device::block_y();
  const float* from = a.partial + head * a.chunks * 2 * kWidth + c;
  float total = 0.0f, largest = 0.0f;
  for (int chunk = 0; chunk < a.chunks; ++chunk, from += 2 * kWidth) {
    total += from[0];
    largest = device::larger(largest, from[kWidth]);
  }
  a.mean[head * kWidth + c] = total / static_cast<float>(a.lk);
  a.v_scale[head * kWidth + c] = device::scale_of(largest, kLargestE4m3);
}

// A warp has kKeyGroup rows, several at a time: kLanes threads of eight columns a row.
template <int kWidth, bool kKeys>
RUSHES_KERNEL(kRoundThreads)
round_rows_kernel(RUSHES_ARGUMENTS(RoundRowsArguments) a) {
  constexpr int kLanes = kWidth / 8, kRows = 32 / kLanes, kRounds = kKeyGroup / kRows;
  const int head = device::block_y(), batch = device::block_z(), lane = device::thread_index() % 32;
  const int first = device::block_x() * kRoundRows + device::thread_index() / 32 * kKeyGroup;
  const int row = first + lane / kLanes, column = lane % kLanes * 8;
  const std::int64_t heads_before = static_cast<std::int64_t>(batch) * a.heads + head;
  if (first >= (kKeys ? a.scales * kKeyGroup : a.length)) return;
  float mean[8] = {}, x[kRounds][8], top[kRounds];
  if constexpr (kKeys) {
    RUSHES_UNROLL
    for (int i = 0; i < 8; ++i) mean[i] = a.mean[heads_before * kWidth + column + i];
  }
  const auto at = [&](int round) {
    return ((static_cast<std::int64_t>(batch) * a.length + row + round * kRows) * a.heads + head) * kWidth +
           column;
  };
  RUSHES_UNROLL
  for (int round = 0; round < kRounds; ++round) {
    top[round] = 0.0f;
    if (row + round * kRows >= a.length) continue;
    device::load_bf16(x[round], a.x + at(round));
    RUSHES_UNROLL
    for (int i = 0; i < 8; ++i) {
      if (!RUSHES_MUTATION(52)) x[round][i] -= mean[i];
      top[round] = device::larger(top[round], fabsf(x[round][i]));
    }
  }
  RUSHES_UNROLL
  for (int round = 0; round < kRounds; ++round) {
    if (kKeys && round > 0) top[0] = device::larger(top[0], top[round]);
    if (!kKeys) top[round] = device::largest_of_lanes<kLanes>(top[round]);
  }
  if (kKeys) top[0] = device::largest_of_lanes<32>(top[0]);
  RUSHES_UNROLL
  for (int round = 0; round < kRounds; ++round) {
    const float scale = device::scale_of(top[kKeys ? 0 : round], kLargestInt8), inverse = 1.0f / scale;
    const int number = kKeys ? first / kKeyGroup : row + round * kRows;
    if ((kKeys ? lane == 0 && round == 0 : lane % kLanes == 0) && number < a.scales)
      a.scale[heads_before * a.scales + number] = scale * a.factor;
    if (row + round * kRows < a.length) device::store_int8(a.to + at(round), x[round], inverse);
  }
}

}  // namespace

void RUSHES_FORM::add_quantise(KernelTable& table) {
  table.chunk_statistics[0] = RUSHES_HANDLE("chunk_statistics_64", false, chunk_statistics_kernel<64>);
  table.chunk_statistics[1] = RUSHES_HANDLE("chunk_statistics_128", false, chunk_statistics_kernel<128>);
  table.statistics[0] = RUSHES_HANDLE("statistics_64", true, statistics_kernel<64>);
  table.statistics[1] = RUSHES_HANDLE("statistics_128", true, statistics_kernel<128>);
  table.round_queries[0] = RUSHES_HANDLE("round_queries_64", false, round_rows_kernel<64, false>);
  table.round_queries[1] = RUSHES_HANDLE("round_queries_128", false, round_rows_kernel<128, false>);
  table.round_keys[0] = RUSHES_HANDLE("round_keys_64", false, round_rows_kernel<64, true>);
  table.round_keys[1] = RUSHES_HANDLE("round_keys_128", false, round_rows_kernel<128, true>);
}

}  // namespace rushes::kernels::cuda
