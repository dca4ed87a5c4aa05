#include "scheduler/protocol/codec.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "config/worker_name.h"
#include "scheduler/protocol/wire.capnp.h"
#include "storage/records/records.capnp.h"
#include "storage/records/text.h"
#include "tests/scheduler/protocol/generators.h"

namespace rushes::protocol::test {
namespace {

template <typename T>
T value(const Result<T>& result) {
  if (!result) ADD_FAILURE() << result.error().message;
  return result.value_or(T{});
}

RC_GTEST_PROP(Codec, AnyWorkerMessageSurvives, ()) {
  const WorkerMessage message = random_worker_message();
  const auto bytes = encode(message);
  RC_ASSERT(bytes.has_value());
  const auto read = decode_from_worker(*bytes);
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == message);
}

RC_GTEST_PROP(Codec, AnySchedulerMessageSurvives, ()) {
  const SchedulerMessage message = random_scheduler_message();
  const auto bytes = encode(message);
  RC_ASSERT(bytes.has_value());
  const auto read = decode_to_worker(*bytes);
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == message);
}

RC_GTEST_PROP(Codec, AnyArtifactMessageSurvives, ()) {
  const ArtifactRequest request = random_request();
  const ArtifactReply reply = random_reply();
  RC_ASSERT(*decode_artifact_request(*encode(request)) == request);
  RC_ASSERT(*decode_artifact_reply(*encode(reply)) == reply);
}

RC_GTEST_PROP(Codec, AnyEngineMessageSurvives, ()) {
  const ToEngine run = EngineRun{random_id(), random_spec()}, cancel = EngineCancel{random_id()};
  const std::vector<FromEngine> back{EngineReady{random_name(), random_name()}, random_progress(),
                                     EngineDone{random_id(), random_result()},
                                     EngineFailed{random_id(), FailKind::kMemory, random_text()}};
  RC_ASSERT(*decode_to_engine(*encode(run)) == run);
  RC_ASSERT(*decode_to_engine(*encode(cancel)) == cancel);
  for (const FromEngine& message : back) RC_ASSERT(*decode_from_engine(*encode(message)) == message);
}

// Whatever the network sends, the reader answers with a message or an error, and what it returns is within
// bounds.
RC_GTEST_PROP(Codec, MutatedBytesAreReadOrRefused, ()) {
  std::string bytes = *encode(random_worker_message());
  for (int i = *rc::gen::inRange(1, 16); i > 0; --i) {
    const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size());
    bytes[at] = static_cast<char>(*rc::gen::arbitrary<std::uint8_t>());
  }
  bytes.resize(*rc::gen::weightedOneOf<std::size_t>(
      {{3, rc::gen::just(bytes.size())}, {1, rc::gen::inRange<std::size_t>(0, bytes.size())}}));
  if (const auto read = decode_from_worker(bytes)) {
    RC_ASSERT(encode(*read).has_value());
    if (const auto* hello = std::get_if<Hello>(&*read)) {
      RC_ASSERT(config::is_worker_name(hello->name));
      const SlotCounts& slots = hello->offer.resources.slots;
      RC_ASSERT(total(slots) >= 1 && std::max(slots.values[0], slots.values[1]) <= wire::MAX_SLOTS);
    }
    if (const auto* failed = std::get_if<Failed>(&*read)) RC_ASSERT(is_clean_text(failed->message));
  } else {
    RC_ASSERT(!read.error().message.empty());
    RC_ASSERT(read.error().message.find('\n') == std::string::npos);
  }
  (void)decode_to_worker(bytes);
  (void)decode_artifact_request(bytes);
  (void)decode_artifact_reply(bytes);
  (void)decode_to_engine(bytes);
  (void)decode_from_engine(bytes);
}

RC_GTEST_PROP(Codec, RandomBytesAreReadOrRefused, (const std::string& bytes)) {
  (void)decode_from_worker(bytes);
  (void)decode_to_worker(bytes);
  (void)decode_artifact_request(bytes);
}

TEST(Codec, OversizedMessagesAreRefusedOnBothSides) {
  const auto decoded = decode_from_worker(std::string(kMaxControlBytes + 8, '\0'));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().kind, ErrorKind::kExhausted);
  TaskResult large;
  large.files.assign(kMaxControlBytes / 8, "file");
  const auto encoded = encode(WorkerMessage(Completed{{TaskId(1), 1, 1}, large, ""}));
  ASSERT_FALSE(encoded);
  EXPECT_EQ(encoded.error().kind, ErrorKind::kExhausted);
}

