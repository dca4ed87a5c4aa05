// The bytes of one message of each kind are those of the build that wrote tests/data/wire-0.1: workers and schedulers
// of two builds work together. A field that is added leaves these bytes as they are while it has its default.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "scheduler/protocol/codec.h"
#include "tests/folders.h"

namespace rushes::protocol {
namespace {

const AttemptId kId{TaskId(7), 2, 31};

Digest digest(const char* text) { return digest_of(text); }

TaskSpec spec() {
  TaskSpec spec;
  spec.id = TaskId(7);
  spec.show = "show";
  spec.shot = "sh010";
  spec.take = 2;
  spec.stage = Stage::kFinish;
  spec.level = 1;
  spec.window = 3;
  spec.segment = 4;
  spec.tile = 5;
  spec.revision = 6;
  spec.frames = {8, 16};
  spec.whole_take = true;
  spec.recipe_bytes = {1, 2, 3, 4, 5};
  spec.inputs = {{Role::kLatent, digest("a"), 10, Stage::kDenoise, 2, 3, 4, 5, 6, 1},
                 {Role::kFrames, digest("b"), 11, Stage::kDecode, 2, 0, 0, 1, 0, 0}};
  spec.delivery = {"show/sh010", "v002", 1009, "01:00:00:08", "A001", true, {24000, 1001}, 0, {}};
  spec.name = "sh010 take 2 finish frames 8-15";
  spec.critics = {{"flicker", true, 0.5f, 0.25f, false}};
  return spec;
}

TaskResult result() {
  TaskResult result;
  result.outputs = {{Role::kFiles, digest("c"), 12}, {Role::kSidecar, digest("d"), 13}};
  result.compute_seconds = 1.5;
  result.wall_seconds = 2.5;
  result.peak_memory_bytes = 1u << 30;
  result.critique = {
      Verdict::kRevise,
      0.25,
      {{"flicker", 0.25, 0.5, 0.125, true}},
      {{"flicker", 0.75, {8, 16}, 1, {0.25f, 0.5f, 0.25f, 0.5f}, "a flash", "again", 3, 2, true}},
      "flicker 1",
      0.5};
  result.numeric_class = "cpu-avx2-fp32";
  result.files = {"show/sh010/v002/exr/sh010.1009.exr"};
  return result;
}

const Progress kProgress{kId, 0.5f, "step 3 of 12", 4.5};

Hello hello(std::uint32_t version, const Resources& resources) {
  return {"worker-1",
          {"0.1", version, resources, 1, {"cpu-avx2-fp32", "cpu-fp32"}, {{"wan", digest("wan")}}},
          {kId, {TaskId(8), 1, 32}},
          1,
          77};
}

Hello hello_of_process() {
  Hello message = hello(kNamesItsProcess, {{{2, 1}}, 8u << 20, 16u << 20});
  message.process = {"0123456789abcdef", "fedcba9876543210", "bay1.studio.example", 4711, "", {}};
  message.leaving = true;
  return message;
}

Hello hello_with_remarks() {
  Hello message = hello_of_process();
  message.process.remarks = {"model wan: vae.safetensors: the weight file is missing"};
  return message;
}

const std::vector<std::pair<std::string, WorkerMessage>> kFromWorker{
    {"hello_with_remarks", hello_with_remarks()},
    {"heartbeat_devices", Heartbeat{79,
                                    {kProgress},
                                    {digest("a")},
                                    false,
                                    {{"NVIDIA H200", "9.0", "580.95.05", 150u << 20, 140u << 20, 54, 2, ""},
                                     {"GPU 1", "", "", 0, 0, -1, 0, "NVML: GPU is lost"}}}},
    {"started", Started{kId}},
    {"completed", Completed{kId, result(), "the log's end"}},
    {"failed", Failed{kId, FailKind::kCrash, "it died", "signal 9 (Killed)", "the log's end"}},
    {"stopped", Stopped{kId}},
    {"bye", Bye{}},
};

const std::vector<std::pair<std::string, SchedulerMessage>> kToWorker{
    {"welcome", Welcome{3, 9, 2'000, 15'000, {kId}, 77, 40}},
    {"refused", Refused{"the farm is full"}},
    {"heartbeat_ack", HeartbeatAck{78}},
    {"assign_with_takes", Assign{kId, 15'000, 480'000, spec()}},
    {"assign_stored", Assign{kId, 15'000, 480'000, ArtifactRef{digest("spec"), 70'000}}},
    {"accepted", Accepted{kId}},
    {"refused_result", RefusedResult{kId, "the attempt is over"}},
    {"failed_ack", FailedAck{kId}},
    {"revoke", Revoke{kId, "cancelled"}},
    {"greet", Greet{}},
    {"name_taken", NameTaken{"it is taken", 15'000}},
};

const std::vector<std::pair<std::string, ArtifactRequest>> kRequests{
    {"have", {1, HaveRequest{{digest("a"), digest("b")}}}},
    {"put", {2, PutRequest{5, digest("a"), 1u << 20}}},
    {"chunk", {3, ChunkRequest{5, 4096}}},
    {"commit", {4, CommitRequest{5}}},
    {"get", {5, GetRequest{digest("a"), 4096, 1u << 16}}},
};

const std::vector<std::pair<std::string, ArtifactReply>> kReplies{
    {"held", {1, HeldReply{{true, false, true}}}},
    {"ready", {2, ReadyReply{}}},
    {"receipt", {3, ReceiptReply{digest("a"), 1u << 20}}},
    {"data", {4, DataReply{4096, 1u << 20}}},
    {"refusal", {5, RefusedReply{ErrorKind::kCorrupt, "other bytes"}}},
};

const std::vector<std::pair<std::string, ToEngine>> kToEngine{
    {"run_with_takes", EngineRun{kId, spec()}},
    {"cancel", EngineCancel{kId}},
};

const std::vector<std::pair<std::string, FromEngine>> kFromEngine{
    {"engine_ready_with_notes", EngineReady{"cpu-avx2-fp32", "0.1", {"a note"}}},
    {"progress", kProgress},
    {"done", EngineDone{kId, result()}},
    {"engine_failed", EngineFailed{kId, FailKind::kMemory, "out of memory"}},
};

std::map<std::string, std::string> stored() {
  std::map<std::string, std::string> bytes;  // in hexadecimal
  std::ifstream file(test::source_folder() / "tests/data/wire-0.1/messages.txt");
  for (std::string name, hex; file >> name >> hex;) bytes[name] = hex;
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes)
    for (const int shift : {4, 0}) hex += "0123456789abcdef"[static_cast<unsigned char>(c) >> shift & 15];
  return hex;
}

template <class Message, class Decode>
void compare(const std::vector<std::pair<std::string, Message>>& messages, Decode decode) {
  const auto expected = stored();
  for (const auto& [name, message] : messages) {
    const auto bytes = encode(message);
    ASSERT_TRUE(bytes) << name << ": " << bytes.error().message;
    const auto found = expected.find(name);
    EXPECT_EQ(to_hex(*bytes), found == expected.end() ? "nothing" : found->second) << name;
    const auto read = decode(*bytes);
    ASSERT_TRUE(read) << name << ": " << read.error().message;
    EXPECT_TRUE(*read == message) << name;
  }
}

template <class Message, class Body = Message>
bool all_kinds(const std::vector<std::pair<std::string, Message>>& messages) {
  std::vector<bool> seen(std::variant_size_v<Body>);
  for (const auto& [name, message] : messages) {
    if constexpr (requires { message.body; })
      seen[message.body.index()] = true;
    else
      seen[message.index()] = true;
  }
  return std::find(seen.begin(), seen.end(), false) == seen.end();
}

TEST(WireBytes, AreThoseOfTheBuildBefore) {
  compare(kFromWorker, decode_from_worker);
  compare(kToWorker, decode_to_worker);
  compare(kRequests, decode_artifact_request);
  compare(kReplies, decode_artifact_reply);
  compare(kToEngine, decode_to_engine);
  compare(kFromEngine, decode_from_engine);
}

template <class Message, class Decode>
void check_before(const std::vector<std::pair<std::string, Message>>& before, Decode decode) {
  for (const auto& [name, message] : before) {
    std::string bytes;
    const std::string hex = stored()[name];
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    const auto read = decode(bytes);
    ASSERT_TRUE(read) << name << ": " << read.error().message;
    EXPECT_TRUE(*read == message) << name;
  }
}

// Their structs have grown since.
TEST(WireBytes, MessagesOfBeforeAreReadAsTheyWereMeant) {
  const std::vector<std::pair<std::string, WorkerMessage>> before{
      {"hello", hello(kTakesStoredSpecs, {{{2, 0}}, 8u << 20, 0})},
      {"hello_of_process", hello_of_process()},
      {"hello_by_kind", hello(kTellsSlotsByKind, {{{2, 1}}, 8u << 20, 16u << 20})},
      {"heartbeat", Heartbeat{78, {kProgress}, {digest("a"), digest("b")}, false, {}}},
      {"heartbeat_leaving", Heartbeat{78, {kProgress}, {digest("a"), digest("b")}, true, {}}},
  };
  check_before(before, decode_from_worker);
  check_before<SchedulerMessage>({{"assign", Assign{kId, 15'000, 480'000, spec()}}}, decode_to_worker);
  check_before<ToEngine>({{"run", EngineRun{kId, spec()}}}, decode_to_engine);
  check_before<FromEngine>({{"engine_ready", EngineReady{"cpu-avx2-fp32", "0.1"}}}, decode_from_engine);
}

TEST(WireBytes, AreHeldForEveryKind) {
  EXPECT_TRUE(all_kinds(kFromWorker));
  EXPECT_TRUE(all_kinds(kToWorker));
  EXPECT_TRUE((all_kinds<ArtifactRequest, decltype(ArtifactRequest::body)>(kRequests)));
  EXPECT_TRUE((all_kinds<ArtifactReply, decltype(ArtifactReply::body)>(kReplies)));
  EXPECT_TRUE(all_kinds(kToEngine));
  EXPECT_TRUE(all_kinds(kFromEngine));
}

}  // namespace
}  // namespace rushes::protocol
