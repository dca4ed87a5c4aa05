#include "scheduler/plan/recipe.h"

#include "config/shot.h"

namespace rushes::scheduler {

std::uint64_t revision_seed(std::uint64_t take_seed, std::uint32_t number) {
  std::uint64_t z = take_seed + number * 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return (z ^ (z >> 31)) & static_cast<std::uint64_t>(config::kMaxSeed);
}

}  // namespace rushes::scheduler
