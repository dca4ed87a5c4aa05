// The scheduler's vault as the place where the artifact server keeps what it receives.
//
// Thread contract: as ArtifactStore: the artifact thread.
#pragma once

#include "scheduler/protocol/endpoint.h"
#include "storage/vault.h"

namespace rushes::protocol {

class VaultStore : public ArtifactStore {
 public:
  // Refuses uploads that would leave less than `disk_reserve` bytes free on the disk of `folder` (the
  // vault's), so that the ledger can always write.
  VaultStore(storage::Vault& vault, std::filesystem::path folder, std::uint64_t disk_reserve);
  Result<std::uint64_t> size(const Digest& digest) override;
  Result<std::uint64_t> renew(const Digest& digest) override { return vault_.renew(digest); }
  Result<std::string> read(const Digest& digest, std::uint64_t offset, std::size_t length) override;
  Result<std::unique_ptr<Upload>> begin(const Digest& digest, std::uint64_t bytes) override;

 private:
  storage::Vault& vault_;
  std::filesystem::path folder_;
  std::uint64_t disk_reserve_;
};

}  // namespace rushes::protocol
