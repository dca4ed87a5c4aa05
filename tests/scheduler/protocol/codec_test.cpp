#include "scheduler/protocol/codec.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "scheduler/protocol/wire.capnp.h"
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
      RC_ASSERT(is_name(hello->name));
      const SlotCounts& slots = hello->offer.resources.slots;
      RC_ASSERT(total(slots) >= 1 && std::max(slots.values[0], slots.values[1]) <= kMaxSlots);
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
  const auto encoded = encode(WorkerMessage(Completed{{1, 1, 1}, std::string(kMaxControlBytes, 'x'), ""}));
  ASSERT_FALSE(encoded);
  EXPECT_EQ(encoded.error().kind, ErrorKind::kExhausted);
}

TEST(Codec, OtherVersionsAreRefusedByNumber) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<wire::FromWorker>();
  root.setVersion(kProtocolVersion + 1);
  root.setBye();
  const auto read = decode_from_worker(flat(message));
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("found 2"), std::string::npos) << read.error().message;
}

TEST(Codec, ListsAndTextsAreBounded) {
  capnp::MallocMessageBuilder many;
  auto beat = many.initRoot<wire::FromWorker>();
  beat.setVersion(kProtocolVersion);
  beat.initHeartbeat().initCached(kMaxCachedDigests + 1);
  EXPECT_EQ(decode_from_worker(flat(many)).error().kind, ErrorKind::kExhausted);

  capnp::MallocMessageBuilder longer;
  auto failed = longer.initRoot<wire::FromWorker>();
  failed.setVersion(kProtocolVersion);
  failed.initFailed().setMessage(std::string(kMaxTextBytes + 1, 'x'));
  EXPECT_EQ(decode_from_worker(flat(longer)).error().kind, ErrorKind::kExhausted);
}

TEST(Codec, ControlCharactersInHostileTextAreRefused) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<wire::FromWorker>();
  root.setVersion(kProtocolVersion);
  root.initFailed().setMessage("\x1b[2J");
  EXPECT_EQ(decode_from_worker(flat(message)).error().kind, ErrorKind::kInvalid);
}

TEST(Codec, ADigestHas32Bytes) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<wire::ArtifactRequest>();
  root.setVersion(kProtocolVersion);
  root.initPut().setDigest(capnp::Data::Reader(reinterpret_cast<const kj::byte*>("short"), 5));
  EXPECT_EQ(decode_artifact_request(flat(message)).error().kind, ErrorKind::kInvalid);
}

TEST(Codec, AResultThatIsNoResultIsRefused) {
  const auto bytes = encode(WorkerMessage(Completed{{1, 1, 1}, "not a message at all....", ""}));
  ASSERT_TRUE(bytes);
  EXPECT_FALSE(decode_from_worker(*bytes));
}

TEST(Codec, InputsAndOutputsAreFound) {
  const std::vector<ArtifactRef> refs{{digest_of("a"), 7}, {digest_of("b"), 1u << 20}};
  EXPECT_EQ(value(needs_of(test_spec(refs))).inputs, refs);
  EXPECT_EQ(value(outputs_of(test_result(refs))), refs);
}

}  // namespace
}  // namespace rushes::protocol::test
