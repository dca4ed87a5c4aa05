#include "scheduler/core/policy/retry.h"

#include <algorithm>

namespace rushes::scheduler::policy {

std::int64_t backoff_ms(const config::Retries& retries, std::uint32_t failures, std::uint64_t random) {
  constexpr std::int64_t kLongest = 60'000;
  const std::int64_t first = std::max<std::int64_t>(1, retries.backoff.count());
  const std::uint32_t doublings = std::min(failures > 0 ? failures - 1 : 0, 20u);
  const std::int64_t wait = std::min(kLongest, first << doublings);
  return wait + static_cast<std::int64_t>(random % static_cast<std::uint64_t>(wait / 4 + 1));
}

bool give_up(const config::Retries& retries, std::uint32_t failures, std::uint32_t losses) {
  const auto attempts = static_cast<std::uint32_t>(std::max(1, retries.attempts));
  return failures >= attempts || losses >= attempts * kLossesPerAttempt;
}

bool blames_worker(Fault fault, bool failed_elsewhere) {
  return fault != Fault::kInput && fault != Fault::kCancelled && !failed_elsewhere;
}

bool should_quarantine(const config::Retries& retries, const Blame& blame, std::uint32_t connected,
                       std::uint32_t quarantined) {
  const auto most = static_cast<std::uint32_t>(std::max(0, retries.worker_failures));
  if (most == 0 || std::max(blame.shots, blame.tasks) < most) return false;
  return 2 * (quarantined + 1) <= connected;
}

}  // namespace rushes::scheduler::policy
