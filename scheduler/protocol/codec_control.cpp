// Control messages.
#include "scheduler/protocol/codec_parts.h"

namespace rushes::protocol {
namespace {

using parts::data_of;
using parts::Reading;
using parts::set;

void set_attempts(capnp::List<wire::AttemptId>::Builder list, const std::vector<AttemptId>& ids) {
  for (unsigned i = 0; i < list.size(); ++i) set(list[i], ids[i]);
}

void write(wire::Hello::Builder out, const Hello& hello) {
  out.setName(hello.name);
  out.setBuild(hello.offer.build);
  const Resources& resources = hello.offer.resources;
  const PlainOffer plain = plain_offer(resources);
  out.setSlots(plain.slots);
  out.setMemoryBytes(plain.memory_bytes);
  if (hello.offer.protocol_version >= kTellsSlotsByKind) {
    out.setCpuSlots(resources.slots[SlotKind::kCpu]);
    out.setGpuSlots(resources.slots[SlotKind::kGpu]);
    out.setHostBytes(resources.host_bytes);
    out.setDeviceBytes(resources.device_bytes);
  }
  auto classes = out.initNumericClasses(static_cast<unsigned>(hello.offer.numeric_classes.size()));
  for (unsigned i = 0; i < classes.size(); ++i) classes.set(i, hello.offer.numeric_classes[i]);
  auto models = out.initModels(static_cast<unsigned>(hello.offer.models.size()));
  for (unsigned i = 0; i < models.size(); ++i) {
    models[i].setName(hello.offer.models[i].name);
    models[i].setDigest(data_of(hello.offer.models[i].digest));
  }
  out.setPrefetch(hello.offer.prefetch);
  set_attempts(out.initRunningAttempts(static_cast<unsigned>(hello.running.size())), hello.running);
  out.setOutbox(hello.outbox);
  out.setSequence(hello.sequence);
  out.setStoredSpecs(hello.offer.protocol_version >= kTakesStoredSpecs);
}

WorkerMessage read(Reading& reading, wire::Hello::Reader in) {
  Hello hello;
  hello.name = reading.name(in.getName(), "name");
  hello.offer.build = reading.name(in.getBuild(), "build");
  const PlainOffer plain{reading.number(in.getSlots(), 1, kMaxSlots, "slots"), in.getMemoryBytes()};
  const auto classes = in.getNumericClasses();
  for (unsigned i = 0, n = reading.size(classes.size(), kMaxNumericClasses, "numeric classes"); i < n; ++i)
    hello.offer.numeric_classes.push_back(reading.name(classes[i], "numeric class"));
  const auto models = in.getModels();
  for (unsigned i = 0, n = reading.size(models.size(), kMaxModels, "models"); i < n; ++i)
    hello.offer.models.push_back(
        {reading.name(models[i].getName(), "model"), reading.digest(models[i].getDigest(), "model digest")});
  hello.offer.prefetch = reading.number(in.getPrefetch(), 0, kMaxPrefetch, "prefetch");
  hello.running = reading.attempts(in.getRunningAttempts(), "running attempts");
  hello.outbox = in.getOutbox();
  hello.sequence = in.getSequence();
  hello.offer.protocol_version = in.getStoredSpecs() ? kTakesStoredSpecs : 1;
  const SlotCounts slots{{reading.number(in.getCpuSlots(), 0, kMaxSlots, "CPU slots"),
                          reading.number(in.getGpuSlots(), 0, kMaxSlots, "GPU slots")}};
  if (total(slots) == 0) {
    hello.offer.resources = resources_of(plain, hello.offer.numeric_classes);
  } else {
    hello.offer.resources = {slots, in.getHostBytes(), in.getDeviceBytes()};
    hello.offer.protocol_version = kTellsSlotsByKind;
  }
  return hello;
}

void write(wire::Heartbeat::Builder out, const Heartbeat& beat) {
  out.setSequence(beat.sequence);
  auto attempts = out.initAttempts(static_cast<unsigned>(beat.attempts.size()));
  for (unsigned i = 0; i < attempts.size(); ++i) set(attempts[i], beat.attempts[i]);
  auto cached = out.initCached(static_cast<unsigned>(beat.cached.size()));
  for (unsigned i = 0; i < cached.size(); ++i) cached.set(i, data_of(beat.cached[i]));
}

WorkerMessage read(Reading& reading, wire::Heartbeat::Reader in) {
  Heartbeat beat;
  beat.sequence = in.getSequence();
  const auto attempts = in.getAttempts();
  for (unsigned i = 0, n = reading.size(attempts.size(), kMaxAttempts, "attempts"); i < n && reading.ok();
       ++i)
    beat.attempts.push_back(reading.progress(attempts[i]));
  beat.cached = reading.digests(in.getCached(), "cached digests", kMaxCachedDigests);
  return beat;
}

WorkerMessage read(Reading& reading, wire::Completed::Reader in) {
  Completed completed{reading.attempt(in.getId()), reading.data(in.getResult(), "result", kMaxControlBytes),
                      reading.text(in.getLogTail(), "log tail", kMaxLogBytes)};
  if (reading.ok())
    if (const auto checked = check_task_result(completed.result); !checked)
      reading.refuse(checked.error().kind, checked.error().message);
  return completed;
}

WorkerMessage read(Reading& reading, wire::Failed::Reader in) {
  return Failed{reading.attempt(in.getId()), reading.fail_kind(in.getKind()),
                reading.text(in.getMessage(), "message"), reading.text(in.getExitCause(), "exit cause"),
                reading.text(in.getLogTail(), "log tail", kMaxLogBytes)};
}

SchedulerMessage read(Reading& reading, wire::Welcome::Reader in) {
  return Welcome{in.getWorkerId(),
                 in.getEpoch(),
                 reading.number(in.getHeartbeatMs(), 10, 600'000, "heartbeat"),
                 reading.number(in.getLeaseMs(), 10, 3'600'000, "lease"),
                 reading.attempts(in.getStop(), "stop"),
                 in.getSequence(),
                 in.getFirstLease()};
}

SchedulerMessage read(Reading& reading, wire::Assign::Reader in) {
  Assign assign{reading.attempt(in.getId()), reading.number(in.getLeaseMs(), 10, 3'600'000, "lease"),
                in.getNoProgressMs(), reading.data(in.getSpec(), "task", kMaxControlBytes), std::nullopt};
  if (in.hasSpecDigest()) {
    assign.stored = ArtifactRef{reading.digest(in.getSpecDigest(), "task digest"), in.getSpecBytes()};
    if (!assign.spec.empty()) reading.refuse(ErrorKind::kInvalid, "task: both here and in an artifact");
    if (assign.stored->bytes == 0 || assign.stored->bytes > kMaxStoredSpec)
      reading.refuse(ErrorKind::kExhausted, "task: an artifact of " + std::to_string(assign.stored->bytes) +
                                                " bytes, at most " + std::to_string(kMaxStoredSpec));
    return assign;
  }
  if (reading.ok())
    if (const auto checked = check_task_spec(assign.spec); !checked)
      reading.refuse(checked.error().kind, checked.error().message);
  return assign;
}

}  // namespace

Result<std::string> encode(const WorkerMessage& message) {
  return parts::build<wire::FromWorker>(kMaxControlBytes, "message to the scheduler", [&](auto root) {
    root.setVersion(kProtocolVersion);
    std::visit(parts::Overload{
                   [&](const Hello& hello) { write(root.initHello(), hello); },
                   [&](const Heartbeat& beat) { write(root.initHeartbeat(), beat); },
                   [&](const Started& started) { set(root.initStarted(), started.id); },
                   [&](const Completed& completed) {
                     auto out = root.initCompleted();
                     set(out.initId(), completed.id);
                     out.setResult(data_of(completed.result));
                     out.setLogTail(clean_text(completed.log_tail, kMaxLogBytes, true));
                   },
                   [&](const Failed& failed) {
                     auto out = root.initFailed();
                     set(out.initId(), failed.id);
                     out.setKind(parts::wire_kind(failed.kind));
                     out.setMessage(clean_text(failed.message));
                     out.setExitCause(clean_text(failed.exit_cause));
                     out.setLogTail(clean_text(failed.log_tail, kMaxLogBytes, true));
                   },
                   [&](const Stopped& stopped) { set(root.initStopped(), stopped.id); },
                   [&](const Bye&) { root.setBye(); },
               },
               message);
  });
}

Result<std::string> encode(const SchedulerMessage& message) {
  return parts::build<wire::ToWorker>(kMaxControlBytes, "message to a worker", [&](auto root) {
    root.setVersion(kProtocolVersion);
    std::visit(parts::Overload{
                   [&](const Welcome& welcome) {
                     auto out = root.initWelcome();
                     out.setWorkerId(welcome.worker_id);
                     out.setEpoch(welcome.epoch);
                     out.setHeartbeatMs(welcome.heartbeat_ms);
                     out.setLeaseMs(welcome.lease_ms);
                     set_attempts(out.initStop(static_cast<unsigned>(welcome.stop.size())), welcome.stop);
                     out.setSequence(welcome.sequence);
                     out.setFirstLease(welcome.first_lease);
                   },
                   [&](const Refused& refused) { root.setRefused(clean_text(refused.reason)); },
                   [&](const HeartbeatAck& ack) { root.initHeartbeatAck().setSequence(ack.sequence); },
                   [&](const Assign& assign) {
                     auto out = root.initAssign();
                     set(out.initId(), assign.id);
                     out.setLeaseMs(assign.lease_ms);
                     out.setNoProgressMs(assign.no_progress_ms);
                     if (assign.stored) {
                       out.setSpecDigest(data_of(assign.stored->digest));
                       out.setSpecBytes(assign.stored->bytes);
                     } else {
                       out.setSpec(data_of(assign.spec));
                     }
                   },
                   [&](const Accepted& accepted) { set(root.initAccepted(), accepted.id); },
                   [&](const RefusedResult& refused) {
                     auto out = root.initRefusedResult();
                     set(out.initId(), refused.id);
                     out.setReason(clean_text(refused.reason));
                   },
                   [&](const FailedAck& ack) { set(root.initFailedAck(), ack.id); },
                   [&](const Revoke& revoke) {
                     auto out = root.initRevoke();
                     set(out.initId(), revoke.id);
                     out.setReason(clean_text(revoke.reason));
                   },
                   [&](const Drain&) { root.setDrain(); },
                   [&](const Greet&) { root.setGreet(); },
               },
               message);
  });
}

Result<WorkerMessage> decode_from_worker(std::string_view bytes) {
  return parts::open<wire::FromWorker>(
      bytes, kMaxControlBytes, "message from a worker", [](Reading& reading, wire::FromWorker::Reader root) {
        reading.version(root.getVersion());
        if (!reading.ok()) return WorkerMessage(Bye{});
        switch (root.which()) {
          case wire::FromWorker::HELLO:
            return read(reading, root.getHello());
          case wire::FromWorker::HEARTBEAT:
            return read(reading, root.getHeartbeat());
          case wire::FromWorker::STARTED:
            return WorkerMessage(Started{reading.attempt(root.getStarted())});
          case wire::FromWorker::COMPLETED:
            return read(reading, root.getCompleted());
          case wire::FromWorker::FAILED:
            return read(reading, root.getFailed());
          case wire::FromWorker::STOPPED:
            return WorkerMessage(Stopped{reading.attempt(root.getStopped())});
          case wire::FromWorker::BYE:
            return WorkerMessage(Bye{});
        }
        reading.refuse(ErrorKind::kInvalid, "unknown kind " + std::to_string(static_cast<int>(root.which())));
        return WorkerMessage(Bye{});
      });
}

Result<SchedulerMessage> decode_to_worker(std::string_view bytes) {
  return parts::open<wire::ToWorker>(
      bytes, kMaxControlBytes, "message from the scheduler",
      [](Reading& reading, wire::ToWorker::Reader root) {
        reading.version(root.getVersion());
        if (!reading.ok()) return SchedulerMessage(Greet{});
        switch (root.which()) {
          case wire::ToWorker::WELCOME:
            return read(reading, root.getWelcome());
          case wire::ToWorker::REFUSED:
            return SchedulerMessage(Refused{reading.text(root.getRefused(), "reason")});
          case wire::ToWorker::HEARTBEAT_ACK:
            return SchedulerMessage(HeartbeatAck{root.getHeartbeatAck().getSequence()});
          case wire::ToWorker::ASSIGN:
            return read(reading, root.getAssign());
          case wire::ToWorker::ACCEPTED:
            return SchedulerMessage(Accepted{reading.attempt(root.getAccepted())});
          case wire::ToWorker::REFUSED_RESULT:
            return SchedulerMessage(
                RefusedResult{reading.attempt(root.getRefusedResult().getId()),
                              reading.text(root.getRefusedResult().getReason(), "reason")});
          case wire::ToWorker::FAILED_ACK:
            return SchedulerMessage(FailedAck{reading.attempt(root.getFailedAck())});
          case wire::ToWorker::REVOKE:
            return SchedulerMessage(Revoke{reading.attempt(root.getRevoke().getId()),
                                           reading.text(root.getRevoke().getReason(), "reason")});
          case wire::ToWorker::DRAIN:
            return SchedulerMessage(Drain{});
          case wire::ToWorker::GREET:
            return SchedulerMessage(Greet{});
        }
        reading.refuse(ErrorKind::kInvalid, "unknown kind " + std::to_string(static_cast<int>(root.which())));
        return SchedulerMessage(Greet{});
      });
}

}  // namespace rushes::protocol
