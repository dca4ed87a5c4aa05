#include "worker/engine/result.h"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <cstring>

#include "storage/records/frame_files.h"
#include "storage/records/records.capnp.h"

namespace rushes::worker {
namespace {

// Findings that travel in a result, worst first: a control message holds no more. The artifact has all of them.
constexpr std::size_t kMaxFindings = 64;

records::Verdict verdict_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return records::Verdict::PASS;
    case Verdict::kRevise:
      return records::Verdict::REVISE;
    case Verdict::kReject:
      return records::Verdict::REJECT;
    case Verdict::kUnknown:
      break;
  }
  return records::Verdict::UNKNOWN;
}

void write_finding(const Finding& finding, records::Finding::Builder out) {
  out.setDimension(finding.dimension);
  out.setSeverity(static_cast<float>(finding.severity));
  out.initFrames().setBegin(static_cast<std::uint32_t>(finding.frames.begin));
  out.getFrames().setEnd(static_cast<std::uint32_t>(finding.frames.end));
  out.setWindow(static_cast<std::uint32_t>(finding.window));
  auto box = out.initBox();
  box.setX(finding.box.x);
  box.setY(finding.box.y);
  box.setWidth(finding.box.width);
  box.setHeight(finding.box.height);
  out.setMessage(finding.message);
  out.setRemedy(finding.remedy);
  out.setEvidence(finding.evidence);
  out.setThreshold(finding.threshold);
  out.setBlocks(finding.blocks);
}

void write_critique(const Critique& critique, records::Critique::Builder out) {
  out.setVerdict(verdict_of(critique.verdict));
  out.setScore(static_cast<float>(critique.score));
  auto dimensions = out.initDimensions(static_cast<unsigned>(critique.dimensions.size()));
  for (unsigned i = 0; i < dimensions.size(); ++i) {
    dimensions[i].setDimension(critique.dimensions[i].dimension);
    dimensions[i].setScore(static_cast<float>(critique.dimensions[i].score));
    dimensions[i].setThreshold(static_cast<float>(critique.dimensions[i].threshold));
    dimensions[i].setReject(static_cast<float>(critique.dimensions[i].reject));
    dimensions[i].setBlocks(critique.dimensions[i].blocks);
  }
  auto findings = out.initFindings(static_cast<unsigned>(std::min(critique.findings.size(), kMaxFindings)));
  for (unsigned i = 0; i < findings.size(); ++i) write_finding(critique.findings[i], findings[i]);
  out.setCritics(critique.critics);
  out.setComputeSeconds(critique.compute_seconds);
}

}  // namespace

std::vector<std::byte> write_result(const TaskOutcome& outcome) {
  capnp::MallocMessageBuilder message;
  auto result = message.initRoot<records::TaskResult>();
  auto outputs = result.initOutputs(static_cast<unsigned>(outcome.outputs.size()));
  for (unsigned i = 0; i < outputs.size(); ++i) {
    const StoredArtifact& artifact = outcome.outputs[i];
    outputs[i].setRole(artifact.role);
    outputs[i].setDigest(capnp::Data::Reader(artifact.digest.data(), artifact.digest.size()));
    outputs[i].setBytes(artifact.bytes);
  }
  result.setComputeSeconds(outcome.compute_seconds);
  result.setWallSeconds(outcome.wall_seconds);
  result.setPeakMemoryBytes(outcome.peak_memory_bytes);
  if (outcome.critique) write_critique(*outcome.critique, result.initCritique());
  result.setNumericClass(outcome.numeric_class);
  const std::vector<std::string> names = join_frames(outcome.files);
  auto files = result.initFiles(static_cast<unsigned>(names.size()));
  for (unsigned i = 0; i < files.size(); ++i) files.set(i, names[i]);
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  std::vector<std::byte> flat(bytes.size());
  std::memcpy(flat.data(), bytes.begin(), bytes.size());
  return flat;
}

}  // namespace rushes::worker
