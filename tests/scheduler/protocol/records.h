// Small records for tests of the wire and of the agent.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <string>
#include <vector>

#include "scheduler/protocol/codec.h"

namespace rushes::protocol::test {

inline std::string flat(capnp::MessageBuilder& message) {
  const auto words = capnp::messageToFlatArray(message);
  return {reinterpret_cast<const char*>(words.asBytes().begin()), words.asBytes().size()};
}

inline TaskResult test_result(const std::vector<ArtifactRef>& outputs) {
  TaskResult result;
  for (const ArtifactRef& output : outputs)
    result.outputs.push_back({Role::kLatent, output.digest, output.bytes});
  result.compute_seconds = 1.5;
  result.numeric_class = "test-class";
  return result;
}

inline TaskSpec test_spec(const std::vector<ArtifactRef>& inputs, const std::string& name = "a test task",
                          Stage stage = Stage::kEncode) {
  TaskSpec spec;
  spec.show = "show";
  spec.shot = "sh010";
  spec.name = name;
  spec.stage = stage;
  for (const ArtifactRef& artifact : inputs) {
    Input& input = spec.inputs.emplace_back();
    input.digest = artifact.digest;
    input.bytes = artifact.bytes;
  }
  return spec;
}

}  // namespace rushes::protocol::test