TEST(Codec, OtherVersionsAreRefusedByNumber) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<wire::FromWorker>();
  root.setVersion(wire::VERSION + 1);
  root.setBye();
  const auto read = decode_from_worker(flat(message));
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("found 2"), std::string::npos) << read.error().message;
}

TEST(Codec, ListsAndTextsAreBounded) {
  capnp::MallocMessageBuilder many;
  auto beat = many.initRoot<wire::FromWorker>();
  beat.setVersion(wire::VERSION);
  beat.initHeartbeat().initCached(kMaxCachedDigests + 1);
  EXPECT_EQ(decode_from_worker(flat(many)).error().kind, ErrorKind::kExhausted);

  capnp::MallocMessageBuilder longer;
  auto failed = longer.initRoot<wire::FromWorker>();
  failed.setVersion(wire::VERSION);
  failed.initFailed().setMessage(std::string(wire::MAX_TEXT + 1, 'x'));
  EXPECT_EQ(decode_from_worker(flat(longer)).error().kind, ErrorKind::kExhausted);
}

TEST(Codec, ControlCharactersInHostileTextAreRefused) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<wire::FromWorker>();
  root.setVersion(wire::VERSION);
  root.initFailed().setMessage("\x1b[2J");
  EXPECT_EQ(decode_from_worker(flat(message)).error().kind, ErrorKind::kInvalid);
}

TEST(Codec, ADigestHas32Bytes) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<wire::ArtifactRequest>();
  root.setVersion(wire::VERSION);
  root.initPut().setDigest(capnp::Data::Reader(reinterpret_cast<const kj::byte*>("short"), 5));
  EXPECT_EQ(decode_artifact_request(flat(message)).error().kind, ErrorKind::kInvalid);
}

capnp::Data::Reader data(const std::string& bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}

TEST(Codec, AnAttemptWhoseResultCannotBeReadHasFailed) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<wire::FromWorker>();
  root.setVersion(wire::VERSION);
  auto completed = root.initCompleted();
  completed.initId().setTask(7);
  completed.setResult(data("not a message at all...."));
  completed.setLogTail("the log");
  const auto failed = std::get<Failed>(value(decode_from_worker(flat(message))));
  EXPECT_EQ(failed.id.task, TaskId(7));
  EXPECT_EQ(failed.kind, FailKind::kArtifact);
  EXPECT_EQ(failed.message.find("result: "), 0u) << failed.message;
  EXPECT_EQ(failed.log_tail, "the log");
}

// A newer scheduler may know stages that this worker does not: the worker has to answer for the attempt.
TEST(Codec, AnAssignmentWhoseTaskCannotBeReadNamesItsAttempt) {
  capnp::MallocMessageBuilder task;
  task.initRoot<records::TaskSpec>().setStage(static_cast<records::Stage>(99));
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<wire::ToWorker>();
  root.setVersion(wire::VERSION);
  auto assign = root.initAssign();
  assign.initId().setTask(7);
  assign.setLeaseMs(15'000);
  assign.setSpec(data(flat(task)));
  const auto read = std::get<Assign>(value(decode_to_worker(flat(message))));
  EXPECT_EQ(read.id.task, TaskId(7));
  EXPECT_EQ(std::get<Unreadable>(read.task).why, "task: stage: unknown value 99");
  EXPECT_FALSE(encode(SchedulerMessage(read)));
}

TEST(Codec, NamesAndNumbersAreBounded) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<wire::FromWorker>();
  root.setVersion(wire::VERSION);
  auto hello = root.initHello();
  hello.setName("worker");
  hello.setBuild("a build");
  hello.setSlots(1);
  EXPECT_EQ(decode_from_worker(flat(message)).error().message,
            "message from a worker: build: expected 1 to 64 letters, digits, '.', '_', '-' or '+', found "
            "\"a build\"");
  hello.setBuild("0.1");
  hello.setSlots(65);
  EXPECT_EQ(decode_from_worker(flat(message)).error().message,
            "message from a worker: slots: expected 1..64, found 65");
}

TEST(Codec, UnknownKindsAreRefused) {
  // As an old reader sees the newest kind of a newer writer: the discriminant stands behind the version.
  std::string bytes = *encode(WorkerMessage(Bye{}));
  const std::size_t at = bytes.find(std::string("\x06\0", 2), 16);
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 42;
  EXPECT_EQ(decode_from_worker(bytes).error().message, "message from a worker: unknown kind 42");
}

}  // namespace
}  // namespace rushes::protocol::test
