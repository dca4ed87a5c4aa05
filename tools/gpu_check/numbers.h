// Random numbers on the host and on the device, and how near two results are.
//
// Thread contract: pure functions; RandomBlock immutable.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tools/gpu_check/machine.h"

namespace rushes::gpu_check {

struct Nearness {
  double distance = 0;  // ||a - b|| / ||b||
  double cosine = 0;
  Reply& add_to(Reply& reply) const { return reply.add("rel_l2", distance).add("cosine", cosine); }
};
Nearness nearness(std::span<const float> values, std::span<const float> expected);
double median(std::vector<double> values);

std::vector<float> normal_values(std::uint64_t seed, std::size_t count, float deviation = 1.0f);

// Normal numbers in bf16. Larger tensors repeat it from an offset of their own: making them anew would take longer than
// what is measured, and the host knows each element.
class RandomBlock {
 public:
  RandomBlock(std::uint64_t seed, std::size_t count, float deviation = 1.0f);
  const std::vector<std::uint16_t>& bits() const { return bits_; }
  float at(std::size_t offset, std::size_t i) const { return values_[(offset + i) % values_.size()]; }
  // Queues `count` elements from `offset` on to device memory.
  void fill(Machine& machine, void* to, std::size_t count, std::size_t offset) const;

 private:
  std::vector<std::uint16_t> bits_;
  std::vector<float> values_;
};

}  // namespace rushes::gpu_check
