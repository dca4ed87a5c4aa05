#include "scheduler/core/decide/lookup.h"

namespace rushes::scheduler {

const Shot* shot_or_refuse(Decision& decision, RequestId request, const std::string& key) {
  const Shot* shot = decision.state().find_shot(key);
  if (shot == nullptr) {
    decision.refuse(request, ErrorKind::kNotFound, "no shot " + key + " on this farm");
  } else if (shot->archived != 0) {
    decision.refuse(request, ErrorKind::kConflict,
                    "shot " + key + " is archived; its takes can be looked at and exported, no more");
    shot = nullptr;
  }
  return shot;
}

std::string overruled(const Shot& shot) {
  if (shot.approved == 0 || shot.approved_by == kApproveBest || shot.state == ShotState::kCancelled)
    return "";
  return "take " + std::to_string(shot.approved) + " of " + shot.key + " was approved by " +
         (shot.approved_by.empty() ? "a person" : shot.approved_by) +
         "; what takes that away needs the role supervisor";
}

std::string cancelled(const Shot& shot) {
  return "shot " + shot.key + " is cancelled; submit it again (submit --replace)";
}

const Take* take_or_refuse(Decision& decision, RequestId request, const Shot& shot, std::uint32_t take) {
  if (shot.state == ShotState::kCancelled) {
    decision.refuse(request, ErrorKind::kConflict, cancelled(shot));
    return nullptr;
  }
  if (take == 0 || take > shot.takes.size()) {
    decision.refuse(request, ErrorKind::kNotFound,
                    "shot " + shot.key + " has takes 1 to " + std::to_string(shot.takes.size()) + ", not " +
                        std::to_string(take));
    return nullptr;
  }
  return &shot.take(take);
}

}  // namespace rushes::scheduler
