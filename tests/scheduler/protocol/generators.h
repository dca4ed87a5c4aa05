// Random messages within the bounds of the wire.
#pragma once

#include <rapidcheck.h>

#include "scheduler/protocol/codec.h"
#include "scheduler/protocol/wire.capnp.h"
#include "tests/scheduler/protocol/records.h"

namespace rushes::protocol::test {

inline std::string random_name() {
  return *rc::gen::resize(20, rc::gen::nonEmpty(rc::gen::container<std::string>(
                                  rc::gen::oneOf(rc::gen::inRange('a', 'z'), rc::gen::inRange('0', '9')))));
}

inline std::string random_text() {
  return *rc::gen::container<std::string>(
      rc::gen::oneOf(rc::gen::inRange(' ', '~'), rc::gen::element('\n', '\t')));
}

inline Digest random_digest() { return *rc::gen::container<Digest>(rc::gen::arbitrary<std::uint8_t>()); }

inline AttemptId random_id() {
  return {TaskId(*rc::gen::arbitrary<std::uint64_t>()), *rc::gen::arbitrary<std::uint32_t>(),
          *rc::gen::arbitrary<std::uint64_t>()};
}

template <typename F>
auto random_list(int at_most, F make) {
  std::vector<decltype(make())> list;
  for (int i = *rc::gen::inRange(0, at_most); i > 0; --i) list.push_back(make());
  return list;
}

inline Progress random_progress() {
  return {random_id(), static_cast<float>(*rc::gen::inRange(0, 101)) / 100, random_text(),
          static_cast<double>(*rc::gen::inRange(0, 1'000'000))};
}

inline TaskResult random_result() {
  return test_result(random_list(5, [] {
    return ArtifactRef{random_digest(), *rc::gen::inRange<std::uint64_t>(0, 1 << 30)};
  }));
}

inline TaskSpec random_spec() {
  return test_spec(random_list(5, [] {
    return ArtifactRef{random_digest(), *rc::gen::inRange<std::uint64_t>(0, 1 << 30)};
  }));
}

inline Resources random_resources() {
  Resources resources{{{1, 0}}, *rc::gen::arbitrary<std::uint64_t>(), *rc::gen::arbitrary<std::uint64_t>()};
  for (std::uint32_t& slots : resources.slots.values)
    slots += *rc::gen::inRange<std::uint32_t>(0, wire::MAX_SLOTS);
  return resources;
}

inline WorkerOffer random_offer() {
  WorkerOffer offer{random_name(),
                    *rc::gen::inRange<std::uint32_t>(1, 4),
                    random_resources(),
                    *rc::gen::inRange<std::uint32_t>(0, wire::MAX_PREFETCH + 1),
                    random_list(16, random_name),
                    random_list(8, [] {
                      return ModelOffer{random_name(), random_digest()};
                    })};
  if (offer.protocol_version < kTellsSlotsByKind)
    offer.resources = resources_of(plain_offer(offer.resources), offer.numeric_classes);
  return offer;
}

inline DeviceState random_device() {
  return {random_name(),
          random_name(),
          random_name(),
          *rc::gen::arbitrary<std::uint64_t>(),
          *rc::gen::arbitrary<std::uint64_t>(),
          *rc::gen::inRange<std::int32_t>(-1, 120),
          *rc::gen::arbitrary<std::uint64_t>(),
          random_text()};
}

inline WorkerMessage random_worker_message() {
  switch (*rc::gen::inRange(0, 7)) {
    case 0:
      return Hello{random_name(), random_offer(), random_list(20, random_id),
                   *rc::gen::arbitrary<std::uint32_t>(), *rc::gen::arbitrary<std::uint64_t>()};
    case 1:
      return Heartbeat{*rc::gen::arbitrary<std::uint64_t>(), random_list(10, random_progress),
                       random_list(50, random_digest), *rc::gen::arbitrary<bool>(),
                       random_list(4, random_device)};
    case 2:
      return Started{random_id()};
    case 3:
      return Completed{random_id(), random_result(), random_text()};
    case 4:
      return Failed{random_id(), static_cast<FailKind>(*rc::gen::inRange(0, 8)), random_text(), random_text(),
                    random_text()};
    case 5:
      return Stopped{random_id()};
    default:
      return Bye{};
  }
}

inline SchedulerMessage random_scheduler_message() {
  switch (*rc::gen::inRange(0, 10)) {
    case 0:
      return Welcome{*rc::gen::arbitrary<std::uint64_t>(),
                     *rc::gen::arbitrary<std::uint64_t>(),
                     *rc::gen::inRange<std::uint32_t>(10, 600'000),
                     *rc::gen::inRange<std::uint32_t>(10, 3'600'000),
                     random_list(20, random_id),
                     *rc::gen::arbitrary<std::uint64_t>()};
    case 1:
      return Refused{random_text()};
    case 2:
      return HeartbeatAck{*rc::gen::arbitrary<std::uint64_t>()};
    case 3:
      return *rc::gen::arbitrary<bool>()
                 ? Assign{random_id(), *rc::gen::inRange<std::uint32_t>(10, 3'600'000),
                          *rc::gen::arbitrary<std::uint32_t>(), random_spec()}
                 : Assign{
                       random_id(), 15'000, 0,
                       ArtifactRef{random_digest(), *rc::gen::inRange<std::uint64_t>(1, kMaxStoredSpec + 1)}};
    case 4:
      return Accepted{random_id()};
    case 5:
      return RefusedResult{random_id(), random_text()};
    case 6:
      return FailedAck{random_id()};
    case 7:
      return Revoke{random_id(), random_text()};
    case 8:
      return NameTaken{random_text(), *rc::gen::inRange<std::uint32_t>(10, 3'600'000)};
    default:
      return Greet{};
  }
}

inline ArtifactRequest random_request() {
  ArtifactRequest request{*rc::gen::arbitrary<std::uint64_t>(), {}};
  const auto size = [] { return *rc::gen::inRange<std::uint64_t>(0, kMaxArtifactBytes + 1); };
  switch (*rc::gen::inRange(0, 5)) {
    case 0:
      request.body = HaveRequest{random_list(40, random_digest)};
      break;
    case 1:
      request.body = PutRequest{*rc::gen::arbitrary<std::uint64_t>(), random_digest(), size()};
      break;
    case 2:
      request.body = ChunkRequest{*rc::gen::arbitrary<std::uint64_t>(), size()};
      break;
    case 3:
      request.body = CommitRequest{*rc::gen::arbitrary<std::uint64_t>()};
      break;
    default:
      request.body =
          GetRequest{random_digest(), size(), *rc::gen::inRange<std::uint32_t>(1, kMaxChunkBytes + 1)};
  }
  return request;
}

inline ArtifactReply random_reply() {
  ArtifactReply reply{*rc::gen::arbitrary<std::uint64_t>(), {}};
  const auto size = [] { return *rc::gen::inRange<std::uint64_t>(0, kMaxArtifactBytes + 1); };
  switch (*rc::gen::inRange(0, 5)) {
    case 0:
      reply.body = HeldReply{*rc::gen::arbitrary<std::vector<bool>>()};
      break;
    case 1:
      reply.body = ReadyReply{};
      break;
    case 2:
      reply.body = ReceiptReply{random_digest(), size()};
      break;
    case 3:
      reply.body = DataReply{size(), size()};
      break;
    default:
      reply.body = RefusedReply{ErrorKind::kCorrupt, random_text()};
  }
  return reply;
}

}  // namespace rushes::protocol::test
