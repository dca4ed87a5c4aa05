// The shared vocabulary <-> Cap'n Proto: what recipe.cpp, compose.cpp and core/journal/record_codec.cpp have in
// common.
//
// write() functions fill a builder. read() functions treat their message as hostile: every list and text is
// bounded, enumerants and digests are checked; they throw Malformed, and so does Cap'n Proto (kj::Exception),
// both caught by read_bytes() and turned into an Error. Nothing throws across this border.
//
// Thread contract: pure functions.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstring>
#include <string>

#include "config/result.h"
#include "scheduler/plan/vocabulary.h"
#include "storage/records.capnp.h"

namespace rushes::scheduler::codec {

struct Malformed {
  std::string what;
};

inline constexpr unsigned kMaxList = 1'000'000;     // entries of one list
inline constexpr std::size_t kMaxText = 16u << 10;  // bytes of one text
inline constexpr std::size_t kMaxRecipeBytes = 8u << 20;
inline constexpr int kMaxNesting = 24;
// Of a shot: what is planned from them (tiles, runs) is as large as they say. Well above what files may ask
// for.
inline constexpr std::uint32_t kMaxFrames = 1u << 17, kMaxSide = 1u << 16, kMaxScale = 64;
// Entries of its lists. Those of a list may take no bytes until they are written again, so these bound a
// recipe too.
inline constexpr unsigned kMaxRanges = 4096, kMaxTiles = 1u << 16, kMaxTakes = 4096;
inline constexpr unsigned kMaxKeyFrames = 1u << 15, kMaxRevisions = 1u << 14;

[[noreturn]] void malformed(const char* field, const std::string& what);
std::uint32_t at_most(std::uint32_t value, std::uint32_t most, const char* field);
std::string read_text(capnp::Text::Reader text, const char* field, std::size_t most = kMaxText);
Digest read_digest(capnp::Data::Reader data, const char* field);  // empty: all zero
Bytes read_data(capnp::Data::Reader data, const char* field, std::size_t most);
inline capnp::Data::Reader data_of(const Digest& digest) { return {digest.data(), digest.size()}; }
inline capnp::Data::Reader data_of(const Bytes& bytes) { return {bytes.data(), bytes.size()}; }

template <typename List>
unsigned read_size(const List& list, const char* field, unsigned most = kMaxList) {
  if (list.size() > most)
    malformed(field, std::to_string(list.size()) + " entries, at most " + std::to_string(most));
  return list.size();
}
// An enumerant that this build knows.
template <typename Plain, typename Wire>
Plain read_enum(Wire value, unsigned count, const char* field) {
  if (static_cast<unsigned>(value) >= count)
    malformed(field, "unknown value " + std::to_string(static_cast<unsigned>(value)));
  return static_cast<Plain>(value);
}

template <typename T, typename List>
void write_numbers(const std::vector<T>& values, List builder) {
  for (unsigned i = 0; i < values.size(); ++i) builder.set(i, values[i]);
}
template <typename T, typename List>
std::vector<T> read_numbers(const List& list, const char* field) {
  std::vector<T> values(read_size(list, field));
  for (unsigned i = 0; i < values.size(); ++i) values[i] = list[i];
  return values;
}

void write(records::Range::Builder out, const Range& range);
Range read(records::Range::Reader in);
void write(records::Sampling::Builder out, const Sampling& sampling);
Sampling read(records::Sampling::Reader in);
void write(records::Recipe::Builder out, const Recipe& recipe);
Recipe read(records::Recipe::Reader in);
void write(records::Critique::Builder out, const Critique& critique);
Critique read(records::Critique::Reader in);
void write(records::TaskResult::Builder out, const TaskResult& result);
TaskResult read(records::TaskResult::Reader in);
void write(records::CriticSetting::Builder out, const CriticSetting& setting);
CriticSetting read(records::CriticSetting::Reader in);

template <typename List, typename T>
void write_list(List builder, const std::vector<T>& values) {
  for (unsigned i = 0; i < values.size(); ++i) write(builder[i], values[i]);
}
template <typename T, typename List>
std::vector<T> read_list(const List& list, const char* field) {
  std::vector<T> values;
  values.reserve(read_size(list, field, kMaxRanges));
  for (auto entry : list) values.push_back(read(entry));
  return values;
}

// Words of a message that lies anywhere in memory.
kj::Array<capnp::word> aligned_words(const std::uint8_t* bytes, std::size_t size);

// Runs `body` and turns what it throws into kCorrupt.
template <typename T, typename Body>
Result<T> guarded(const char* what, Body&& body) {
  try {
    return body();
  } catch (const Malformed& error) {
    return fail(ErrorKind::kCorrupt, std::string(what) + ": " + error.what);
  } catch (const kj::Exception& error) {
    return fail(ErrorKind::kCorrupt, std::string(what) + ": malformed: " + error.getDescription().cStr());
  }
}

}  // namespace rushes::scheduler::codec
