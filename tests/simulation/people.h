// The people of a simulated studio: they submit shots, change their minds, and look after what needs them.
//
// Who gets no answer asks again, as the command line client does; a submit carries its idempotency key.
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/scheduler_node.h"
#include "tests/simulation/world.h"

namespace rushes::simulation {

class People {
 public:
  People(World& world, std::uint32_t tasks);

  void begin();  // batches, one after another, until enough tasks are planned
  void undrain_everybody();
  void wish(std::int64_t what);  // one of the things people do; `what` decides which
  // Looks after every shot that waits for a person. Returns how many do.
  std::size_t tend();
  bool waiting() const { return submitting_ || open_ > 0; }  // for an answer

 private:
  void submit();
  void collect();  // from time to time what may leave does
  void ask(scheduler::event::SubmitBatch batch);
  // Asks until there is an answer.
  void insist(scheduler::Event event);
  std::string any_shot(Dice& dice) const;
  std::string any_worker(Dice& dice) const;

  World& world_;
  Dice dice_;
  std::uint32_t tasks_;          // to submit, at least
  std::uint64_t submitted_ = 0;  // tasks of acknowledged batches
  std::shared_ptr<const config::ModelManifest> model_;
  bool submitting_ = false;
  int next_shot_ = 0, next_batch_ = 0;
  std::size_t open_ = 0;
};

}  // namespace rushes::simulation
