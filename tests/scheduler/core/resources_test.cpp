// Hosts with slots of several kinds: what runs where, what is never stuck, what older workers and records say.
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>

#include "scheduler/core/journal/record_codec.h"
#include "scheduler/core/report/explain.h"
#include "scheduler/core/report/view.h"
#include "scheduler/core/state/needs.h"
#include "storage/records/reader.h"
#include "storage/records/records.capnp.h"
#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

constexpr const char* kCuda = "cuda-sm90-bf16";

config::Shot upgraded_shot(const std::string& name) {
  config::Shot shot = test_shot(name, 33, 1);
  shot.upgrade.enabled = true;
  shot.upgrade.scale = 2;
  return shot;
}

std::size_t held_in(const TestFarm& farm, WorkerId worker, SlotKind kind) {
  return farm.state().workers[worker].leases[kind].size();
}

const Task* first_ready(const TestFarm& farm, Stage stage) {
  for (const Task& task : farm.state().tasks)
    if (task.plan.stage == stage && task.state == TaskState::kReady) return &task;
  return nullptr;
}

// Does everything but attempts that compute no tensors, until one of those waits or is held.
void work_until_pictures(TestFarm& farm, SimWorker& worker) {
  for (int i = 0; i < 500; ++i) {
    worker.receive();
    const auto tensors = std::find_if(worker.held.begin(), worker.held.end(), [&](const AttemptId& id) {
      return computes_tensors(farm.state().task(id.task).plan);
    });
    if (tensors == worker.held.end()) return;
    const AttemptId id = *tensors;
    worker.start(id);
    worker.complete(id);
  }
}

TEST(Resources, PicturesRunInACpuSlotWhileTheGpuDenoises) {
  TestFarm farm;
  SimWorker host(farm, "host", 1, 0);
  use_gpu(host, kCuda, 1);
  host.hello();
  farm.submit({test_shot("sh010", 33, 1)});
  work_until_pictures(farm, host);
  farm.submit({test_shot("sh020", 33, 4)});
  host.receive();
  ASSERT_EQ(host.held.size(), 2u);
  EXPECT_EQ(held_in(farm, WorkerId(0), SlotKind::kCpu), 1u);
  EXPECT_EQ(held_in(farm, WorkerId(0), SlotKind::kGpu), 1u);
  const auto info = view::workers(farm.state(), farm.now).front();
  EXPECT_EQ(info.taken.slots, (SlotCounts{{1, 1}}));
  EXPECT_GT(info.taken.host_bytes, 0u);
  EXPECT_LE(info.taken.host_bytes, info.offered.host_bytes);
  run_to_end(farm, {&host});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  EXPECT_EQ(farm.shot("demo/sh020").state, ShotState::kDelivered);
}

// A CPU may begin it although a GPU is there, and a GPU may not.
TEST(Resources, AShowIsRenderedInItsNumericClass) {
  Settings settings = test_settings();
  settings.shows = {{"demo", 1, 0, {}, "cpu-b"}};
  TestFarm farm(settings);
  SimWorker gpu(farm, "gpu", 2, 0);
  use_gpu(gpu, kCuda);
  gpu.hello();
  farm.submit({test_shot("sh010", 33, 1)});
  const auto submitted = std::get<command::Submitted>(*farm.last_reply().result);
  EXPECT_EQ(submitted.shots.at(0).remarks,
            std::vector<std::string>{
                "show demo: its shots wait for a worker of numeric class cpu-b, and none is connected"});
  const Explanation why = explain(farm.state(), farm.state().task(farm.shot("demo/sh010").encode), farm.now);
  EXPECT_EQ(why.waiting, Waiting::kNoClass);
  EXPECT_EQ(why.text,
            "the shot is pinned to numeric class cpu-b, which no connected worker with its model offers; it "
            "needs a CPU slot");
  SimWorker cpu(farm, "cpu", 2, 1);
  cpu.offer.numeric_classes = {"cpu-b"};
  cpu.hello();
  farm.submit({test_shot("sh020", 33, 1), test_shot("sh030", 33, 1, "other")});
  EXPECT_TRUE(std::get<command::Submitted>(*farm.last_reply().result).shots.at(0).remarks.empty());
  run_to_end(farm, {&gpu, &cpu});
  for (const char* shot : {"demo/sh010", "demo/sh020"}) {
    EXPECT_EQ(farm.shot(shot).state, ShotState::kDelivered);
    EXPECT_EQ(farm.shot(shot).numeric_class, "cpu-b");
  }
  EXPECT_EQ(farm.shot("other/sh030").numeric_class, kCuda) << "no show of ours";
}

