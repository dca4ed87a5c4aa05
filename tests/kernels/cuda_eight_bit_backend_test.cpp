// Where the CUDA backend computes attention in 8 bits, what it calls itself then, and the judgement of a layer.
#include <gmock/gmock.h>

#include <set>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/eight_bit_gate.h"
#include "tests/kernels/eight_bit_runs.h"
#include "tests/kernels/emulator/software_device.h"

namespace rushes::kernels::cuda {
namespace {

using emulator::SoftwareDevice;

std::unique_ptr<Backend> make(SoftwareDevice& device, bool eight_bit,
                              Precision precision = Precision::kBf16) {
  CudaOptions options;
  options.precision = precision, options.eight_bit = eight_bit;
  return make_cuda_backend(&device, options);
}

struct Operands {
  Tensor q, k, v;
  AttentionOptions options;
  Operands(Backend& backend, const AttentionCase& c) {
    const auto tensor = [&](const std::vector<std::uint16_t>& bits, int length) {
      return backend.upload({bits.data(), DType::kBf16, {c.batch, length, c.heads, c.width}});
    };
    q = tensor(c.q, c.lq), k = tensor(c.k, c.lk), v = tensor(c.v, c.lk);
    options.scale = c.scale;
    if (c.listed) options.key_tiles = backend.prepare_key_tiles(c.plan);
  }
};

std::vector<float> attention(Backend& backend, const AttentionCase& c, bool masked = false,
                             bool in_8_bits = true) {
  Operands o(backend, c);
  o.options.eight_bit = in_8_bits;
  if (masked) {
    const std::vector<std::int32_t> all(static_cast<std::size_t>(c.batch * c.lk), 1);
    o.options.key_mask = backend.upload(host_tensor(all, {c.batch, c.lk}));
  }
  const Tensor y = backend.empty(DType::kF32, o.q.shape());
  backend.attention(o.q, o.k, o.v, y, o.options);
  return get(backend, y);
}

TEST(CudaEightBitBackend, TheNumericClassSaysSo) {
  const auto name = [](int major, int minor, bool eight_bit, Precision precision) {
    SoftwareDevice device({.major = major, .minor = minor});
    const std::string whole = make(device, eight_bit, precision)->numeric_class();
    return whole.substr(0, whole.rfind('-'));
  };
  EXPECT_EQ(name(9, 0, false, Precision::kBf16), "cuda-sm90-bf16");
  EXPECT_EQ(name(9, 0, true, Precision::kBf16), "cuda-sm90-bf16-int8qk-e4m3pv");
  EXPECT_EQ(name(8, 9, true, Precision::kBf16), "cuda-sm89-bf16-int8qk-e4m3pv");
  EXPECT_EQ(name(8, 0, true, Precision::kBf16), "cuda-sm80-bf16-int8qk-bf16pv");
  EXPECT_EQ(name(9, 0, true, Precision::kF32), "cuda-sm90-f32");
}

// Libraries choose engines by their release and by the number of multiprocessors, and engines decide the order of sums.
TEST(CudaNumericClass, EndsInAFingerprintOfWhatLibrariesChooseBy) {
  const auto name = [](const emulator::SoftwareOptions& software, CudaOptions options = {}) {
    SoftwareDevice device(software);
    return make_cuda_backend(&device, options)->numeric_class();
  };
  const std::string plain = name({});
  EXPECT_THAT(plain, testing::MatchesRegex("cuda-sm90-bf16-[0-9a-f]{6}"));
  EXPECT_EQ(name({.memory_bytes = std::size_t{2} << 30, .seed = 9}), plain);
  EXPECT_EQ(name({}, {.precision = Precision::kF32}).substr(14), plain.substr(15)) << "of the device";
  std::set<std::string> names = {plain,
                                 name({.multiprocessors = 8}),
                                 name({.blas_version = 130200}),
                                 name({.dnn_version = 91901}),
                                 name({}, {.exceptions = "layer 3 in bf16"}),
                                 name({}, {.exceptions = "layer 4 in bf16"})};
  EXPECT_EQ(names.size(), 6u);
  CudaOptions longest;
  longest.library_attention = longest.eight_bit = true;
  const emulator::SoftwareOptions newest{.major = 12};
  const std::string both = name(newest, longest) + "+" + name(newest, {.precision = Precision::kF32});
  EXPECT_LE(both.size(), 64u) << both << ": more is no name (config/name.h)";
  SoftwareDevice device;
  EXPECT_EQ(make(device, false)->class_text(), "cuBLASLt 13.1.0, cuDNN 9.19.0, 4 multiprocessors");
}

// Long enough attention differs from that in bf16, within the tolerance; all other attention is the same bits.
TEST(CudaEightBitBackend, TakesWhatItsKernelsTakeAndLeavesTheRest) {
  for (const int major : {9, 8}) {
    SoftwareDevice device({.major = major});
    const auto eight = make(device, true), plain = make(device, false);
    for (const auto& [width, key_tile] :
         std::vector<std::pair<int, int>>{{64, 0}, {128, 0}, {128, 64}, {128, 128}}) {
      const AttentionCase c = outlier_case(width, 20, kFewestKeys8 + 37, key_tile);
      const std::vector<float> y = attention(*eight, c);
      EXPECT_LE(distance(y, c.expected), kMostOutlierDistance) << major << ' ' << width << ' ' << key_tile;
      EXPECT_GE(cosine(y, c.expected), kLeastOutlierCosine) << major << ' ' << width << ' ' << key_tile;
      EXPECT_FALSE(same_bits(y, attention(*plain, c))) << major << ' ' << width << ' ' << key_tile;
    }
    const AttentionCase few = outlier_case(64, 20, kFewestKeys8 - 1, 0),
                        narrow = outlier_case(32, 20, kFewestKeys8, 0),
                        long_enough = outlier_case(64, 20, kFewestKeys8, 0);
    EXPECT_TRUE(same_bits(attention(*eight, long_enough, false, false), attention(*plain, long_enough)));
    EXPECT_TRUE(same_bits(attention(*eight, few), attention(*plain, few)));
    EXPECT_TRUE(same_bits(attention(*eight, narrow), attention(*plain, narrow)));
    EXPECT_TRUE(same_bits(attention(*eight, long_enough, true), attention(*plain, long_enough, true)));
    eight->synchronize();
    EXPECT_EQ(device.fault(), "");
  }
}

TEST(CudaEightBitGate, JudgesALayerByItsOperands) {
  SoftwareDevice device;
  const auto eight = make(device, true), plain = make(device, false);
  AttentionCase c = outlier_case(128, 300, kFewestKeys8, 0);
  const auto judge = [&] {
    const Operands o(*eight, c);
    return judge_eight_bit(*eight, *plain, o.q, o.k, o.v, o.options);
  };
  const EightBitVerdict good = judge();
  EXPECT_TRUE(good.near_enough()) << good.text(3);
  EXPECT_GT(good.distance, 1e-3) << "nothing was computed in 8 bits";
  EXPECT_THAT(good.text(3), testing::HasSubstr("layer 3"));
  EXPECT_THAT(good.text(3), testing::HasSubstr("near enough"));

  // One key of every group is large where all queries are zero: it changes no score, but takes the others' steps.
  const auto width = static_cast<std::size_t>(c.width), row = width * static_cast<std::size_t>(c.heads);
  for (std::size_t i = 0; i < c.q.size(); i += width) c.q[i] = 0;
  for (std::size_t key = 3; key < static_cast<std::size_t>(c.lk); key += 16)
    for (std::size_t head = 0; head < row; head += width) c.k[key * row + head] = float_to_bf16(400.0f);
  const EightBitVerdict bad = judge();
  EXPECT_FALSE(bad.near_enough()) << bad.text(0);
  EXPECT_THAT(bad.text(0), testing::HasSubstr("it stays in bf16"));

  c.v[0] = 0x7fc0;
  EXPECT_FALSE(judge().near_enough()) << "NaN";
}

}  // namespace
}  // namespace rushes::kernels::cuda
