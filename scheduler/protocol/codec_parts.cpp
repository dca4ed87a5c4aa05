#include "scheduler/protocol/codec_parts.h"

#include <cmath>

namespace rushes::protocol::parts {

std::string Reading::text(capnp::Text::Reader value, const char* field, std::size_t at_most) {
  const std::string_view found(value.begin(), value.size());
  if (found.size() > at_most)
    refuse(ErrorKind::kExhausted, std::string(field) + ": expected at most " + std::to_string(at_most) +
                                      " bytes of text, found " + std::to_string(found.size()));
  else if (!is_clean_text(found))
    refuse(ErrorKind::kInvalid, std::string(field) + ": expected UTF-8 text without control characters");
  return ok() ? std::string(found) : std::string();
}

std::string Reading::name(capnp::Text::Reader value, const char* field) {
  const std::string_view found(value.begin(), value.size());
  if (!is_name(found))
    refuse(ErrorKind::kInvalid, std::string(field) +
                                    ": expected 1 to 64 letters, digits, '.', '_', '-' or '+', found \"" +
                                    one_line(found, 80) + "\"");
  return ok() ? std::string(found) : std::string();
}

std::string Reading::data(capnp::Data::Reader value, const char* field, std::size_t at_most) {
  if (value.size() > at_most)
    refuse(ErrorKind::kExhausted, std::string(field) + ": expected at most " + std::to_string(at_most) +
                                      " bytes, found " + std::to_string(value.size()));
  return ok() ? std::string(reinterpret_cast<const char*>(value.begin()), value.size()) : std::string();
}

Digest Reading::digest(capnp::Data::Reader value, const char* field) {
  Digest digest{};
  if (value.size() != digest.size())
    refuse(ErrorKind::kInvalid,
           std::string(field) + ": a digest has 32 bytes, found " + std::to_string(value.size()));
  else
    std::copy(value.begin(), value.end(), digest.begin());
  return digest;
}

std::uint32_t Reading::number(std::uint32_t value, std::uint32_t least, std::uint32_t most,
                              const char* field) {
  if (value < least || value > most)
    refuse(ErrorKind::kInvalid, std::string(field) + ": expected " + std::to_string(least) + ".." +
                                    std::to_string(most) + ", found " + std::to_string(value));
  return value;
}

AttemptId Reading::attempt(wire::AttemptId::Reader value) {
  return {value.getTask(), value.getAttempt(), value.getLease()};
}

Progress Reading::progress(wire::Progress::Reader value) {
  Progress progress{attempt(value.getId()), value.getFraction(), text(value.getText(), "progress text"),
                    value.getComputeSeconds()};
  if (!(progress.fraction >= 0 && progress.fraction <= 1))
    refuse(ErrorKind::kInvalid, "progress fraction: expected 0..1");
  if (!(progress.compute_seconds >= 0 && progress.compute_seconds < 1e9))
    refuse(ErrorKind::kInvalid, "compute seconds: expected 0..1e9");
  return progress;
}

FailKind Reading::fail_kind(wire::FailKind value) {
  if (static_cast<unsigned>(value) > static_cast<unsigned>(wire::FailKind::ARTIFACT))
    refuse(ErrorKind::kInvalid, "unknown kind of failure " + std::to_string(static_cast<unsigned>(value)));
  return static_cast<FailKind>(value);
}

std::vector<AttemptId> Reading::attempts(capnp::List<wire::AttemptId>::Reader list, const char* field) {
  std::vector<AttemptId> found;
  for (unsigned i = 0, n = size(list.size(), kMaxAttempts, field); i < n; ++i)
    found.push_back(attempt(list[i]));
  return found;
}

std::vector<Digest> Reading::digests(capnp::List<capnp::Data>::Reader list, const char* field,
                                     unsigned at_most) {
  std::vector<Digest> found;
  for (unsigned i = 0, n = size(list.size(), at_most, field); i < n && ok(); ++i)
    found.push_back(digest(list[i], field));
  return found;
}

unsigned Reading::size(unsigned found, unsigned at_most, const char* field) {
  if (found > at_most)
    refuse(ErrorKind::kExhausted, std::string(field) + ": expected at most " + std::to_string(at_most) +
                                      " entries, found " + std::to_string(found));
  return ok() ? found : 0;
}

void Reading::version(std::uint16_t found) {
  if (found < kOldestProtocolVersion || found > kProtocolVersion)
    refuse(ErrorKind::kInvalid, "protocol version: expected " + std::to_string(kOldestProtocolVersion) +
                                    ".." + std::to_string(kProtocolVersion) + ", found " +
                                    std::to_string(found));
}

void set(wire::AttemptId::Builder target, const AttemptId& id) {
  target.setTask(id.task);
  target.setAttempt(id.attempt);
  target.setLease(id.lease);
}

void set(wire::Progress::Builder target, const Progress& progress) {
  set(target.initId(), progress.id);
  target.setFraction(progress.fraction);
  target.setText(clean_text(progress.text));
  target.setComputeSeconds(progress.compute_seconds);
}

capnp::Data::Reader data_of(std::string_view bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}

capnp::Data::Reader data_of(const Digest& digest) { return {digest.data(), digest.size()}; }

wire::FailKind wire_kind(FailKind kind) { return static_cast<wire::FailKind>(kind); }

}  // namespace rushes::protocol::parts