TEST(Resources, AWorkerWithoutCpuSlotsStillDelivers) {
  TestFarm farm;
  SimWorker host(farm, "host", 2, 1);
  use_gpu(host, kCuda);
  host.hello();
  farm.submit({upgraded_shot("sh010")});
  run_to_end(farm, {&host});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
}

TEST(Resources, ACpuWorkerWithoutTheModelFinishesATakeOfAGpu) {
  TestFarm farm;
  SimWorker gpu(farm, "gpu", 1, 0), cpu(farm, "cpu", 8, 0);
  use_gpu(gpu, kCuda);
  cpu.offer.models.clear();
  gpu.hello();
  cpu.hello();
  farm.submit({upgraded_shot("sh010")});
  run_to_end(farm, {&cpu, &gpu});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  EXPECT_EQ(farm.shot("demo/sh010").numeric_class, kCuda);
  for (const Task& task : farm.state().tasks) {
    if (task.state != TaskState::kSucceeded) continue;
    EXPECT_EQ(farm.state().workers[task.accepted_worker].name, computes_tensors(task.plan) ? "gpu" : "cpu")
        << to_string(task.plan.stage);
  }
}

TEST(Resources, AResultOfAStageWithoutTensorsMayComeFromAnyClass) {
  TestFarm farm;
  SimWorker gpu(farm, "gpu", 1, 0), cpu(farm, "cpu", 1, 0);
  use_gpu(gpu, kCuda);
  gpu.hello();
  farm.submit({test_shot("sh010", 33, 1)});
  cpu.hello();
  work_until_pictures(farm, gpu);
  cpu.receive();
  ASSERT_EQ(cpu.held.size(), 1u);
  const AttemptId id = cpu.held.front();
  protocol::Completed completed{id, result_for(farm.state(), farm.state().task(id.task), {}), ""};
  completed.result.numeric_class = "cpu-avx512-bf16";
  farm.step(event::FromWorker{"cpu", completed});
  EXPECT_EQ(farm.state().task(id.task).state, TaskState::kSucceeded);
}

// It failed in the CPU slot: the free slot there must not keep the GPU from trying it.
TEST(Resources, AGpuTakesWhatFailedInTheFreeCpuSlot) {
  TestFarm farm;
  SimWorker gpu(farm, "gpu", 1, 0), cpu(farm, "cpu", 1, 0);
  use_gpu(gpu, kCuda);
  gpu.hello();
  cpu.hello();
  farm.submit({test_shot("sh010", 33, 1)});
  work_until_pictures(farm, gpu);
  cpu.receive();
  ASSERT_EQ(cpu.held.size(), 1u);
  const TaskId task = cpu.held.front().task;
  cpu.fail(cpu.held.front());
  for (int i = 0; i < 3; ++i) {
    farm.pass_ms(1000);
    cpu.beat();
    gpu.beat();
  }
  gpu.receive();
  ASSERT_EQ(gpu.held.size(), 1u);
  EXPECT_EQ(gpu.held.front().task, task);
}

