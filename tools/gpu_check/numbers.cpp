#include "tools/gpu_check/numbers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "kernels/tensor.h"

namespace rushes::gpu_check {

Nearness nearness(std::span<const float> values, std::span<const float> expected) {
  if (values.size() != expected.size()) return {INFINITY, 0};
  double difference = 0, own = 0, norm = 0, dot = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double a = values[i], b = expected[i];
    difference += (a - b) * (a - b);
    own += a * a, norm += b * b, dot += a * b;
  }
  return {std::sqrt(difference / norm), dot / std::sqrt(own * norm)};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::vector<float> normal_values(std::uint64_t seed, std::size_t count, float deviation) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<float> distribution(0.0f, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = distribution(engine);
  return values;
}

RandomBlock::RandomBlock(std::uint64_t seed, std::size_t count, float deviation)
    : values_(normal_values(seed, count, deviation)) {
  bits_.reserve(count);
  for (float& value : values_) {
    bits_.push_back(kernels::float_to_bf16(value));
    value = kernels::bf16_to_float(bits_.back());
  }
}

void RandomBlock::fill(Machine& machine, void* to, std::size_t count, std::size_t offset) const {
  cuda::CudaDevice& device = machine.device();
  const auto entered = device.enter();
  const std::size_t period = bits_.size(), first = std::min(count, period);
  device.upload(to, first * 2, [&](std::byte* pinned, std::size_t from, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes / 2; ++i)
      std::memcpy(pinned + 2 * i, &bits_[(offset + from / 2 + i) % period], 2);
  });
  auto* start = static_cast<std::byte*>(to);
  for (std::size_t done = first; done < count;) {
    const std::size_t piece = std::min(done, count - done);  // whole periods lie before `done`
    cuda::check(machine.api(),
                machine.api().memcpy_async(start + 2 * done, start, 2 * piece, cuda::CopyKind::kOnDevice,
                                           device.stream()),
                "cudaMemcpyAsync");
    done += piece;
  }
}

}  // namespace rushes::gpu_check
