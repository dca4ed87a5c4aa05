#include "scheduler/protocol/doorkeeper.h"

namespace rushes::protocol {
namespace {

constexpr std::chrono::seconds kTidyEvery{60};
constexpr std::uint64_t kNever = ~std::uint64_t{0};  // no generation of an allow-list

}  // namespace

Doorkeeper::Admission Doorkeeper::admit(const std::string& id, const Identity& identity) {
  const auto now = Clock::now();
  Visitor& visitor =
      visitors_.try_emplace(id, Visitor{scheduler::TokenBucket(rate_, now), kNever, false}).first->second;
  if (!visitor.bucket.take(rate_, now)) {
    ++gate_.counters.rate_limited;
    gate_.log.warn("flood of " + identity.name, "worker key " + identity.name + " floods its " + what_ +
                                                    " connection: more than " +
                                                    std::to_string(static_cast<long>(rate_.per_second)) +
                                                    " messages a second; what is beyond is not read");
    return Admission::kFloods;
  }
  if (const std::uint64_t generation = gate_.generation; visitor.generation != generation) {
    visitor.generation = generation;
    visitor.allowed = gate_.admits(identity);
  }
  if (visitor.allowed) return Admission::kHeard;
  ++gate_.counters.after_withdrawal;
  gate_.log.warn("withdrawn " + identity.key, "key " + identity.key + " of " + identity.name +
                                                  " is no longer allowed; its " + what_ +
                                                  " connection is not heard");
  return Admission::kWithdrawn;
}

void Doorkeeper::tidy() {
  const auto now = Clock::now();
  if (now - tidied_ < kTidyEvery) return;
  tidied_ = now;
  std::erase_if(visitors_, [&](const auto& entry) { return entry.second.bucket.full(rate_, now); });
}

}  // namespace rushes::protocol
