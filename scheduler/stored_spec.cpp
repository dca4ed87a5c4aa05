#include "scheduler/stored_spec.h"

#include "scheduler/protocol/codec.h"

namespace rushes::scheduler {

Status store_large_spec(storage::Vault& vault, protocol::Assign& assign) {
  const std::uint64_t bytes = assign.spec.size();
  if (bytes <= protocol::kMaxInlineSpec) return {};
  if (bytes > protocol::kMaxStoredSpec)
    return fail(ErrorKind::kExhausted, to_string(assign.id) + ": its description has " +
                                           std::to_string(bytes) + " bytes, at most " +
                                           std::to_string(protocol::kMaxStoredSpec));
  const auto digest = vault.put(assign.spec);
  if (!digest) return tl::unexpected(digest.error());
  assign.stored = {*digest, bytes};
  assign.spec.clear();
  return {};
}

}  // namespace rushes::scheduler
