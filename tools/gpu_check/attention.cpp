// Attention kernels of one size, timed and compared; what they compete with is asked in turn by tools/gpu-check.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "tests/kernels/eight_bit_runs.h"
#include "tools/gpu_check/numbers.h"
#include "tools/gpu_check/verbs.h"

namespace rushes::gpu_check {

namespace {

constexpr std::size_t kRotatedBytes = std::size_t{256} << 20;  // several times a level 2 cache
constexpr int kQueryTile = 128;

const RandomBlock& block_of(const Machine& machine) {
  static const RandomBlock block(17,
                                 machine.emulated() ? 40'009 : 16'777'259);  // primes: no row repeats another
  return block;
}

}  // namespace

struct AttentionBench::State {
  Machine& machine;
  const RandomBlock& block;
  int length, heads, width;
  std::size_t count;  // elements of a tensor
  int sets = 0, next = 0;
  std::unique_ptr<DeviceBytes> memory;
  std::vector<std::size_t> offset;  // of each tensor in the block
  bool listed = false;
  int key_tile = 0;
  std::vector<std::int32_t> first, tile;
  std::unique_ptr<DeviceBytes> lists, rounded;  // rounded: operands in 8 bits, of one launch
  std::vector<float> expected;                  // of the rows that compare() looks at

  State(Machine& on, const Request& request)
      : machine(on),
        block(block_of(on)),
        length(static_cast<int>(request.number("length"))),
        heads(static_cast<int>(request.number("heads"))),
        width(static_cast<int>(request.number("width"))),
        count(static_cast<std::size_t>(length) * static_cast<std::size_t>(heads * width)) {}

