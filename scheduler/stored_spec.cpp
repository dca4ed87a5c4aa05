#include "scheduler/stored_spec.h"

#include "scheduler/protocol/codec.h"
#include "storage/records/words_codec.h"

namespace rushes::scheduler {

Result<protocol::SchedulerMessage> with_stored_spec(storage::Vault& vault,
                                                    protocol::SchedulerMessage message) {
  auto* assign = std::get_if<protocol::Assign>(&message);
  const auto* spec = assign != nullptr ? std::get_if<TaskSpec>(&assign->task) : nullptr;
  if (spec == nullptr) return message;
  const std::string bytes = encode_task(*spec);
  if (bytes.size() <= protocol::kMaxInlineSpec) return message;
  if (bytes.size() > protocol::kMaxStoredSpec)
    return fail(ErrorKind::kExhausted, to_string(assign->id) + ": its description has " +
                                           std::to_string(bytes.size()) + " bytes, at most " +
                                           std::to_string(protocol::kMaxStoredSpec));
  const auto digest = vault.put(bytes);
  if (!digest) return tl::unexpected(digest.error());
  assign->task = protocol::ArtifactRef{*digest, bytes.size()};
  return message;
}

}  // namespace rushes::scheduler
