// The pipe between an agent and its engine child.
#include "scheduler/protocol/codec_parts.h"

namespace rushes::protocol {

using parts::data_of;
using parts::Reading;
using parts::set;

Result<std::string> encode(const ToEngine& message) {
  return parts::build<wire::ToEngine>(kMaxPipeBytes, "message to an engine", [&](auto root) {
    std::visit(parts::Overload{
                   [&](const EngineRun& run) {
                     auto out = root.initRun();
                     set(out.initId(), run.id);
                     out.setSpec(data_of(run.spec));
                   },
                   [&](const EngineCancel& cancel) { set(root.initCancel(), cancel.id); },
               },
               message);
  });
}

Result<std::string> encode(const FromEngine& message) {
  return parts::build<wire::FromEngine>(kMaxPipeBytes, "message of an engine", [&](auto root) {
    std::visit(parts::Overload{
                   [&](const EngineReady& ready) {
                     auto out = root.initReady();
                     out.setNumericClass(ready.numeric_class);
                     out.setBuild(ready.build);
                   },
                   [&](const Progress& progress) { set(root.initProgress(), progress); },
                   [&](const EngineDone& done) {
                     auto out = root.initDone();
                     set(out.initId(), done.id);
                     out.setResult(data_of(done.result));
                   },
                   [&](const EngineFailed& failed) {
                     auto out = root.initFailed();
                     set(out.initId(), failed.id);
                     out.setKind(parts::wire_kind(failed.kind));
                     out.setMessage(clean_text(failed.message));
                   },
               },
               message);
  });
}

Result<ToEngine> decode_to_engine(std::string_view bytes) {
  return parts::open<wire::ToEngine>(
      bytes, kMaxPipeBytes, "message to an engine", [](Reading& reading, wire::ToEngine::Reader root) {
        switch (root.which()) {
          case wire::ToEngine::RUN:
            return ToEngine(EngineRun{reading.attempt(root.getRun().getId()),
                                      reading.data(root.getRun().getSpec(), "task", kMaxStoredSpec)});
          case wire::ToEngine::CANCEL:
            return ToEngine(EngineCancel{reading.attempt(root.getCancel())});
        }
        reading.refuse(ErrorKind::kInvalid, "unknown kind " + std::to_string(static_cast<int>(root.which())));
        return ToEngine(EngineCancel{});
      });
}

Result<FromEngine> decode_from_engine(std::string_view bytes) {
  return parts::open<wire::FromEngine>(
      bytes, kMaxPipeBytes, "message of an engine", [](Reading& reading, wire::FromEngine::Reader root) {
        switch (root.which()) {
          case wire::FromEngine::READY:
            return FromEngine(EngineReady{reading.name(root.getReady().getNumericClass(), "numeric class"),
                                          reading.name(root.getReady().getBuild(), "build")});
          case wire::FromEngine::PROGRESS:
            return FromEngine(reading.progress(root.getProgress()));
          case wire::FromEngine::DONE: {
            EngineDone done{reading.attempt(root.getDone().getId()),
                            reading.data(root.getDone().getResult(), "result", kMaxControlBytes)};
            if (reading.ok())
              if (const auto checked = check_task_result(done.result); !checked)
                reading.refuse(checked.error().kind, checked.error().message);
            return FromEngine(std::move(done));
          }
          case wire::FromEngine::FAILED:
            return FromEngine(EngineFailed{reading.attempt(root.getFailed().getId()),
                                           reading.fail_kind(root.getFailed().getKind()),
                                           reading.text(root.getFailed().getMessage(), "message")});
        }
        reading.refuse(ErrorKind::kInvalid, "unknown kind " + std::to_string(static_cast<int>(root.which())));
        return FromEngine(EngineReady{});
      });
}

}  // namespace rushes::protocol
