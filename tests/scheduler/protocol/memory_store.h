// An artifact store for tests of the transfer.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "scheduler/protocol/endpoint.h"

namespace rushes::protocol::test {

// Keeps artifacts in memory, and verifies them as the vault does.
class MemoryStore : public ArtifactStore {
 public:
  class MemoryUpload : public Upload {
   public:
    MemoryUpload(MemoryStore& store, const Digest& digest) : store_(store), digest_(digest) {}
    Status append(std::string_view bytes) override {
      bytes_ += bytes;
      return {};
    }
    Status commit() override {
      if (digest_of(bytes_) != digest_) return fail(ErrorKind::kCorrupt, "the digest is another");
      store_.held[digest_] = bytes_;
      return {};
    }

   private:
    MemoryStore& store_;
    Digest digest_;
    std::string bytes_;
  };

  Result<std::uint64_t> size(const Digest& digest) override {
    if (!held.contains(digest)) return fail(ErrorKind::kNotFound, "no such artifact");
    return held[digest].size();
  }
  Result<std::string> read(const Digest& digest, std::uint64_t offset, std::size_t length) override {
    return held[digest].substr(offset, length);
  }
  Result<std::unique_ptr<Upload>> begin(const Digest& digest, std::uint64_t) override {
    ++begun;
    return std::make_unique<MemoryUpload>(*this, digest);
  }

  std::map<Digest, std::string> held;
  int begun = 0;
};

}  // namespace rushes::protocol::test
