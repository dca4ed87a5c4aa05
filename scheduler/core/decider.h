// The inside of decide(): one Decider per event. Its methods are spread over decide_*.cpp by who sent the
// event.
//
// A Decider changes the state only by emit(), which applies a record and keeps it for the journal.
//
// Thread contract: lives for one call of decide().
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "scheduler/core/core.h"
#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/fair_share.h"

namespace rushes::scheduler {

class Decider {
 public:
  Decider(State& state, const Settings& settings, Now now, std::uint64_t random);
  ~Decider();

  // decide_people.cpp
  void on(const event::SubmitBatch& e);
  void on(const event::Cancel& e);
  void on(const event::Pause& e);
  void on(const event::Resume& e);
  void on(const event::Approve& e);
  void on(const event::Upgrade& e);
  void on(const event::Retry& e);
  void on(const event::Skip& e);
  void on(const event::DrainWorker& e);
  // decide_workers.cpp
  void on(const event::Hello& e);
  void on(const event::Heartbeat& e);
  void on(const event::Started& e);
  void on(const event::Completed& e);
  void on(const event::Failed& e);
  void on(const event::Stopped& e);
  void on(const event::Disconnected& e);
  void on(const event::Bye& e);
  void on(const event::Recover& e);
  void on(const event::Tick& e);

  // dispatch.cpp: gives ready tasks to workers with room.
  void dispatch();
  void configure();  // what farm.yaml says about shares and limits

  Decision take();

 private:
  void emit(Record&& record);
  void send(Command&& command);
  void done(RequestId request, std::string message);
  void refuse(RequestId request, ErrorKind kind, std::string message);

  std::int64_t lease_end() const { return now_.boot_ms + settings_.times.lease.count(); }
  const Shot& shot_of(const Task& task) const { return state_.shots[task.shot]; }
  const Shot* shot_or_refuse(RequestId request, const std::string& key);
  ShotId id_of(const Shot& shot) const { return static_cast<ShotId>(&shot - state_.shots.data()); }
  WorkerId id_of(const Worker& worker) const {
    return static_cast<WorkerId>(&worker - state_.workers.data());
  }
  TaskId next_task() const { return state_.tasks.size() + 1; }

  // The task whose current lease this is, held by this worker; null: stale.
  const Task* current(const AttemptRef& ref, const Worker& worker) const;
  const Task* accepted(const AttemptRef& ref) const;  // this very attempt's result was accepted

  // decide_workers.cpp
  void welcome(const event::Hello& e, WorkerId id);
  void accept(const Task& task, const AttemptRef& ref, WorkerId worker, const TaskResult& result);
  void attempt_failed(const Task& task, WorkerId worker, const event::Failed& e);
  void attempt_over(const Task& task, AttemptEnd end, const std::string& message);  // lost, stopped
  void give_to_person(TaskId task, const std::string& message);
  void revoke(const Task& task, TaskState then, const std::string& reason, bool straggler = false);
  void note_pause(ShotId shot);
  void look_at_clock();

  // decide_takes.cpp: what follows from finished tasks
  void follow_up(TaskId task);
  void judge_if_complete(ShotId shot, std::uint32_t take, std::uint32_t version);
  void settle(ShotId shot, std::uint32_t take, std::uint32_t version);
  bool revise(ShotId shot, std::uint32_t take);
  void plan_takes(ShotId shot);
  void plan_version(ShotId shot, std::uint32_t take, std::vector<std::uint32_t> windows, std::string reason,
                    std::string by);
  void rank_if_judged(ShotId shot);
  void approve(ShotId shot, std::uint32_t take, const std::string& by);
  Status plan_upgrade_of(ShotId shot);
  void drop_take(ShotId shot, std::uint32_t take, const std::string& reason);
  void close_tasks(ShotId shot, std::uint32_t take, TaskState then,
                   const std::string& reason);  // take 0: all
  void close_task(TaskId task, TaskState then, const std::string& reason);
  void close_upgrade(ShotId shot, std::uint32_t take, const std::string& reason);
  void withdraw_approval(ShotId shot, const std::string& reason);
  void finish_if_delivered(ShotId shot);
  void move_shot(ShotId shot, ShotState to, std::string reason = {}, TaskId task = 0);
  void move_take(ShotId shot, std::uint32_t take, TakeState to, std::string reason = {});
  void leave_attention(ShotId shot);  // when nothing of it needs a person any more
  ShotState state_of_work(const Shot& shot) const;