// The CPU slot must not leave a picture to the GPU that made its frames, while that leaves it to the CPU slot: the GPU
// would go to another show, although one below its floor has pictures for it.
TEST(Resources, AShowBelowItsFloorGetsTheGpuForPicturesToo) {
  Settings settings = test_settings();
  settings.shows = {{"series", 1, 0.9}, {"feature", 1, 0}};
  TestFarm farm(settings);
  SimWorker gpu(farm, "gpu", 1, 0), cpu(farm, "cpu", 1, 0);
  use_gpu(gpu, kCuda);
  gpu.hello();
  config::Shot series = upgraded_shot("sh010");
  series.show = "series";
  farm.submit({series});
  farm.submit({test_shot("sh010", 33, 16, "feature")});
  const auto plan = [&](const AttemptId& id) { return farm.state().task(id.task).plan; };
  for (int i = 0; i < 500; ++i) {
    gpu.receive();
    ASSERT_FALSE(gpu.held.empty());
    if (plan(gpu.held.front()).stage == Stage::kDecode && plan(gpu.held.front()).level == 1) break;
    gpu.start(gpu.held.front());
    gpu.complete(gpu.held.front());
  }
  cpu.hello();  // which holds nothing of what the pictures need
  cpu.receive();
  ASSERT_EQ(cpu.held.size(), 1u);
  ASSERT_EQ(plan(cpu.held.front()).stage, Stage::kDeliver);  // the draft
  cpu.start(cpu.held.front());
  cpu.complete(cpu.held.front());
  gpu.start(gpu.held.front());
  gpu.complete(gpu.held.front());
  gpu.receive();
  cpu.receive();
  ASSERT_EQ(cpu.held.size(), 1u);
  EXPECT_EQ(plan(cpu.held.front()).stage, Stage::kFinish);
  ASSERT_EQ(gpu.held.size(), 1u);
  EXPECT_EQ(plan(gpu.held.front()).stage, Stage::kFinish);
}

TEST(Resources, WithItsCpuSlotsGoneAWorkerRunsPicturesInItsGpuSlot) {
  TestFarm farm;
  SimWorker host(farm, "host", 1, 2);
  use_gpu(host, kCuda, 1);
  host.hello();
  farm.submit({test_shot("sh010", 33, 1)});
  work_until_pictures(farm, host);
  farm.submit({test_shot("sh020", 33, 1)});
  host.receive();
  ASSERT_EQ(held_in(farm, WorkerId(0), SlotKind::kCpu), 1u);
  host.offer.resources.slots[SlotKind::kCpu] = 0;
  host.hello();
  EXPECT_EQ(held_in(farm, WorkerId(0), SlotKind::kCpu), 0u);
  EXPECT_GE(held_in(farm, WorkerId(0), SlotKind::kGpu), 2u);
  farm.restart();
  host.hello();
  run_to_end(farm, {&host});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  EXPECT_EQ(farm.shot("demo/sh020").state, ShotState::kDelivered);
}

TEST(Resources, AFloorIsAPartOfTheSlotsOfEachKind) {
  Settings settings = test_settings();
  settings.shows = {{"one", 1, 0.5}, {"two", 1, 0}};
  TestFarm farm(settings);
  SimWorker host(farm, "host", 4, 0);
  use_gpu(host, kCuda, 32);  // of which half would be more than all GPU slots
  host.hello();
  farm.submit({test_shot("sh010", 33, 16, "one")});
  farm.submit({test_shot("sh010", 33, 16, "two")});
  std::size_t two = 0;
  for (int i = 0; i < 12; ++i) {
    host.receive();
    if (host.held.empty()) break;
    host.start(host.held.front());
    host.complete(host.held.front());
    two = std::max<std::size_t>(two, farm.state().shows[farm.shot("two/sh010").show].slots[SlotKind::kGpu]);
  }
  EXPECT_EQ(two, 2u);
}

// A CPU worker leaves shots to GPUs, and those must not leave them to the CPU's class.
TEST(Resources, GpusBeginEveryShotHoweverManyCpuSlotsAreFree) {
  TestFarm farm;
  SimWorker gpu(farm, "gpu", 1, 0), cpu(farm, "cpu", 16, 0);
  use_gpu(gpu, kCuda);
  gpu.hello();
  cpu.hello();
  for (int i = 0; i < 6; ++i) farm.submit({test_shot("sh" + std::to_string(i), 33, 8)});
  run_to_end(farm, {&gpu, &cpu});
  for (int i = 0; i < 6; ++i) {
    const Shot& shot = farm.shot("demo/sh" + std::to_string(i));
    EXPECT_EQ(shot.state, ShotState::kDelivered) << shot.key;
    EXPECT_EQ(shot.numeric_class, kCuda);
  }
}

