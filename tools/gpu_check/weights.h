// Random weights of given shapes, without the memory that they would take: the same numbers lie behind every page.
//
// A shapes file has a line for each tensor: name, "weight" (normal numbers) or "gain" (near one), dimensions.
// Thread contract: immutable.
#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "worker/model/safetensors.h"

namespace rushes::gpu_check {

class RandomWeights {
 public:
  RandomWeights(const std::string& shapes_file, bool small);
  ~RandomWeights();
  RandomWeights(const RandomWeights&) = delete;
  RandomWeights& operator=(const RandomWeights&) = delete;

  const worker::TensorFile& file() const { return *file_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* start_ = nullptr;
  std::size_t bytes_ = 0;
  std::optional<worker::TensorFile> file_;
};

// The value, or what went wrong as std::runtime_error.
template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

}  // namespace rushes::gpu_check
