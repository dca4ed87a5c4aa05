#include "scheduler/core/state/price.h"

#include <algorithm>

#include "scheduler/core/policy/fit.h"
#include "scheduler/core/policy/numeric_class.h"
#include "scheduler/core/policy/revisions.h"
#include "scheduler/core/state/take_work.h"
#include "scheduler/plan/cost.h"
#include "scheduler/plan/plan.h"

namespace rushes::scheduler {
namespace {

void add_task(StageWork& work, const PlannedTask& task) {
  work[static_cast<std::size_t>(task.stage)].add(task.work);
}

StageWork draft_work(const ShotSpec& spec, const TakeWork& take) {
  StageWork work = take.all;
  for (policy::WorkSum& stage : work) stage = stage.times(static_cast<double>(spec.seeds.size()));
  add_task(work, plan_encode(spec, TaskId(1)));
  add_task(work, plan_draft_delivery(spec, 1, {}, TaskId(1)));
  return work;
}

}  // namespace

Pricer::Pricer(const State& state) : state_(state) {
  const auto has_gpu = [](const WorkerClass& each) {
    return policy::tensor_kind(each.offer) == SlotKind::kGpu && each.slots[SlotKind::kGpu] > 0;
  };
  const bool gpu_there = std::ranges::any_of(state.capacity.classes(), has_gpu);
  for (const WorkerClass& each : state.capacity.classes()) {
    const std::string begins = policy::choose_class(each.offer, gpu_there);
    if (total(each.slots) > 0 && !begins.empty()) classes_.push_back(begins);
  }
  std::sort(classes_.begin(), classes_.end());
  classes_.erase(std::unique(classes_.begin(), classes_.end()), classes_.end());
}

policy::PriceRange Pricer::Rates::price_of(const policy::WorkSum& work) const {
  return basis == policy::PriceBasis::kGuess ? policy::guessed_price(work, guess)
                                             : policy::price_of(work, measured);
}

Pricer::Rates Pricer::measure(Stage stage, std::uint32_t level, const std::string& model) const {
  std::vector<policy::Estimate> here, anywhere;
  for (auto rate = state_.rates.lower_bound({stage, level, model, {}}); rate != state_.rates.end(); ++rate) {
    const auto& [key, estimate] = *rate;
    if (key.stage != stage || key.level != level || key.model != model) break;
    anywhere.push_back(estimate);
    if (std::binary_search(classes_.begin(), classes_.end(), key.numeric_class)) here.push_back(estimate);
  }
  if (!here.empty()) return {std::move(here), policy::PriceBasis::kMeasured};
  if (!anywhere.empty()) return {std::move(anywhere), policy::PriceBasis::kOtherDevices};
  return {{}, policy::PriceBasis::kGuess, first_guess(stage)};
}

const Pricer::StageRates& Pricer::rates_of(const std::string& model, std::uint32_t level) {
  const auto [found, is_new] = rates_.try_emplace({model, level});
  if (is_new)
    for (std::size_t i = 0; i < kStages; ++i) found->second[i] = measure(static_cast<Stage>(i), level, model);
  return found->second;
}

const TakeWork& Pricer::work_of(const ShotSpec& spec) {
  const TakeShape shape = shape_of(spec);
  if (const TakeWork* known = state_.work.find_take_work(shape)) return *known;
  const auto [found, is_new] = planned_.try_emplace(shape);
  if (is_new) found->second = plan_work(spec);
  return found->second;
}

policy::Price Pricer::price_of(const ShotSpec& spec) {
  const TakeWork& take = work_of(spec);
  policy::Price price;
  const auto add = [&](const StageWork& work, std::uint32_t level) {
    const StageRates& rates = rates_of(spec.recipe.model, level);
    for (std::size_t i = 0; i < kStages; ++i) {
      if (!(work[i].work > 0)) continue;
      policy::PriceRange seconds = rates[i].price_of(work[i]);
      if (level == 0 && static_cast<Stage>(i) == Stage::kEncode)
        seconds += policy::guessed_price({1, 1}, plan_encode(spec, TaskId(1)).host_seconds);
      price.stages.push_back({static_cast<Stage>(i), level, seconds, rates[i].basis});
      price.total += price.stages.back().seconds;
    }
  };
  add(draft_work(spec, take), 0);
  if (spec.upgrade) add(take.upgrade, 1);
  price.basis = policy::basis_of(price.stages);

  policy::PriceRange round;
  const StageRates& rates = rates_of(spec.recipe.model, 0);
  for (std::size_t i = 0; i < kStages; ++i) round += rates[i].price_of(take.revision[i]);
  const auto takes = static_cast<double>(spec.seeds.size());
  const double share = policy::revised_share(state_.work.judged(), state_.work.revised());
  price.revisions.expected = takes * policy::expected_rounds(share, spec.revise_windows) * round.expected;
  price.revisions.high = takes * spec.revise_windows * round.high;
  if (spec.revise_device_seconds >= 0) {
    price.revisions.expected = std::min(price.revisions.expected, takes * spec.revise_device_seconds);
    price.revisions.high = std::min(price.revisions.high, takes * spec.revise_device_seconds);
  }
  return price;
}

}  // namespace rushes::scheduler
