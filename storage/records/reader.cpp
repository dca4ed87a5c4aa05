#include "storage/records/reader.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "config/name.h"

namespace rushes::records {
namespace {

// Ids of the annotations of bounds.capnp.
constexpr std::uint64_t kMaxBytes = 0xa3d5c1e86f07b2a1, kMaxCount = 0xb92e47fd10c6835e,
                        kLeast = 0xc48b0a6de1f3572d, kMost = 0xd76f215bc09ae843, kName = 0xe05a9c37b4d81f62,
                        kKeepEnd = 0xf1347be8a60c9d25;

}  // namespace

std::string field_name(std::string_view getter) {
  std::string field(getter);
  field[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(field[0])));
  return field;
}

Bounds bounds_of(capnp::StructSchema schema, std::string_view getter) {
  const std::string field = field_name(getter);
  Bounds bounds;
  for (const char c : field) {
    const bool capital = std::isupper(static_cast<unsigned char>(c)) != 0;
    if (capital) bounds.name += ' ';
    bounds.name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  for (const auto annotation : schema.getFieldByName(field.c_str()).getProto().getAnnotations()) {
    const auto value = annotation.getValue();
    switch (annotation.getId()) {
      case kMaxBytes:
        bounds.bytes = value.getUint32();
        break;
      case kMaxCount:
        bounds.count = value.getUint32();
        break;
      case kLeast:
        bounds.least = value.getUint64();
        break;
      case kMost:
        bounds.most = value.getUint64();
        break;
      case kName:
        bounds.is_name = true;
        break;
      case kKeepEnd:
        bounds.keep_end = true;
        break;
    }
  }
  return bounds;
}

void Reader::refuse(ErrorKind kind, std::string message) {
  if (ok()) problem_ = {source_ == Source::kDisk ? ErrorKind::kCorrupt : kind, std::move(message)};
}

void Reader::get(capnp::Text::Reader in, std::string& out, const Bounds& bounds) {
  const std::string_view text(in.begin(), in.size());
  if (text.size() > bounds.bytes) return too_many(text.size(), bounds.bytes, "bytes", bounds);
  if (source_ == Source::kWire && bounds.is_name && !config::is_name(text))
    return refuse(ErrorKind::kInvalid,
                  bounds.name + ": expected " + config::kNameRule + ", found \"" + one_line(text, 80) + "\"");
  if (source_ == Source::kWire && !is_clean_text(text))
    return refuse(ErrorKind::kInvalid, bounds.name + ": expected UTF-8 text without control characters");
  out = text;
}

void Reader::get(capnp::Data::Reader in, Digest& out, const Bounds& bounds) {
  if (in.size() == out.size())
    std::copy(in.begin(), in.end(), out.begin());
  else if (in.size() == 0 && source_ == Source::kDisk)
    out = {};
  else
    refuse(ErrorKind::kInvalid, bounds.name + ": a digest has 32 bytes, found " + std::to_string(in.size()));
}

void Reader::outside(std::uint64_t found, const Bounds& bounds, std::uint64_t most) {
  refuse(ErrorKind::kInvalid, bounds.name + ": expected " + std::to_string(bounds.least) + ".." +
                                  std::to_string(most) + ", found " + std::to_string(found));
}

void Reader::too_many(std::size_t found, std::size_t most, const char* of, const Bounds& bounds) {
  refuse(ErrorKind::kExhausted, bounds.name + ": expected at most " + std::to_string(most) + " " + of +
                                    ", found " + std::to_string(found));
}

void Reader::unknown(const std::string& found, const Bounds& bounds) {
  refuse(ErrorKind::kInvalid, bounds.name + ": unknown value " + found);
}

capnp::Text::Reader Writer::text(const std::string& text, const Bounds& bounds) {
  const bool as_it_is =
      source_ == Source::kDisk || bounds.is_name || (text.size() <= bounds.bytes && is_clean_text(text));
  if (as_it_is) return {text.c_str(), text.size()};
  held_ = clean_text(text, bounds.bytes, bounds.keep_end);
  return {held_.c_str(), held_.size()};
}

kj::Array<const capnp::word> aligned_words(std::span<const std::uint8_t> bytes) {
  if (bytes.size() % sizeof(capnp::word) != 0) return nullptr;
  const std::size_t count = bytes.size() / sizeof(capnp::word);
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(capnp::word) == 0)
    return {reinterpret_cast<const capnp::word*>(bytes.data()), count, kj::NullArrayDisposer::instance};
  auto words = kj::heapArray<capnp::word>(count);
  std::memcpy(words.begin(), bytes.data(), bytes.size());
  return words;
}

namespace {

struct Segment {
  alignas(capnp::word) std::array<capnp::word, Building::kSegmentBytes / sizeof(capnp::word)> words{};
  bool in_use = false;
};
thread_local Segment own_segment;

}  // namespace

// A message may hold another one as bytes: the inner one is built while the outer one has the thread's segment.
Building::Building(std::size_t segment) : lent_(segment <= kSegmentBytes && !own_segment.in_use) {
  if (lent_) {
    own_segment.in_use = true;
    message_.emplace(kj::arrayPtr(own_segment.words.data(), own_segment.words.size()));
  } else {
    message_.emplace(static_cast<kj::uint>(segment / sizeof(capnp::word)));
  }
}

Building::~Building() {
  message_.reset();
  if (lent_) own_segment.in_use = false;
}

}  // namespace rushes::records
