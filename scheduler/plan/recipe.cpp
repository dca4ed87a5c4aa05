#include "scheduler/plan/recipe.h"

#include "scheduler/plan/vocabulary_codec.h"

namespace rushes::scheduler {

const char* to_string(Stage stage) {
  static constexpr const char* kNames[kStages] = {"encode",  "denoise", "critique", "decode",
                                                  "enlarge", "refine",  "finish",   "deliver"};
  return kNames[static_cast<int>(stage)];
}

const char* to_string(Verdict verdict) {
  static constexpr const char* kNames[] = {"unknown", "pass", "revise", "reject"};
  return kNames[static_cast<int>(verdict)];
}

Bytes encode_recipe(const Recipe& recipe) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<records::Recipe>();
  codec::write(root, recipe);
  const kj::Array<capnp::word> words = capnp::canonicalize(root.asReader());
  const auto bytes = words.asBytes();
  return {bytes.begin(), bytes.end()};
}

Digest recipe_hash(std::span<const std::uint8_t> canonical) {
  return storage::digest_of({reinterpret_cast<const char*>(canonical.data()), canonical.size()});
}

Result<Recipe> decode_recipe(std::span<const std::uint8_t> bytes) {
  return codec::guarded<Recipe>("recipe", [&] {
    if (bytes.size() > codec::kMaxRecipeBytes) codec::malformed("size", "larger than a recipe can be");
    const auto words = codec::aligned_words(bytes.data(), bytes.size());
    const kj::ArrayPtr<const capnp::word> segments[1] = {words};
    // Not by its size: the canonical form takes the zeros out of a list, and the reader counts them all the
    // same.
    capnp::SegmentArrayMessageReader message(
        kj::arrayPtr(segments, 1), {codec::kMaxRecipeBytes / sizeof(capnp::word), codec::kMaxNesting});
    return codec::read(message.getRoot<records::Recipe>());
  });
}

std::uint64_t revision_seed(std::uint64_t take_seed, std::uint32_t number) {
  std::uint64_t z = take_seed + number * 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace rushes::scheduler
