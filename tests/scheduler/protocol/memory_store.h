// An artifact store for tests of the transfer.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "scheduler/protocol/endpoint.h"

namespace rushes::protocol::test {

// Keeps artifacts in memory, and verifies them as the vault does.
//
// Thread contract: the server's thread and the test's may use it at once.
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
      store_.hold(bytes_);
      return {};
    }

   private:
    MemoryStore& store_;
    Digest digest_;
    std::string bytes_;
  };

  Result<std::uint64_t> size(const Digest& digest) override {
    const auto bytes = find(digest);
    if (!bytes) return fail(ErrorKind::kNotFound, "no such artifact");
    return bytes->size();
  }
  Result<std::string> read(const Digest& digest, std::uint64_t offset, std::size_t length) override {
    return find(digest).value().substr(offset, length);
  }
  Result<std::unique_ptr<Upload>> begin(const Digest& digest, std::uint64_t) override {
    std::lock_guard lock(mutex_);
    ++begun_;
    return std::make_unique<MemoryUpload>(*this, digest);
  }

  void hold(const std::string& bytes) {
    std::lock_guard lock(mutex_);
    held_[digest_of(bytes)] = bytes;
  }
  std::optional<std::string> find(const Digest& digest) const {
    std::lock_guard lock(mutex_);
    const auto found = held_.find(digest);
    return found == held_.end() ? std::nullopt : std::optional(found->second);
  }
  bool empty() const {
    std::lock_guard lock(mutex_);
    return held_.empty();
  }
  int begun() const {  // uploads
    std::lock_guard lock(mutex_);
    return begun_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<Digest, std::string> held_;
  int begun_ = 0;
};

}  // namespace rushes::protocol::test