  std::uint16_t* tensor(int set, int which) const {  // q, k, v, y
    return reinterpret_cast<std::uint16_t*>(
        memory->at(static_cast<std::size_t>(set * 4 + which) * count * 2));
  }
  float value(int set, int which, int row, int head, int column) const {
    const auto at =
        (static_cast<std::size_t>(row) * static_cast<std::size_t>(heads) + static_cast<std::size_t>(head)) *
            static_cast<std::size_t>(width) +
        static_cast<std::size_t>(column);
    return block.at(offset[static_cast<std::size_t>(set * 3 + which)], at);
  }
  void make_lists(double density);
  void launch(const std::string& form, int set) const;
  void launch_int8(bool hopper, const cuda::AttentionArguments& a) const;
  cuda::AttentionArguments arguments(int set) const;
  std::vector<float> expected_row(int set, int row, int head) const;
};

AttentionBench::~AttentionBench() = default;

AttentionBench::AttentionBench(Machine& machine, const Request& request)
    : state_(std::make_unique<State>(machine, request)) {
  State& s = *state_;
  const std::size_t set_bytes = 4 * s.count * 2;
  s.sets = static_cast<int>(
      std::clamp<std::size_t>((kRotatedBytes + set_bytes - 1) / set_bytes, 2, machine.emulated() ? 2 : 16));
  s.memory = std::make_unique<DeviceBytes>(machine.api(), static_cast<std::size_t>(s.sets) * set_bytes);
  for (int set = 0; set < s.sets; ++set)
    for (int which = 0; which < 3; ++which) {
      s.offset.push_back(static_cast<std::size_t>(set * 3 + which) * 1'000'003 % s.block.bits().size());
      s.block.fill(machine, s.tensor(set, which), s.count, s.offset.back());
    }
  s.listed = request.text("density", "") != "";
  if (s.listed) {
    s.key_tile = static_cast<int>(request.number("key_tile"));
    s.make_lists(request.real("density"));
  }
  s.rounded = std::make_unique<DeviceBytes>(
      machine.api(), cuda::attention8_bytes(machine.attention8_form(), s.arguments(0), 1, s.width));
  machine.device().synchronize();
}

// The same share of key tiles for each query tile, drawn anew for each.
void AttentionBench::State::make_lists(double density) {
  std::mt19937_64 random(5);
  const int tiles = (length + key_tile - 1) / key_tile, query_tiles = (length + kQueryTile - 1) / kQueryTile;
  const int kept = std::clamp(static_cast<int>(std::lround(density * tiles)), 1, tiles);
  std::vector<std::int32_t> all(static_cast<std::size_t>(tiles));
  for (int i = 0; i < tiles; ++i) all[static_cast<std::size_t>(i)] = i;
  first.push_back(0);
  for (int i = 0; i < heads * query_tiles; ++i) {
    std::sample(all.begin(), all.end(), std::back_inserter(tile), kept, random);
    first.push_back(static_cast<std::int32_t>(tile.size()));
  }
  lists = std::make_unique<DeviceBytes>(machine.api(), (first.size() + tile.size()) * 4);
  std::vector<std::int32_t> both = first;
  both.insert(both.end(), tile.begin(), tile.end());
  const auto entered = machine.device().enter();
  machine.device().upload(
      lists->at(0), both.size() * 4, [&](std::byte* pinned, std::size_t from, std::size_t bytes) {
        std::memcpy(pinned, reinterpret_cast<const std::byte*>(both.data()) + from, bytes);
      });
}

cuda::AttentionArguments AttentionBench::State::arguments(int set) const {
  cuda::AttentionArguments a{
      tensor(set, 0), tensor(set, 1), tensor(set, 2), tensor(set, 3),
      heads,          length,         length,         1.0f / std::sqrt(static_cast<float>(width))};
  a.query_tile = listed ? kQueryTile : length, a.key_tile = listed ? key_tile : length;
  if (listed) {
    a.first = reinterpret_cast<const std::int32_t*>(lists->at(0));
    a.tile = a.first + first.size();
  }
  return a;
}

// With the rounding of its operands.
void AttentionBench::State::launch_int8(bool hopper, const cuda::AttentionArguments& a) const {
  cuda::CudaDevice& device = machine.device();
  std::byte* to = rounded->at(0);
  const cuda::Attention8Form form = machine.attention8_form();
  cuda::check(machine.api(), cuda::launch_quantise(machine.api(), device.stream(), form, a, 1, width, to),
              "quantise");
  cuda::check(machine.api(),
              hopper ? cuda::launch_hopper_attention8(machine.api(), device.stream(), a, 1, to)
                     : cuda::launch_attention8(machine.api(), device.stream(), form, a, 1, width, to),
              "attention in 8 bits");
}

void AttentionBench::State::launch(const std::string& form, int set) const {
  const cuda::KernelTable& table = machine.api().kernels();
  const cuda::AttentionArguments a = arguments(set);
  cuda::CudaDevice& device = machine.device();
  if (form.starts_with("int8")) return launch_int8(form == "int8_hopper", a);
  if (form == "portable") {
    device.launch(width == 64 ? table.attention_64 : table.attention_128, cuda::attention_shape(a, 1, width),
                  a);
    return;
  }
  const cuda::HopperIndex index = cuda::hopper_attention_index(a, width, form == "hopper_cluster");
  cuda::HopperAttentionArguments hopper;
  cuda::check(machine.api(), cuda::hopper_attention_arguments(machine.api(), index, a, 1, &hopper),
              "cuTensorMapEncodeTiled");
  device.launch(table.attention_hopper[index], cuda::hopper_attention_shape(index, a, 1), hopper);
}

Reply AttentionBench::describe() const {
  const State& s = *state_;
  std::vector<std::string> forms = {"portable"};
  if (s.machine.device().info().major == 9) {
    forms.push_back("hopper");
    if (s.width == 128 && !s.listed) forms.push_back("hopper_cluster");
  }
  forms.push_back("int8");
  if (s.machine.device().info().major == 9 && cuda::hopper_attention8_takes(s.arguments(0), s.width))
    forms.push_back("int8_hopper");
  std::vector<Reply> list(forms.size());
  for (std::size_t i = 0; i < forms.size(); ++i) list[i].add("form", forms[i]);
  double pairs = static_cast<double>(s.length) * s.length * s.heads;  // of queries and keys
  if (s.listed) {
    pairs = 0;
    const int query_tiles = (s.length + kQueryTile - 1) / kQueryTile;
    for (std::size_t i = 0; i + 1 < s.first.size(); ++i) {
      const int begin = static_cast<int>(i) % query_tiles * kQueryTile;
      double keys = 0;
      for (int n = s.first[i]; n < s.first[i + 1]; ++n)
        keys += std::min(s.key_tile, s.length - s.tile[static_cast<std::size_t>(n)] * s.key_tile);
      pairs += keys * std::min(kQueryTile, s.length - begin);
    }
  }
  return Reply().add("forms", list).add("sets", s.sets).add("flop", 4.0 * pairs * s.width);
}

Reply AttentionBench::time(const Request& request) {
  State& s = *state_;
  const auto launches = request.number("launches");
  const auto entered = s.machine.device().enter();
  const auto run = [&](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i, s.next = (s.next + 1) % s.sets)
      s.launch(request.text("form"), s.next);
  };
  run(1);
  const double total = s.machine.milliseconds([&] { run(launches); });
  return Reply().add("ms", total / static_cast<double>(launches));
}

std::vector<float> AttentionBench::State::expected_row(int set, int row, int head) const {
  std::vector<std::pair<int, double>> scores;
  const auto add = [&](int from, int to) {
    for (int key = from; key < std::min(to, length); ++key) {
      double dot = 0;
      for (int x = 0; x < width; ++x)
        dot += static_cast<double>(value(set, 0, row, head, x)) *
               static_cast<double>(value(set, 1, key, head, x));
      scores.emplace_back(key, dot / std::sqrt(width));
    }
  };
  if (listed) {
    const auto list =
        static_cast<std::size_t>(head * ((length + kQueryTile - 1) / kQueryTile) + row / kQueryTile);
    for (int n = first[list]; n < first[list + 1]; ++n) {
      const int at = tile[static_cast<std::size_t>(n)] * key_tile;
      add(at, at + key_tile);
    }
  } else {
    add(0, length);
  }
  double top = -INFINITY, total = 0;
  for (const auto& [key, score] : scores) top = std::max(top, score);
  std::vector<double> sums(static_cast<std::size_t>(width));
  for (const auto& [key, score] : scores) {
    const double weight = std::exp(score - top);
    total += weight;
    for (int x = 0; x < width; ++x)
      sums[static_cast<std::size_t>(x)] += weight * static_cast<double>(value(set, 2, key, head, x));
  }
  std::vector<float> out(sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i) out[i] = static_cast<float>(sums[i] / total);
  return out;
}

Reply AttentionBench::compare(const Request& request) {
  State& s = *state_;
  const auto entered = s.machine.device().enter();
  cuda::CudaDevice& device = s.machine.device();
  cuda::check(s.machine.api(),
              s.machine.api().memset_async(s.tensor(0, 3), 0xff, s.count * 2, device.stream()),
              "cudaMemsetAsync");
  s.launch(request.text("form"), 0);
  const bool known = !s.expected.empty();
  std::vector<float> values;
  for (const int head : {0, s.heads - 1})
    for (const int row : {0, s.length / 3, s.length / 2 + 1, s.length - 1}) {
      const auto at = static_cast<std::size_t>(row * s.heads + head) * static_cast<std::size_t>(s.width);
      device.download(s.tensor(0, 3) + at, static_cast<std::size_t>(s.width) * 2,
                      [&](const std::byte* from, std::size_t, std::size_t bytes) {
                        const auto* bits = reinterpret_cast<const std::uint16_t*>(from);
                        for (std::size_t i = 0; i < bytes / 2; ++i)
                          values.push_back(kernels::bf16_to_float(bits[i]));
                      });
      if (!known)
        for (const float x : s.expected_row(0, row, head)) s.expected.push_back(x);
    }
  Reply reply;
  const Nearness near = nearness(values, s.expected);
  // Of noise: see eight_bit_runs.h. The step `operations` has the sets that attention in 8 bits is held to.
  const double most = request.text("form").starts_with("int8") ? cuda::kMostNoiseDistance : 3e-3;
  return near.add_to(reply).add("ok", near.distance <= most);
}

}  // namespace rushes::gpu_check
