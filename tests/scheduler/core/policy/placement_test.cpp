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

struct Machine {
  WorkerOffer offer;
  std::vector<std::uint64_t> held;
  bool has_memory(std::uint64_t bytes) const { return policy::has_memory(offer, held, bytes); }
};

Machine worker_with(std::uint64_t memory, std::uint32_t slots, std::vector<std::uint64_t> held,
                    std::string numeric_class = "cpu-a") {
  Machine worker;
  worker.offer.numeric_classes = {std::move(numeric_class)};
  worker.offer.memory_bytes = memory;
  worker.offer.slots = slots;
  worker.held = std::move(held);
  return worker;
}

TEST(Memory, IsCountedInBytesNotInSlots) {
  EXPECT_TRUE(worker_with(8, 2, {}).has_memory(8));
  EXPECT_TRUE(worker_with(8, 2, {5}).has_memory(3));
  EXPECT_FALSE(worker_with(8, 2, {5}).has_memory(4));
  EXPECT_EQ(fit(worker_with(8, 4, {}).offer, {{}, "", 8}), Fit::kFits);
  EXPECT_EQ(fit(worker_with(8, 4, {}).offer, {{}, "", 9}), Fit::kNoMemory);
}

TEST(Memory, WhatIsFetchedAheadCountsOnlyWhereItIsTheLarger) {
  EXPECT_TRUE(worker_with(8, 1, {7}).has_memory(8));  // they never run together
  EXPECT_FALSE(worker_with(8, 1, {7}).has_memory(9));
  EXPECT_TRUE(worker_with(8, 2, {5, 2}).has_memory(3));   // 5 and 3
  EXPECT_FALSE(worker_with(8, 2, {5, 2}).has_memory(4));  // 5 and 4
}

TEST(Memory, ADeviceIsASlotsOwn) {
  const Machine gpus = worker_with(80, 2, {40}, "cuda-sm90-bf16");
  EXPECT_TRUE(gpus.has_memory(40));
  EXPECT_EQ(fit(gpus.offer, {{}, "", 41}), Fit::kNoMemory);
}

// Whatever is let in: no choice of as many attempts as there are slots takes more than there is.
TEST(Memory, NoSetThatMayRunAtOnceIsTooLarge) {
  std::mt19937_64 dice(7);
  for (int round = 0; round < 2000; ++round) {
    Machine worker = worker_with(1 + dice() % 100, 1 + static_cast<std::uint32_t>(dice() % 4), {});
    for (int i = 0; i < 8; ++i) {
      const std::uint64_t bytes = 1 + dice() % 60;
      std::vector<std::uint64_t> with = worker.held;
      with.push_back(bytes);
      std::sort(with.begin(), with.end(), std::greater<>());
      const bool fits = memory_taken(with, worker.offer.slots) <= worker.offer.memory_bytes;
      EXPECT_EQ(worker.has_memory(bytes), fits);
      if (fits) worker.held = with;
    }
  }
}

TEST(Backfill, TheWideTaskStartsWhenEnoughHasEnded) {
  const Room room{3, 10};
  const std::vector<Occupant> held{{4, 100}, {4, 300}, {1, 200}};
  EXPECT_EQ(earliest_start(room, held, 2, 0), 100);
  EXPECT_EQ(earliest_start(room, held, 6, 0), 200);
  EXPECT_EQ(earliest_start(room, held, 7, 0), 300);
  EXPECT_EQ(earliest_start(room, held, 10, 0), 300);
  EXPECT_EQ(earliest_start(room, {}, 10, 50), 50);
  EXPECT_EQ(earliest_start(room, held, 11, 0), std::nullopt);
}

TEST(Backfill, OthersRunWhenTheyAreOverByThenOrLeaveItsRoom) {
  const Room room{2, 10};
  const std::vector<Occupant> held{{4, 300}};
  EXPECT_TRUE(may_backfill(room, held, 8, 300, {6, 299}, 0));
  EXPECT_FALSE(may_backfill(room, held, 8, 300, {6, 301}, 0));
  EXPECT_TRUE(may_backfill(room, held, 8, 300, {2, 9999}, 0));  // 8 + 2
  EXPECT_FALSE(may_backfill(room, held, 8, 300, {3, 9999}, 0));
  // The promised start has passed: short estimates open no door any more.
  EXPECT_FALSE(may_backfill(room, held, 8, 300, {6, 320}, 310));
}

TEST(Backfill, AFewReservationsOnly) {
  EXPECT_TRUE(may_reserve(0, 1));
  EXPECT_FALSE(may_reserve(1, 2));
  EXPECT_TRUE(may_reserve(1, 3));
  EXPECT_FALSE(may_reserve(8, 1000));
}

TEST(NumericClass, AShotBeginsWhereItIsDoneSoonest) {
  // Two classes alike; the first has 1000 s more to do over its 10 slots.
  EXPECT_TRUE(may_begin(std::vector<ClassOutlook>{{1, 0, 10}, {1, 0, 10}}, 0, 100, 100, 0));
  EXPECT_FALSE(may_begin(std::vector<ClassOutlook>{{1, 1000, 10}, {1, 0, 10}}, 0, 100, 100, 0));
  EXPECT_TRUE(may_begin(std::vector<ClassOutlook>{{1, 1000, 10}, {1, 0, 10}}, 1, 100, 100, 0));
  // Much else waits: both will be busy for as long.
  EXPECT_TRUE(may_begin(std::vector<ClassOutlook>{{1, 1000, 10}, {1, 0, 10}}, 0, 100, 100, 5000));
  // A slow class would be the last one, unless the farm has that long to do anyway.
  EXPECT_FALSE(may_begin(std::vector<ClassOutlook>{{3, 0, 10}, {1, 0, 10}}, 0, 100, 100, 1000));
  EXPECT_TRUE(may_begin(std::vector<ClassOutlook>{{3, 0, 10}, {1, 0, 10}}, 0, 100, 100, 10'000));
  // Few slots keep a shot of many takes waiting behind itself.
  EXPECT_FALSE(may_begin(std::vector<ClassOutlook>{{1, 0, 1}, {1, 0, 100}}, 0, 100, 1000, 0));
  EXPECT_TRUE(may_begin(std::vector<ClassOutlook>{{1, 0, 0}, {1, 0, 0}}, 0, 100, 100, 0));
}

TEST(NumericClass, OneThatIsNotMeasuredGetsOnlyWhatKeepsItBusy) {
  const auto begins = [](double left, bool busy, std::uint32_t others) {
    const std::vector<ClassOutlook> classes{{1, left, 10, false, busy}, {1, 0, others}};
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
