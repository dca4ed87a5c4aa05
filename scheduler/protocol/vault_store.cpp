#include "scheduler/protocol/vault_store.h"

namespace rushes::protocol {
namespace {

class VaultUpload : public ArtifactStore::Upload {
 public:
  VaultUpload(storage::Vault& vault, storage::Vault::Upload upload) : vault_(vault), upload_(upload) {}
  VaultUpload(const VaultUpload&) = delete;
  VaultUpload& operator=(const VaultUpload&) = delete;
  ~VaultUpload() override {
    if (open_) vault_.abort(upload_);
  }
  Status append(std::string_view bytes) override {
    const auto received = vault_.add(upload_, received_, bytes);
    if (!received) return tl::unexpected(received.error());
    received_ = *received;
    return {};
  }
  Status commit() override {
    open_ = false;  // either way commit() ends the upload
    return vault_.commit(upload_);
  }

 private:
  storage::Vault& vault_;
  storage::Vault::Upload upload_;
  std::uint64_t received_ = 0;
  bool open_ = true;
};

}  // namespace

VaultStore::VaultStore(storage::Vault& vault, std::filesystem::path folder, std::uint64_t disk_reserve)
    : vault_(vault), folder_(std::move(folder)), disk_reserve_(disk_reserve) {}

Result<std::uint64_t> VaultStore::size(const Digest& digest) {
  const auto found = vault_.find(digest);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return fail(ErrorKind::kNotFound, "artifact " + to_hex(digest) + " is not in the vault");
  return (*found)->bytes;
}

Result<std::string> VaultStore::read(const Digest& digest, std::uint64_t offset, std::size_t length) {
  return vault_.read(digest, offset, length);
}

Result<std::unique_ptr<ArtifactStore::Upload>> VaultStore::begin(const Digest& digest, std::uint64_t bytes) {
  std::error_code error;
  const auto space = std::filesystem::space(folder_, error);
  if (!error && space.available < disk_reserve_ + bytes)
    return fail(ErrorKind::kExhausted, "the farm's disk is full: " + std::to_string(space.available >> 20) +
                                           " MiB are left in " + folder_.string() + ", " +
                                           std::to_string(disk_reserve_ >> 20) + " MiB are kept in reserve");
  const auto upload = vault_.begin(digest, bytes);
  if (!upload) return tl::unexpected(upload.error());
  return std::make_unique<VaultUpload>(vault_, *upload);
}

}  // namespace rushes::protocol
