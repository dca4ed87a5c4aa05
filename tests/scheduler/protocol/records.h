// Small records for tests of the wire and of the agent.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <string>
#include <vector>

#include "scheduler/protocol/codec.h"
#include "storage/records/records.capnp.h"

namespace rushes::protocol::test {

inline std::string flat(capnp::MessageBuilder& message) {
  const auto words = capnp::messageToFlatArray(message);
  return {reinterpret_cast<const char*>(words.asBytes().begin()), words.asBytes().size()};
}

inline std::string test_result(const std::vector<ArtifactRef>& outputs) {
  capnp::MallocMessageBuilder message;
  auto result = message.initRoot<records::TaskResult>();
  auto list = result.initOutputs(static_cast<unsigned>(outputs.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    list[i].setRole("latent");
    list[i].setDigest({outputs[i].digest.data(), outputs[i].digest.size()});
    list[i].setBytes(outputs[i].bytes);
  }
  result.setComputeSeconds(1.5);
  result.setNumericClass("test-class");
  return flat(message);
}

inline std::string test_spec(const std::vector<ArtifactRef>& inputs,
                             const std::string& name = "a test task") {
  capnp::MallocMessageBuilder message;
  auto spec = message.initRoot<records::TaskSpec>();
  spec.setShow("show");
  spec.setShot("sh010");
  spec.setName(name);
  auto list = spec.initInputs(static_cast<unsigned>(inputs.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    list[i].setRole("latent");
    list[i].setDigest({inputs[i].digest.data(), inputs[i].digest.size()});
    list[i].setBytes(inputs[i].bytes);
  }
  return flat(message);
}

}  // namespace rushes::protocol::test
