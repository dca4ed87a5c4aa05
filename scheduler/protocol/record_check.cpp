// Walks the records that travel inside messages, before anybody uses them.
#include "scheduler/protocol/codec_parts.h"
#include "storage/records/records.capnp.h"

namespace rushes::protocol {
namespace {

using parts::Reading;

void walk(Reading& reading, records::Critique::Reader critique) {
  const auto dimensions = critique.getDimensions();
  for (unsigned i = 0, n = reading.size(dimensions.size(), kMaxRecordList, "dimensions");
       i < n && reading.ok(); ++i)
    reading.text(dimensions[i].getDimension(), "dimension", kMaxRecordText);
  const auto findings = critique.getFindings();
  for (unsigned i = 0, n = reading.size(findings.size(), kMaxRecordList, "findings"); i < n && reading.ok();
       ++i) {
    reading.text(findings[i].getDimension(), "finding dimension", kMaxRecordText);
    reading.text(findings[i].getMessage(), "finding message", kMaxRecordText);
    reading.text(findings[i].getRemedy(), "finding remedy", kMaxRecordText);
  }
  reading.text(critique.getCritics(), "critics", kMaxRecordText);
}

std::vector<ArtifactRef> walk(Reading& reading, records::TaskResult::Reader result) {
  std::vector<ArtifactRef> outputs;
  const auto list = result.getOutputs();
  for (unsigned i = 0, n = reading.size(list.size(), kMaxRecordList, "outputs"); i < n && reading.ok(); ++i) {
    reading.text(list[i].getRole(), "output role", kMaxNameBytes);
    outputs.push_back({reading.digest(list[i].getDigest(), "output digest"), list[i].getBytes()});
    if (list[i].getBytes() > kMaxArtifactBytes)
      reading.refuse(ErrorKind::kExhausted, "output: an artifact has at most 4 GiB");
  }
  if (result.hasCritique()) walk(reading, result.getCritique());
  reading.text(result.getNumericClass(), "numeric class", kMaxNameBytes);
  const auto files = result.getFiles();
  for (unsigned i = 0, n = reading.size(files.size(), kMaxRecordList, "files"); i < n && reading.ok(); ++i)
    reading.text(files[i], "file", kMaxRecordText);
  return outputs;
}

SpecNeeds walk(Reading& reading, records::TaskSpec::Reader spec) {
  reading.text(spec.getShow(), "show", kMaxRecordText);
  reading.text(spec.getShot(), "shot", kMaxRecordText);
  reading.text(spec.getName(), "name", kMaxRecordText);
  if (spec.hasDelivery()) {
    reading.text(spec.getDelivery().getFolder(), "delivery folder", kMaxRecordText);
    reading.text(spec.getDelivery().getVersion(), "delivery version", kMaxRecordText);
    reading.text(spec.getDelivery().getTimecode(), "timecode", kMaxRecordText);
    reading.text(spec.getDelivery().getReel(), "reel", kMaxRecordText);
  }
  SpecNeeds needs;
  needs.tensors = computes_tensors(static_cast<Stage>(spec.getStage()), spec.getWholeTake());
  const auto list = spec.getInputs();
  for (unsigned i = 0, n = reading.size(list.size(), kMaxRecordList, "inputs"); i < n && reading.ok(); ++i) {
    reading.text(list[i].getRole(), "input role", kMaxNameBytes);
    needs.inputs.push_back({reading.digest(list[i].getDigest(), "input digest"), list[i].getBytes()});
  }
  return needs;
}

template <typename Root, typename Found>
Result<Found> walk(std::string_view bytes, std::size_t at_most, const char* what) {
  return parts::open<Root>(bytes, at_most, what,
                           [](Reading& reading, typename Root::Reader root) { return walk(reading, root); });
}

}  // namespace

Result<SpecNeeds> needs_of(std::string_view task_spec) {
  return walk<records::TaskSpec, SpecNeeds>(task_spec, kMaxStoredSpec, "task");
}

Result<std::vector<ArtifactRef>> outputs_of(std::string_view task_result) {
  return walk<records::TaskResult, std::vector<ArtifactRef>>(task_result, kMaxControlBytes, "result");
}

Status check_task_spec(std::string_view bytes) {
  if (const auto walked = needs_of(bytes); !walked) return tl::unexpected(walked.error());
  return {};
}

Status check_task_result(std::string_view bytes) {
  if (const auto walked = outputs_of(bytes); !walked) return tl::unexpected(walked.error());
  return {};
}

}  // namespace rushes::protocol
