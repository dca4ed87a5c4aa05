#include "tests/simulation/farm/run.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>

#include "scheduler/core/report/explain.h"

namespace rushes::simulation::farm {
namespace {

namespace command = scheduler::command;
namespace event = scheduler::event;
namespace record = scheduler::record;

constexpr std::int64_t kTickMs = 5'000;
constexpr std::int64_t kDayMs = 24 * 3'600'000ll;
// Without an assignment after the last batch: what is left then fits no host, not even those that come at
// night.
constexpr std::int64_t kPatienceMs = 2 * kDayMs;

scheduler::Settings settings_of(const Description& description) {
  config::Farm farm;
  farm.shows = description.shows;
  farm.limits.workers = std::numeric_limits<int>::max();
  farm.limits.open_shots = std::numeric_limits<int>::max();
  farm.times.lease = std::chrono::hours(24 * 365);            // see the top of run.h
  farm.times.heartbeat = std::chrono::milliseconds(kTickMs);  // ticks this far apart are no pause
  return scheduler::settings_of(farm);
}

double cpu_seconds() {  // of this thread
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::size_t host_of(const std::string& worker) {  // "w17"
  std::size_t index = 0;
  std::from_chars(worker.data() + 1, worker.data() + worker.size(), index);
  return index;
}

}  // namespace

FarmRun::FarmRun(const Description& farm)
    : farm_(farm),
      work_(farm),
      settings_(settings_of(farm)),
      meter_(farm.shows, farm.hosts.size(), farm.window.count()),
      core_dice_(farm.seed, 1),
      host_dice_(farm.seed, 2) {}

std::size_t FarmRun::show_of(TaskId task) const { return show_of_id_[shot_of(task).show.number()]; }

Status FarmRun::run() {
  plan_hosts();
  for (std::size_t b = 0; b < farm_.batches.size(); ++b) {
    const BatchDescription& batch = farm_.batches[b];
    for (int i = 0; i < batch.times; ++i) {
      const std::int64_t at = batch.first.count() + i * batch.every.count();
      timeline_.at(at, [this, b, i] { submit(b, i); });
      last_moved_ = std::max(last_moved_, at);
      ++to_submit_;
    }
  }
  timeline_.in(kTickMs, [this] { tick(); });
  while (!finished() && status_ && timeline_.step()) {
  }
  return status_;
}

bool FarmRun::finished() const {
  if (timeline_.now() > last_moved_ + kPatienceMs &&
      state_.work.counts()[static_cast<int>(scheduler::TaskState::kRunning)] == 0)
    return true;
  const auto count = [this](scheduler::TaskState s) { return state_.work.counts()[static_cast<int>(s)]; };
  return to_submit_ == 0 && open_ == 0 && count(scheduler::TaskState::kLeased) == 0 &&
         count(scheduler::TaskState::kRunning) == 0 && count(scheduler::TaskState::kReady) == 0;
}

std::string FarmRun::unfinished() const {
  const auto open = std::find(over_.begin(), over_.end(), false);
  if (open == over_.end()) return {};
  const scheduler::Shot& shot =
      state_.shots[scheduler::ShotId(static_cast<std::uint32_t>(open - over_.begin()))];
  const scheduler::Now now{timeline_.now() + 1, kStartWallMs + timeline_.now()};
  return shot.key + ": " + scheduler::explain(state_, shot, now).text;
}

void FarmRun::tick() {
  step(event::Tick{});
  timeline_.in(kTickMs, [this] { tick(); });
}

void FarmRun::submit(std::size_t batch, int occurrence) {
  event::SubmitBatch submit;
  submit.request = 1;
  submit.name = farm_.batches[batch].name + "-" + std::to_string(occurrence + 1);
  submit.by = "studio";
  submit.shots = work_.shots(batch, occurrence, kStartWallMs + timeline_.now());
  Submission submission{batch, timeline_.now(), {}};
  for (std::uint32_t i = 0; i < submit.shots.size(); ++i)
    submission.shots.push_back(state_.shots.next_id() + i);
  open_ += submit.shots.size();
  over_.resize(over_.size() + submit.shots.size());
  --to_submit_;
  submissions_.push_back(std::move(submission));
  step(submit);
}

void FarmRun::step(const scheduler::Event& event, TaskId cause) {
  meter_.advance(timeline_.now());
  ++events_;
  const scheduler::Now now{timeline_.now() + 1, kStartWallMs + timeline_.now()};
  const double began = cpu_seconds();
  scheduler::Outcome decision = scheduler::decide(state_, settings_, event, now, core_dice_.roll());
  core_seconds_ += cpu_seconds() - began;
  for (const scheduler::Record& record : decision.records) note(record, cause);
  for (scheduler::Command& command : decision.commands) obey(command);
  for (const scheduler::Show& show : state_.shows) {
    const std::size_t id = state_.shows.id_of(show).number();
    if (id >= show_of_id_.size()) {
      const auto known = std::find_if(farm_.shows.begin(), farm_.shows.end(),
                                      [&](const config::Show& s) { return s.name == show.name; });
      show_of_id_.push_back(static_cast<std::size_t>(known - farm_.shows.begin()));
    }
    meter_.backlog(show_of_id_[id], where_it_fits(show));
  }
  meter_.check_floors();
}

// By host group; empty: nothing of it waits.
std::vector<bool> FarmRun::where_it_fits(const scheduler::Show& show) const {
  std::vector<bool> groups;
  if (show.ready == 0) return groups;
  groups.resize(farm_.hosts.size());
  std::vector<bool> fits(state_.capacity.classes().size());
  for (const scheduler::FlowId flow : show.flows)
    for (const scheduler::SchedulingClassId index : state_.queue.flows()[flow].scheduling_classes)
      for (std::size_t i = 0; i < fits.size(); ++i)
        fits[i] = fits[i] || state_.queue.scheduling_classes()[index].runs_in[i];
  for (const scheduler::Worker& worker : state_.workers)
    if (fits[worker.worker_class.number()]) groups[hosts_[host_of(worker.name)].group] = true;
  return groups;
}

void FarmRun::note(const scheduler::Record& record, TaskId cause) {
  triggers_.resize(state_.tasks.size());
  const auto planned = [&](const auto& tasks) {
    for (const scheduler::PlannedTask& task : tasks) triggers_[task.id.number() - 1] = cause;
  };
  if (const auto* version = std::get_if<record::VersionPlanned>(&record);
      version && version->version.number > 0)
    planned(version->tasks);
  if (const auto* upgrade = std::get_if<record::UpgradePlanned>(&record)) planned(upgrade->tasks);
  if (const auto* delivery = std::get_if<record::DeliveryPlanned>(&record)) planned(delivery->tasks);
  if (const auto* moved = std::get_if<record::ShotMoved>(&record)) {
    const bool over = moved->state == scheduler::ShotState::kDelivered ||
                      moved->state == scheduler::ShotState::kCancelled ||
                      moved->state == scheduler::ShotState::kAttention;
    if (over != over_[moved->shot.number()]) open_ = over ? open_ - 1 : open_ + 1;
    over_[moved->shot.number()] = over;
    if (moved->state == scheduler::ShotState::kReview)
      timeline_.in(1, [this, shot = moved->shot, cause] { approve(shot, cause); });
  } else if (std::holds_alternative<record::ResultAccepted>(record)) {
    last_finish_ = timeline_.now();
  }
}

// The studio's supervisors answer at once: no take of the shot passed its critics, and the best one will do.
void FarmRun::approve(scheduler::ShotId shot, TaskId cause) {
  const scheduler::Shot& row = state_.shots[shot];
  if (row.state == scheduler::ShotState::kReview)
    step(event::Approve{0, row.key, row.ranking.front(), "supervisor"}, cause);
}

void FarmRun::obey(scheduler::Command& command) {
  if (const auto* reply = std::get_if<command::Reply>(&command)) {
    if (!reply->result) status_ = tl::unexpected(reply->result.error());
    return;
  }
  const std::string& worker = std::get<command::ToWorker>(command).worker;
  if (const auto* assign = scheduler::message_in<protocol::Assign>(command)) {
    ++assigned_;
    last_moved_ = std::max(last_moved_, timeline_.now());
    const std::size_t host = host_of(worker);
    in(kMessageMs, host, [this, host, ref = assign->id] { this->assign(host, ref); });
  } else if (const auto* revoke = scheduler::message_in<protocol::Revoke>(command)) {
    const std::size_t host = host_of(worker);
    in(kMessageMs, host,
       [this, host, ref = revoke->id, cause = revoke->reason] { this->revoke(host, ref, cause); });
  } else if (const auto* refused = scheduler::message_in<protocol::Refused>(command)) {
    status_ = fail(ErrorKind::kInvalid, "host " + worker + ": " + refused->reason);
  }
}

}  // namespace rushes::simulation::farm
