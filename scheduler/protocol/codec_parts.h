// What the codecs share: opening hostile bytes, the parts that several messages have, the first problem
// found.
//
// Thread contract: pure functions; a Reading belongs to one call.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <string>
#include <string_view>
#include <vector>

#include "scheduler/protocol/codec.h"
#include "scheduler/protocol/wire.capnp.h"

namespace rushes::protocol::parts {

// Collects the first problem of a message; what is read after it is empty, and the message is refused.
class Reading {
 public:
  bool ok() const { return problem_.message.empty(); }
  const Error& problem() const { return problem_; }
  void refuse(ErrorKind kind, std::string message) {
    if (ok()) problem_ = {kind, std::move(message)};
  }

  std::string text(capnp::Text::Reader value, const char* field, std::size_t at_most = kMaxTextBytes);
  std::string name(capnp::Text::Reader value, const char* field);
  std::string data(capnp::Data::Reader value, const char* field, std::size_t at_most);
  Digest digest(capnp::Data::Reader value, const char* field);
  std::uint32_t number(std::uint32_t value, std::uint32_t least, std::uint32_t most, const char* field);
  AttemptId attempt(wire::AttemptId::Reader value);
  Progress progress(wire::Progress::Reader value);
  FailKind fail_kind(wire::FailKind value);
  std::vector<AttemptId> attempts(capnp::List<wire::AttemptId>::Reader list, const char* field);
  std::vector<Digest> digests(capnp::List<capnp::Data>::Reader list, const char* field, unsigned at_most);
  // Number of elements, 0 after refusing more than `at_most`.
  unsigned size(unsigned found, unsigned at_most, const char* field);
  void version(std::uint16_t found);

 private:
  Error problem_;
};

void set(wire::AttemptId::Builder target, const AttemptId& id);
void set(wire::Progress::Builder target, const Progress& progress);
capnp::Data::Reader data_of(std::string_view bytes);
capnp::Data::Reader data_of(const Digest& digest);
wire::FailKind wire_kind(FailKind kind);

// Opens `bytes` as a flat message and calls `read(Reading&, Root::Reader) -> T`. Cap'n Proto's exceptions end
// here.
template <typename Root, typename Read>
auto open(std::string_view bytes, std::size_t at_most, const char* what, Read read)
    -> Result<decltype(read(std::declval<Reading&>(), std::declval<typename Root::Reader>()))> {
  if (bytes.size() > at_most)
    return fail(ErrorKind::kExhausted, std::string(what) + ": expected at most " + std::to_string(at_most) +
                                           " bytes, found " + std::to_string(bytes.size()));
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0)
    return fail(ErrorKind::kInvalid, std::string(what) + ": not a Cap'n Proto message (" +
                                         std::to_string(bytes.size()) + " bytes)");
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(words.begin()));
  Reading reading;
  try {
    // Twice the size: a message may be walked twice, pointers that overlap to inflate it may not.
    capnp::FlatArrayMessageReader message(words, {2 * words.size() + 64, kMaxNesting});
    auto value = read(reading, message.getRoot<Root>());
    if (reading.ok()) return value;
  } catch (const kj::Exception& error) {
    reading.refuse(ErrorKind::kInvalid,
                   std::string("malformed: ") + one_line(error.getDescription().cStr(), 160));
  }
  return with_context(reading.problem(), what);
}

// Builds a message with `write(Root::Builder)` and checks its size.
template <typename Root, typename Write>
Result<std::string> build(std::size_t at_most, const char* what, Write write) {
  capnp::MallocMessageBuilder message;
  write(message.initRoot<Root>());
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  if (bytes.size() > at_most)
    return fail(ErrorKind::kExhausted, std::string(what) + ": at most " + std::to_string(at_most) +
                                           " bytes fit into one message, found " +
                                           std::to_string(bytes.size()));
  return std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}

template <typename... Fs>
struct Overload : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Overload(Fs...) -> Overload<Fs...>;

}  // namespace rushes::protocol::parts
