// POST /v1/gc, and what it would free, for the metrics.
#include "config/instant.h"
#include "scheduler/gateway/body.h"
#include "scheduler/gateway/handlers.h"

namespace rushes::scheduler {
namespace {

constexpr std::chrono::minutes kCollectableAge{5};  // it is a pass over all tasks

constexpr std::size_t kMostTakes = 10'000;  // of one request

// A decision for some takes at a time: between two of them the core does what else there is to do.
Result<command::Collected> ask(Loop& loop, event::CollectGarbage wanted) {
  command::Collected all;
  do {
    const auto answer = loop.request(wanted);
    if (!answer) return tl::unexpected<Error>(answer.error());
    const auto* some = std::get_if<command::Collected>(&*answer);
    if (some == nullptr) return fail(ErrorKind::kInternal, "the gc got another answer");
    all.takes.insert(all.takes.end(), some->takes.begin(), some->takes.end());
    all.artifacts += some->artifacts;
    all.bytes += some->bytes;
    all.later_artifacts += some->later_artifacts;
    all.later_bytes += some->later_bytes;
    wanted.after = some->next;
  } while (wanted.after && all.takes.size() < kMostTakes);
  return all;
}

Json swept_json(const storage::Swept& swept) {
  return {{"artifacts", swept.artifacts}, {"bytes", swept.bytes}};
}

Json collected_json(const command::Collected& collected) {
  Json takes = Json::array();
  for (const auto& take : collected.takes)
    takes.push_back({{"shot", take.shot},
                     {"take", take.take},
                     {"reason", take.reason},
                     {"since", config::instant_text(take.since_wall_ms)},
                     {"artifacts", take.artifacts},
                     {"bytes", take.bytes}});
  return {{"takes", std::move(takes)},
          {"artifacts", collected.artifacts},
          {"bytes", collected.bytes},
          {"later", swept_json({collected.later_artifacts, collected.later_bytes})}};
}

}  // namespace

// The takes first; what they gave up is swept with the uploads that no result names.
void Handlers::collect(Call& call) {
  const auto dry_run = read_dry_run(call.body);
  if (!dry_run) return refuse(call.response, dry_run.error());
  if (parts_.janitor == nullptr)
    return refuse(call.response, {ErrorKind::kNotFound, "this farm has no vault to sweep"});
  VaultJanitor& janitor = *parts_.janitor;
  janitor.flush();  // references that are on their way; it waits for no sweep or compaction
  const auto uploads = parts_.vault->unreferenced(janitor.sweep_age());
  if (!uploads) return refuse(call.response, uploads.error());
  const storage::Swept before = janitor.swept();
  const auto collected = ask(*parts_.loop, {0, *dry_run, call.who(), {}, janitor.sweep_age().count()});
  if (!collected) return refuse(call.response, collected.error());
  Json answer = collected_json(*collected);
  answer["dry_run"] = *dry_run;
  answer["uploads"] = swept_json(*uploads);
  answer["freed"] = nullptr;
  if (!*dry_run) {
    // The loop gives up what the takes made before it answers this.
    if (const auto done = parts_.loop->query([](const State&, Now) { return true; }); !done)
      return refuse(call.response, done.error());
    if (const auto swept = janitor.sweep_now(); !swept) return refuse(call.response, swept.error());
    const storage::Swept after = janitor.swept();
    answer["freed"] = swept_json({after.artifacts - before.artifacts, after.bytes - before.bytes});
    const std::lock_guard lock(collectable_mutex_);
    collectable_at_.reset();
  }
  send(call.response, answer);
}

std::optional<std::uint64_t> Handlers::collectable_bytes() {
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(collectable_mutex_);
    if (collectable_at_ && now < *collectable_at_ + kCollectableAge) return collectable_;
  }
  event::CollectGarbage would{0, true};
  if (parts_.janitor != nullptr) would.upload_sweep_ms = parts_.janitor->sweep_age().count();
  const auto collected = ask(*parts_.loop, std::move(would));
  const std::lock_guard lock(collectable_mutex_);
  collectable_at_ = now;
  collectable_ = collected ? std::optional(collected->bytes - collected->later_bytes) : std::nullopt;
  return collectable_;
}

}  // namespace rushes::scheduler
