// Where and when: memory, reservations with backfill, estimates, stragglers, what gives way.
#include <gtest/gtest.h>

#include <random>

#include "scheduler/core/policy/backfill.h"
#include "scheduler/core/policy/estimate.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/policy/numeric_class.h"
#include "scheduler/core/policy/prefetch.h"
#include "scheduler/core/policy/straggler.h"

namespace rushes::scheduler::policy {
namespace {

constexpr SlotKind kCpu = SlotKind::kCpu, kGpu = SlotKind::kGpu;

struct Machine {
  WorkerOffer offer;
  HeldBytes held;
  bool has_memory(const Footprint& takes) const { return policy::has_memory(offer.resources, held, takes); }
  bool has_memory(std::uint64_t bytes) const { return has_memory({kCpu, bytes, 0}); }
};

Machine worker_with(std::uint64_t memory, std::uint32_t slots, std::vector<std::uint64_t> held,
                    std::string numeric_class = "cpu-a") {
  Machine worker;
  worker.offer.protocol_version = kTellsSlotsByKind;
  worker.offer.numeric_classes = {std::move(numeric_class)};
  worker.offer.resources = resources_of({slots, memory}, worker.offer.numeric_classes);
  worker.held[tensor_kind(worker.offer)] = std::move(held);
  return worker;
}

// Tensors of no class yet.
Requirements tensors_of(std::uint64_t bytes, std::string numeric_class = "") {
  Requirements needs;
  needs.tensor_bytes = bytes;
  needs.numeric_class = std::move(numeric_class);
  return needs;
}

Requirements pictures_of(std::uint64_t bytes, std::string numeric_class) {
  Requirements needs;
  needs.tensors = false;
  needs.host_bytes = bytes;
  needs.numeric_class = std::move(numeric_class);
  return needs;
}

TEST(Memory, IsCountedInBytesNotInSlots) {
  EXPECT_TRUE(worker_with(8, 2, {}).has_memory(8));
  EXPECT_TRUE(worker_with(8, 2, {5}).has_memory(3));
  EXPECT_FALSE(worker_with(8, 2, {5}).has_memory(4));
  EXPECT_EQ(fit(worker_with(8, 4, {}).offer, tensors_of(8)), Fit::kFits);
  EXPECT_EQ(fit(worker_with(8, 4, {}).offer, tensors_of(9)), Fit::kNoMemory);
}

TEST(Memory, WhatIsFetchedAheadCountsOnlyWhereItIsTheLarger) {
  EXPECT_TRUE(worker_with(8, 1, {7}).has_memory(8));  // they never run together
  EXPECT_FALSE(worker_with(8, 1, {7}).has_memory(9));
  EXPECT_TRUE(worker_with(8, 2, {5, 2}).has_memory(3));   // 5 and 3
  EXPECT_FALSE(worker_with(8, 2, {5, 2}).has_memory(4));  // 5 and 4
}

TEST(Memory, ADeviceIsASlotsOwn) {
  const Machine gpus = worker_with(80, 2, {}, "cuda-sm90-bf16");
  EXPECT_TRUE(gpus.has_memory({kGpu, 0, 40}));
  EXPECT_EQ(fit(gpus.offer, tensors_of(40)), Fit::kFits);
  EXPECT_EQ(fit(gpus.offer, tensors_of(41)), Fit::kNoMemory);
}

TEST(Memory, OfTheHostIsSharedByAllKindsOfSlots) {
  Machine host = worker_with(80, 2, {}, "cuda-sm90-bf16");
  host.offer.resources = {{{1, 2}}, 10, 80};
  host.held[kGpu] = {3, 3};
  EXPECT_TRUE(host.has_memory({kCpu, 4, 0}));
  EXPECT_FALSE(host.has_memory({kCpu, 5, 0}));
  host.held[kCpu] = {4};
  EXPECT_TRUE(host.has_memory({kGpu, 3, 40}));  // it waits behind two that take as much
  EXPECT_FALSE(host.has_memory({kGpu, 4, 40}));
}

// Whatever is let in: no choice of as many attempts as there are slots takes more than there is.
TEST(Memory, NoSetThatMayRunAtOnceIsTooLarge) {
  std::mt19937_64 dice(7);
  for (int round = 0; round < 2000; ++round) {
    Machine worker;
    worker.offer.resources = {
        {{1 + static_cast<std::uint32_t>(dice() % 4), 1 + static_cast<std::uint32_t>(dice() % 4)}},
        1 + dice() % 100,
        0};
    for (int i = 0; i < 12; ++i) {
      const SlotKind kind = dice() % 2 == 0 ? kCpu : kGpu;
      const std::uint64_t bytes = 1 + dice() % 60;
      HeldBytes with = worker.held;
      with[kind].push_back(bytes);
      std::sort(with[kind].begin(), with[kind].end(), std::greater<>());
      const bool fits =
          host_bytes_taken(with, worker.offer.resources.slots) <= worker.offer.resources.host_bytes;
      EXPECT_EQ(worker.has_memory({kind, bytes, 0}), fits);
      if (fits) worker.held = with;
    }
  }
}

TEST(Fit, TensorsTakeASlotOfTheKindOfTheirClass) {
  Machine host = worker_with(80, 2, {}, "cuda-sm90-bf16");
  host.offer.resources = {{{1, 2}}, 10, 80};
  EXPECT_EQ(footprint(host.offer, tensors_of(7, "cuda-sm90-bf16")), (Footprint{kGpu, 0, 7}));
  EXPECT_EQ(footprint(host.offer, tensors_of(7)), (Footprint{kGpu, 0, 7}));  // its first class
  EXPECT_EQ(fit(host.offer, tensors_of(7, "cpu-a")), Fit::kNoClass);
  const Machine cpu = worker_with(80, 2, {});
  EXPECT_EQ(footprint(cpu.offer, tensors_of(7, "cpu-a")), (Footprint{kCpu, 7, 0}));
  EXPECT_EQ(fit(cpu.offer, tensors_of(7, "cuda-sm90-bf16")), Fit::kNoClass);
}

TEST(Fit, WhatComputesNoTensorsRunsInAnyClassAndInAGpuSlotOnlyWhereThereIsNoOther) {
  Machine host = worker_with(80, 2, {}, "cuda-sm90-bf16");
  EXPECT_EQ(footprint(host.offer, pictures_of(7, "cpu-a")), (Footprint{kGpu, 7, 0}));
  EXPECT_EQ(fit(host.offer, pictures_of(7, "cpu-a")), Fit::kFits);
  host.offer.resources = {{{1, 2}}, 10, 80};
  EXPECT_EQ(footprint(host.offer, pictures_of(7, "cuda-sm90-bf16")), (Footprint{kCpu, 7, 0}));
  EXPECT_EQ(fit(host.offer, pictures_of(11, "cuda-sm90-bf16")), Fit::kNoMemory);
  EXPECT_EQ(fit(worker_with(80, 2, {}).offer, pictures_of(7, "cuda-sm90-bf16")), Fit::kFits);
}

TEST(Fit, AnOlderWorkerGetsWhatItCanTake) {
  Machine old = worker_with(80, 2, {});
  old.offer.protocol_version = kTakesStoredSpecs;
  EXPECT_EQ(fit(old.offer, pictures_of(7, "cpu-a")), Fit::kFits);
  EXPECT_EQ(fit(old.offer, pictures_of(7, "cuda-sm90-bf16")), Fit::kNoClass);
  Requirements long_one = tensors_of(7, "cpu-a");
  long_one.stored_spec = true;
  EXPECT_EQ(fit(old.offer, long_one), Fit::kTooOld);
  old.offer.protocol_version = kTellsSlotsByKind;
  EXPECT_EQ(fit(old.offer, long_one), Fit::kFits);
}

TEST(Backfill, TheWideTaskStartsWhenEnoughHasEnded) {
  const Resources room{{{3, 0}}, 10, 0};
  const std::vector<Occupant> held{{{kCpu, 4, 0}, 100}, {{kCpu, 4, 0}, 300}, {{kCpu, 1, 0}, 200}};
  const auto start = [&](std::uint64_t bytes) { return earliest_start(room, held, {kCpu, bytes, 0}, 0); };
  EXPECT_EQ(start(2), 100);
  EXPECT_EQ(start(6), 200);
  EXPECT_EQ(start(7), 300);
  EXPECT_EQ(start(10), 300);
  EXPECT_EQ(earliest_start(room, {}, {kCpu, 10, 0}, 50), 50);
  EXPECT_EQ(start(11), std::nullopt);
}

TEST(Backfill, WhatRunsInSlotsOfAnotherKindTakesMemoryOnly) {
  const Resources room{{{1, 1}}, 10, 0};
  const std::vector<Occupant> held{{{kGpu, 4, 0}, 300}};
  EXPECT_EQ(earliest_start(room, held, {kCpu, 6, 0}, 0), 0);
  EXPECT_EQ(earliest_start(room, held, {kCpu, 7, 0}, 0), 300);
  EXPECT_EQ(earliest_start(room, held, {kGpu, 6, 0}, 0), 300);
}

TEST(Backfill, OthersRunWhenTheyAreOverByThenOrLeaveItsRoom) {
  const Resources room{{{2, 0}}, 10, 0};
  const std::vector<Occupant> held{{{kCpu, 4, 0}, 300}};
  const auto may = [&](std::uint64_t bytes, std::int64_t ends, std::int64_t now) {
    return may_backfill(room, held, {kCpu, 8, 0}, 300, {{kCpu, bytes, 0}, ends}, now);
  };
  EXPECT_TRUE(may(6, 299, 0));
  EXPECT_FALSE(may(6, 301, 0));
  EXPECT_TRUE(may(2, 9999, 0));  // 8 + 2
  EXPECT_FALSE(may(3, 9999, 0));
  // The promised start has passed: short estimates open no door any more.
  EXPECT_FALSE(may(6, 320, 310));
}

TEST(Backfill, AFewReservationsOnly) {
  EXPECT_TRUE(may_reserve(0, 1));
  EXPECT_FALSE(may_reserve(1, 2));
  EXPECT_TRUE(may_reserve(1, 3));
  EXPECT_FALSE(may_reserve(8, 1000));
}

TEST(NumericClass, AShotBeginsWhereItIsDoneSoonest) {
  // Two classes alike; the first has 1000 s more to do over its 10 slots.
  EXPECT_TRUE(may_begin(std::vector<ClassLoad>{{1, 0, 10}, {1, 0, 10}}, 0, 100, 100, 0));
  EXPECT_FALSE(may_begin(std::vector<ClassLoad>{{1, 1000, 10}, {1, 0, 10}}, 0, 100, 100, 0));
  EXPECT_TRUE(may_begin(std::vector<ClassLoad>{{1, 1000, 10}, {1, 0, 10}}, 1, 100, 100, 0));
  // Much else waits: both will be busy for as long.
  EXPECT_TRUE(may_begin(std::vector<ClassLoad>{{1, 1000, 10}, {1, 0, 10}}, 0, 100, 100, 5000));
  // A slow class would be the last one, unless the farm has that long to do anyway.
  EXPECT_FALSE(may_begin(std::vector<ClassLoad>{{3, 0, 10}, {1, 0, 10}}, 0, 100, 100, 1000));
  EXPECT_TRUE(may_begin(std::vector<ClassLoad>{{3, 0, 10}, {1, 0, 10}}, 0, 100, 100, 10'000));
  // Few slots keep a shot of many takes waiting behind itself.
  EXPECT_FALSE(may_begin(std::vector<ClassLoad>{{1, 0, 1}, {1, 0, 100}}, 0, 100, 1000, 0));
  EXPECT_TRUE(may_begin(std::vector<ClassLoad>{{1, 0, 0}, {1, 0, 0}}, 0, 100, 100, 0));
}

TEST(NumericClass, OneThatIsNotMeasuredGetsOnlyWhatKeepsItBusy) {
  const auto begins = [](double left, bool busy, std::uint32_t others) {
    const std::vector<ClassLoad> classes{{1, left, 10, false, busy}, {1, 0, others}};
    return may_begin(classes, 0, 100, 100, 1e6);
  };
  EXPECT_TRUE(begins(1999, true, 10));
  EXPECT_FALSE(begins(2000, true, 10));
  EXPECT_TRUE(begins(2000, false, 10));  // nothing of it goes on: it would never be measured
  EXPECT_TRUE(begins(2000, true, 0));    // and where else?
}

TEST(Estimate, FollowsRfc6298WithALongerMemory) {
  Estimate e = learned({}, 10);
  EXPECT_DOUBLE_EQ(e.mean, 10);
  EXPECT_DOUBLE_EQ(e.deviation, 5);
  for (int i = 0; i < 40; ++i) e = learned(e, 10);
  EXPECT_NEAR(e.mean, 10, 1e-9);
  EXPECT_NEAR(e.deviation, 0, 0.01);
  const Estimate before = e;
  e = learned(e, 14);
  EXPECT_DOUBLE_EQ(e.mean, before.mean + (14 - before.mean) * 2 / 43);
  EXPECT_DOUBLE_EQ(e.deviation, before.deviation + (4 - before.deviation) / 4);
  EXPECT_LT(learned(before, 1000).mean, 11);  // one that also loaded weights
  EXPECT_DOUBLE_EQ((Expected{10, 2, true}.late()), 18);
}

TEST(Straggler, IsLateByItsSpreadAndDoneSoonerElsewhere) {
  const config::Scheduling settings;  // 60 s, 4 deviations
  const Expected usual{100, 10, true};
  EXPECT_FALSE(straggles(140, usual, settings));
  EXPECT_TRUE(straggles(141, usual, settings));
  EXPECT_FALSE(straggles(50, {10, 1, true}, settings));
  EXPECT_FALSE(straggles(1000, {100, 10, false}, settings));
  EXPECT_TRUE(ends_sooner_elsewhere(200, 0.5, usual));
  EXPECT_FALSE(ends_sooner_elsewhere(200, 0.9, usual));
  EXPECT_TRUE(ends_sooner_elsewhere(200, 0, usual));
}

TEST(Prefetch, GivesWayUnlessNearlyDone) {
  EXPECT_FALSE(may_prefetch(2, 2));
  EXPECT_TRUE(may_prefetch(3, 2));
  EXPECT_TRUE(gives_way(10, {100, 0, true}));
  EXPECT_FALSE(gives_way(80, {100, 0, true}));
}

}  // namespace
}  // namespace rushes::scheduler::policy