TEST(Resources, AnOlderWorkerGetsPicturesOfItsOwnClassOnly) {
  TestFarm farm;
  SimWorker gpu(farm, "gpu", 1, 0), old(farm, "old", 4, 0);
  use_gpu(gpu, kCuda);
  old.offer.protocol_version = kTakesStoredSpecs;
  gpu.hello();
  farm.submit({upgraded_shot("sh010")});
  old.hello();
  run_to_end(farm, {&old, &gpu});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  EXPECT_EQ(old.accepted, 0u);
}

// Decoding a take of 1,000 windows reads as many latents: its description is no message.
TEST(Resources, ALongDescriptionGoesToWorkersThatCanFetchIt) {
  TestFarm farm;
  farm.check_every_step = false;
  SimWorker old(farm, "old", 1, 0);
  old.offer.protocol_version = 1;
  old.offer.resources.host_bytes = 1ull << 44;
  old.hello();
  farm.submit({test_shot("sh010", 20'000, 1)});
  old.receive();
  ASSERT_EQ(old.held.size(), 1u);  // the encode; the take is planned
  int decodes = 0;
  for (const Task& task : farm.state().tasks) {
    const Requirements needs = needs_of(farm.state(), task);
    const bool is_long = task.plan.stage == Stage::kDecode;
    decodes += is_long ? 1 : 0;
    EXPECT_EQ(needs.stored_spec, is_long) << to_string(task.plan.stage);
    EXPECT_EQ(policy::fit(old.offer, needs), is_long ? policy::Fit::kTooOld : policy::Fit::kFits);
  }
  EXPECT_GT(decodes, 0);
}

TEST(Resources, AHelloWithoutASlotForItsClassIsRefused) {
  TestFarm farm;
  SimWorker host(farm, "host");
  host.offer.resources.slots = {{0, 1}};
  host.hello();
  ASSERT_EQ(farm.sent.size(), 1u);
  const auto* refused = message_in<protocol::Refused>(farm.sent.front());
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->reason, "numeric class cpu-avx512-bf16: the worker offers no cpu slot");
}

// Its GPU fell off the bus: what needs none goes on there, and what needs one waits for another.
TEST(Resources, AWorkerWithoutItsLastGpuKeepsItsCpuSlots) {
  TestFarm farm;
  SimWorker lost(farm, "lost", 1, 0), whole(farm, "whole", 1, 0);
  use_gpu(lost, kCuda, 2);
  use_gpu(whole, kCuda);
  const Resources before = lost.offer.resources;
  lost.hello();
  lost.offer.resources.slots[SlotKind::kGpu] = 0;
  lost.offer.resources.device_bytes = 0;
  lost.hello();
  farm.submit({test_shot("sh010", 33, 1)});
  for (const Command& command : farm.sent) EXPECT_EQ(message_in<protocol::Refused>(command), nullptr);
  lost.receive();
  EXPECT_TRUE(lost.held.empty()) << "no tensors";
  whole.hello();
  bool finished = false;
  for (int step = 0; step < 200 && farm.shot("demo/sh010").state != ShotState::kDelivered; ++step) {
    for (SimWorker* worker : {&lost, &whole}) {
      worker->receive();
      for (const AttemptId& ref : std::vector<AttemptId>(worker->held)) {
        const auto& plan = farm.state().task(ref.task).plan;
        EXPECT_FALSE(worker == &lost && computes_tensors(plan)) << to_string(plan.stage);
        finished = finished || worker == &lost;
        worker->start(ref);
        worker->complete(ref);
      }
    }
    farm.pass_ms(1000);
    lost.beat(), whole.beat();
  }
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  EXPECT_TRUE(finished);
  lost.offer.resources = before;
  lost.hello();
  EXPECT_EQ(farm.state().find_worker("lost")->offer.resources, before);
}

TEST(Explain, SaysWhatATaskNeedsOfHostAndDevice) {
  TestFarm farm;
  SimWorker host(farm, "host", 1, 0);
  use_gpu(host, kCuda, 1);
  host.offer.resources.device_bytes = 1 << 20;
  host.hello();
  farm.submit({test_shot("sh010", 33, 1)});
  host.work();
  const Task* denoise = first_ready(farm, Stage::kDenoise);
  ASSERT_NE(denoise, nullptr);
  const Explanation why = explain(farm.state(), *denoise, farm.now);
  EXPECT_EQ(why.waiting, Waiting::kNoMemory);
  const std::string tensors = std::to_string((denoise->plan.tensor_bytes + (1 << 20) - 1) >> 20);
  EXPECT_EQ(why.text,
            "needs a GPU slot with " + tensors +
                " MiB, and 128 MiB of host memory; the largest worker that could run it, host, has a "
                "GPU slot with 1 MiB, and 4096 MiB of host memory");
}

// ---- records

WorkerFacts written_and_read(const WorkerFacts& facts) {
  const auto read = decode_record(encode_record(record::WorkerJoined{WorkerId(0), facts, 0, 0}));
  EXPECT_TRUE(read) << read.error().message;
  return std::get<record::WorkerJoined>(*read).row;
}

TEST(Resources, AnOfferKeepsItsResourcesInTheJournal) {
  WorkerFacts facts;
  facts.name = "host";
  facts.offer.numeric_classes = {kCuda};
  facts.offer.resources = {{{3, 2}}, 64ull << 30, 160ull << 30};
  EXPECT_EQ(written_and_read(facts).offer, facts.offer);
}

// A record with the fields of before: slots and memory of one kind.
Resources read_of_before(std::uint32_t slots, std::uint64_t memory, const char* numeric_class) {
  WorkerFacts facts;
  facts.name = "host";
  facts.offer.numeric_classes = {numeric_class};
  Bytes bytes = encode_record(record::WorkerJoined{WorkerId(0), facts, 0, 0});
  capnp::MallocMessageBuilder message;
  const auto words = records::aligned_words(bytes);
  capnp::FlatArrayMessageReader reader(words);
  message.setRoot(reader.getRoot<records::Record>());
  auto row = message.getRoot<records::Record>().getWorkerJoined().getRow();
  row.setSlots(slots);
  row.setMemoryBytes(memory);
  row.setCpuSlots(0);
  const auto flat = capnp::messageToFlatArray(message);
  const auto octets = flat.asBytes();
  const auto read = decode_record(Bytes(octets.begin(), octets.end()));
  EXPECT_TRUE(read) << read.error().message;
  return std::get<record::WorkerJoined>(*read).row.offer.resources;
}

TEST(Resources, AnOfferOfBeforeIsReadAsItWasMeant) {
  EXPECT_EQ(read_of_before(4, 32, "cpu-avx512-bf16"), (Resources{{{4, 0}}, 32, 0}));
  EXPECT_EQ(read_of_before(2, 160, kCuda), (Resources{{{0, 2}}, 160, 160}));
}

TEST(Resources, ATaskOfBeforeNeedsAllItsMemoryForWhatItDoes) {
  record::DeliveryPlanned planned;
  for (const Stage stage : {Stage::kDenoise, Stage::kDeliver}) {
    PlannedTask& task = planned.tasks.emplace_back();
    task.id = TaskId(planned.tasks.size());
    task.stage = stage;
    task.tensor_bytes = 7;  // written as all of its memory, of which the host's is none
  }
  const auto read = decode_record(encode_record(planned));
  ASSERT_TRUE(read) << read.error().message;
  const auto& tasks = std::get<record::DeliveryPlanned>(*read).tasks;
  EXPECT_EQ(tasks[0].tensor_bytes, 7u);
  EXPECT_EQ(tasks[0].host_bytes, 0u);
  EXPECT_EQ(tasks[1].tensor_bytes, 0u);
  EXPECT_EQ(tasks[1].host_bytes, 7u);
}

}  // namespace
}  // namespace rushes::scheduler
