// Whole artifacts through the vault: stored at once, read at once, and read for their digest alone.
#include "storage/vault.h"
#include "storage/vault_rows.h"

namespace rushes::storage {

Result<Digest> Vault::put(std::string_view bytes) {
  const Digest digest = digest_of(bytes);
  auto present = find(digest);
  if (!present) return tl::unexpected<Error>(present.error());
  if (*present && renew(digest)) return digest;
  const auto upload = begin(digest, bytes.size());
  if (!upload) return tl::unexpected<Error>(upload.error());
  if (auto added = add(*upload, 0, bytes); !added) {
    abort(*upload);
    return tl::unexpected<Error>(added.error());
  }
  if (auto committed = commit(*upload); !committed) return tl::unexpected<Error>(committed.error());
  return digest;
}

Result<std::string> Vault::read_all(const Digest& digest, std::uint64_t limit) const {
  const auto stored = find(digest);
  if (!stored) return tl::unexpected<Error>(stored.error());
  if (*stored && (*stored)->bytes > limit)
    return fail(ErrorKind::kInvalid, "artifact " + to_hex(digest) + " has " +
                                         std::to_string((*stored)->bytes) + " bytes, at most " +
                                         std::to_string(limit) + " are read at once");
  auto bytes = read(digest, 0, limit);
  if (bytes && digest_of(*bytes) != digest)
    return fail(ErrorKind::kCorrupt, "artifact " + to_hex(digest) + ": its bytes changed on disk");
  return bytes;
}

Status Vault::verify(const Digest& digest) const {
  const auto stored = find(digest);
  if (!stored) return tl::unexpected<Error>(stored.error());
  if (!*stored) return fail(ErrorKind::kNotFound, "no artifact " + to_hex(digest));
  DigestStream stream;
  for (std::uint64_t offset = 0; offset < (*stored)->bytes; offset += kChunkBytes) {
    const auto bytes = read(digest, offset, kChunkBytes);
    if (!bytes) return tl::unexpected<Error>(bytes.error());
    stream.update(*bytes);
  }
  if (stream.finish() == digest) return {};
  return fail(ErrorKind::kCorrupt, "artifact " + to_hex(digest) + ": its bytes changed on disk");
}

}  // namespace rushes::storage
