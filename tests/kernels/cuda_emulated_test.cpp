// The GPU attention kernel's own source, run thread by thread on the CPU, against the reference.
#include "tests/kernels/cuda_emulation.h"
// After the emulation:
#include "kernels/cuda/attention_block.h"
#include "tests/kernels/attention_cases.h"

namespace rushes::kernels {
namespace {

template <int kWidth>
std::vector<float> emulate(const AttentionCase& c) {
  std::vector<std::uint16_t> y(c.q.size(), 0x7fc0);  // NaN where nothing is written
  device::AttentionArguments arguments{c.q.data(), c.k.data(), c.v.data(), y.data(), c.heads, c.lq,
                                       c.lk,       c.scale,    nullptr,    nullptr,  c.lq,    c.lk};
  if (c.listed) {
    arguments.first = c.plan.first.data(), arguments.tile = c.plan.tile.data();
    arguments.query_tile = static_cast<int>(c.plan.query_tile);
    arguments.key_tile = static_cast<int>(c.plan.key_tile);
  }
  const int tiles = (c.lq + arguments.query_tile - 1) / arguments.query_tile;
  const int blocks = tiles * ((arguments.query_tile + device::kQueries - 1) / device::kQueries);
  auto shared = std::make_unique<device::SharedTiles<kWidth>>();
  for (int batch = 0; batch < c.batch; ++batch)
    for (int head = 0; head < c.heads; ++head)
      for (int block = 0; block < blocks; ++block) {
        std::memset(shared.get(), 0x7f, sizeof *shared);  // whatever is read before it is written shows
        device::EmulatedBlock::run(device::kThreads, [&] {
          device::attention_block<kWidth>(arguments, *shared, block, head, batch);
        });
      }
  std::vector<float> out;
  for (const std::uint16_t bits : y) out.push_back(bf16_to_float(bits));
  return out;
}

TEST(CudaAttentionEmulated, MatchesTheReference) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (const bool listed : {false, true}) {
      const AttentionCase narrow = attention_case(seed, 64, 180, listed),
                          wide = attention_case(seed, 128, 150, listed);
      EXPECT_LE(distance(emulate<64>(narrow), narrow.expected), 3e-3)
          << "width 64, seed " << seed << ' ' << listed;
      EXPECT_LE(distance(emulate<128>(wide), wide.expected), 3e-3)
          << "width 128, seed " << seed << ' ' << listed;
    }
  }
}

}  // namespace
}  // namespace rushes::kernels
