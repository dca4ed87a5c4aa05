// Numbers on their way through a disk: what is made in one order, needed in another, and too large to keep.
//
// A Scratch is a file without a name that is gone with the object or the process.
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "config/result.h"

namespace rushes::worker {

class Scratch {
 public:
  // A file on the disk of `folder`, which exists. Error: kExhausted (no space, not writable).
  static Result<Scratch> open(const std::filesystem::path& folder);
  Scratch(Scratch&& other) noexcept;
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch();

  // Positions count floats. Error: kExhausted (disk full); kInternal where nothing was written yet.
  Status write(std::uint64_t first, std::span<const float> values);
  Status read(std::uint64_t first, std::span<float> values) const;

 private:
  Scratch(int file, std::filesystem::path folder) : file_(file), folder_(std::move(folder)) {}
  int file_ = -1;
  std::filesystem::path folder_;
};

}  // namespace rushes::worker
