#include "scheduler/protocol/connection_admission.h"

namespace rushes::protocol {
namespace {

constexpr std::chrono::seconds kTidyEvery{60};
constexpr std::uint64_t kNever = ~std::uint64_t{0};  // no generation of an allow-list

}  // namespace

ConnectionAdmission::Admission ConnectionAdmission::admit(const std::string& id, const Identity& identity) {
  const auto now = Clock::now();
  Connection& connection =
      connections_.try_emplace(id, Connection{scheduler::TokenBucket(rate_, now), kNever, false})
          .first->second;
  if (!connection.bucket.take(rate_, now)) {
    ++authenticator_.counters.rate_limited;
    authenticator_.log.warn("flood of " + identity.name,
                            "worker key " + identity.name + " floods its " + what_ +
                                " connection: more than " +
                                std::to_string(static_cast<long>(rate_.per_second)) +
                                " messages a second; what is beyond is not read");
    return Admission::kFloods;
  }
  if (const std::uint64_t generation = authenticator_.generation; connection.generation != generation) {
    connection.generation = generation;
    connection.allowed = authenticator_.admits(identity);
  }
  if (connection.allowed) return Admission::kAdmitted;
  ++authenticator_.counters.after_withdrawal;
  authenticator_.log.warn("withdrawn " + identity.key, "key " + identity.key + " of " + identity.name +
                                                           " is no longer allowed; its " + what_ +
                                                           " connection is not heard");
  return Admission::kWithdrawn;
}

void ConnectionAdmission::tidy() {
  const auto now = Clock::now();
  if (now - tidied_ < kTidyEvery) return;
  tidied_ = now;
  std::erase_if(connections_, [&](const auto& entry) { return entry.second.bucket.full(rate_, now); });
}

}  // namespace rushes::protocol