  // dispatch.cpp
  // Who is asked, in this order: workers that have the model loaded and of these the one that holds the
  // inputs; all that have it loaded; those that have nothing loaded; any; any, to fetch ahead; any with
  // nothing else to do, for work ahead of a verdict.
  enum class Turn : std::uint8_t { kNear, kLoaded, kFresh, kAny, kPrefetch, kAhead };
  struct Pick {
    TaskId task = 0;
    std::uint32_t bucket = kNoIndex;
    ShowId show = kNoIndex;
    FlowId flow = kNoIndex;
    LaneKey lane;
    float path = 0;
    bool critical = false;  // its path decides when everything ends
  };
  struct Search {
    const std::vector<std::uint32_t>& shows;  // in order
    bool ahead = false;                       // tasks ahead of a verdict
    std::optional<Digest> only = {};          // what needs no other weights than these
    std::optional<Pick> blocked = {};         // out: came before, but for the memory taken now
    bool passed_over =
        false;  // out: tasks fit, and this worker in particular, not its kind, may not have them
  };
  enum class Given : std::uint8_t {
    kTask,
    kNothing,
    kNotHere
  };  // kNotHere: another of its kind might get one
  void round(Turn turn, const std::vector<WorkerId>& workers);
  Given give_one(WorkerId worker, Turn turn);
  std::optional<Pick> find(WorkerId worker, Search& search) const;
  enum class May : std::uint8_t { kTake, kNotThisKind, kNotThis };
  std::optional<Pick> head_of(WorkerId worker, std::uint32_t bucket, bool& passed_over) const;
  std::optional<Pick> head_of(WorkerId worker, const Lane& lane, bool& passed_over) const;
  May may_take(WorkerId worker, const Task& task) const;
  const Outlook& outlook_for(const Task& task) const;
  TaskId nearest_of(WorkerId worker, const Pick& pick) const;
  static bool goes_before(const Pick& a, const Pick& b);
  std::optional<Pick> stay_or_switch(WorkerId worker, const Digest& model, const Pick& due,
                                     const std::vector<policy::ShowLoad>& loads, const Search& search,
                                     Turn turn);
  bool may_stay(const Pick& pick, const Pick& due, const std::vector<policy::ShowLoad>& loads) const;
  void lease(WorkerId worker, TaskId task, Turn turn, bool in_turn);
  void pin_class(ShotId shot, const Worker& worker, const Needs& needs);
  std::string spec_of(const Task& task) const;
  std::uint32_t no_progress_ms(const Task& task) const;
  std::vector<policy::ShowLoad> show_loads() const;

  // rearrange.cpp
  void end_reservations();
  bool reserve(const Pick& blocked);
  void rearrange();
  void unstack();
  void give_way();
  void relieve_stragglers();
  void look_at_deadlines();
  void look_at_deadline(ShotId shot, double work_seconds);
  bool waits_long(const Worker& worker) const;
  double elapsed_seconds(const Task& task) const;

  State& state_;
  const Settings& settings_;
  const Now now_;
  const std::uint64_t random_;
  Decision decision_;
  // The last answer of outlook_for(): for this bucket, when so many records had been decided.
  mutable Outlook outlook_;
  mutable std::uint32_t outlook_bucket_ = kNoIndex;
  mutable std::size_t outlook_records_ = 0;
};

}  // namespace rushes::scheduler
