// An EXR file that is written into memory.
#pragma once

#include <ImfIO.h>

#include <algorithm>
#include <cstdint>
#include <string>

namespace rushes::config {

class MemoryStream : public Imf::OStream {
 public:
  MemoryStream() : Imf::OStream("memory") {}
  void write(const char c[], int n) override {
    all.replace(std::min(at, all.size()), static_cast<std::size_t>(n), c, static_cast<std::size_t>(n));
    at += static_cast<std::size_t>(n);
  }
  std::uint64_t tellp() override { return at; }
  void seekp(std::uint64_t position) override { at = position; }
  std::string all;
  std::size_t at = 0;
};

}  // namespace rushes::config
