#include "scheduler/core/core.h"
#include "scheduler/core/journal/record_codec.h"
#include "scheduler/core/journal/replay.h"
#include "scheduler/core/journal/snapshot.h"
#include "scheduler/core/state/invariants.h"
#include "scheduler/plan/recipe.h"
#include "tests/fuzz/targets.h"

namespace rushes::fuzz {

using namespace rushes::scheduler;

void record(std::string_view bytes) {
  const auto read = decode_record(octets(bytes));
  if (!read) return require(!read.error().message.empty(), "a refusal says why");
  const Bytes written = encode_record(*read);
  const auto again = decode_record(written);
  require(again.has_value() && again->index() == read->index(), "what was read can be written");
  require(encode_record(*again) == written, "what was written reads the same");
}

namespace {

// Records, each behind its length (4 bytes, big endian). False: one is cut off or does not fit.
bool replay_all(State& state, std::string_view rest) {
  while (!rest.empty()) {
    std::size_t length = 0;
    if (rest.size() < 4) return false;
    for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(rest[i]);
    if (length > rest.size() - 4 || !replay_record(state, rest.substr(4, length))) return false;
    rest.remove_prefix(4 + length);
  }
  return true;
}

}  // namespace

// Rows and records that fit one after another; what is left of a refused snapshot is a state all the same.
void snapshot(std::string_view bytes) {
  State state;
  const bool whole = replay_all(state, bytes);
  State again;
  for (const Record& row : scheduler::snapshot(state))
    require(replay_record(again, row).has_value() || !whole, "a snapshot's own rows fit");
}

void recipe(std::string_view bytes) {
  const auto read = decode_recipe(octets(bytes));
  if (!read) return require(!read.error().message.empty(), "a refusal says why");
  const Bytes canonical = encode_recipe(*read);
  const auto again = decode_recipe(canonical);
  require(again.has_value(), "what was read can be written");
  require(encode_recipe(*again) == canonical, "the canonical form is its own");
}

}  // namespace rushes::fuzz
