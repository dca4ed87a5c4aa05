// Views, conversions, the memory pool, movement operations against hand-made expectations, and refusals.
#include <gtest/gtest.h>

#include "kernels/layout.h"
#include "tests/kernels/support.h"

namespace rushes::kernels {
namespace {

std::vector<float> counting(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return values;
}

class Host : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Backend> backend_ =
      std::string(GetParam()) == "cpu" ? make_cpu_backend({2, Precision::kF32}) : make_reference_backend();
};
INSTANTIATE_TEST_SUITE_P(Backends, Host, testing::Values("reference", "cpu"),
                         [](const auto& param) { return std::string(param.param); });

TEST(Conversions, Bf16RoundsToNearestEven) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = bf16_to_float(static_cast<std::uint16_t>(bits));
    if (!std::isnan(value)) {
      EXPECT_EQ(float_to_bf16(value), bits);
    }
  }
  EXPECT_EQ(float_to_bf16(1.0f + 0x1p-8f), 0x3f80);             // half way, to even
  EXPECT_EQ(float_to_bf16(1.0f + 0x1p-7f + 0x1p-8f), 0x3f82);   // half way, to even
  EXPECT_EQ(float_to_bf16(1.0f + 0x1p-8f + 0x1p-20f), 0x3f81);  // above
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(NAN))));
  EXPECT_EQ(float_to_bf16(3.4e38f), 0x7f80);  // overflows to infinity
}

TEST(Conversions, SmallFloatsWiden) {
  EXPECT_EQ(f16_to_float(0x3c00), 1.0f);
  EXPECT_EQ(f16_to_float(0xc500), -5.0f);
  EXPECT_EQ(f16_to_float(0x0001), 0x1p-24f);
  EXPECT_EQ(f16_to_float(0x7bff), 65504.0f);
  EXPECT_TRUE(std::isinf(f16_to_float(0x7c00)) && std::isnan(f16_to_float(0x7e00)));
  EXPECT_EQ(f8e4m3_to_float(0x38), 1.0f);
  EXPECT_EQ(f8e4m3_to_float(0x7e), 448.0f);
  EXPECT_EQ(f8e4m3_to_float(0x81), -0x1p-9f);
  EXPECT_TRUE(std::isnan(f8e4m3_to_float(0x7f)));
}

// Around each number of the format, and around the middle to the next one, where the even code wins.
TEST(Conversions, F8RoundsToNearestEven) {
  for (unsigned code = 0; code < 0x7e; ++code) {
    const auto low = static_cast<std::uint8_t>(code), high = static_cast<std::uint8_t>(code + 1);
    const float value = f8e4m3_to_float(low), middle = (value + f8e4m3_to_float(high)) / 2;
    EXPECT_EQ(float_to_f8e4m3(value), low);
    EXPECT_EQ(float_to_f8e4m3(-value), low | 0x80);
    EXPECT_EQ(float_to_f8e4m3(middle), code % 2 ? high : low) << code;
    EXPECT_EQ(float_to_f8e4m3(std::nextafter(middle, 0.0f)), low) << code;
    EXPECT_EQ(float_to_f8e4m3(std::nextafter(middle, 1e3f)), high) << code;
  }
  EXPECT_EQ(float_to_f8e4m3(1e30f), 0x7e);
  EXPECT_EQ(float_to_f8e4m3(-INFINITY), 0xfe);
  EXPECT_TRUE(std::isnan(f8e4m3_to_float(float_to_f8e4m3(NAN))));
}

TEST_P(Host, ViewsShareMemory) {
  const Tensor x = put(*backend_, counting(24), {4, 6});
  EXPECT_EQ(get(*backend_, x.slice(1, 3)), std::vector<float>({6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}));
  backend_->fill(x.at(2), -1.0f);
  EXPECT_EQ(get(*backend_, x.reshape({2, 2, 6}).at(1).at(0)), std::vector<float>(6, -1.0f));
  EXPECT_THROW(x.reshape({5, 5}), std::invalid_argument);
  EXPECT_THROW(x.slice(3, 5), std::invalid_argument);
  EXPECT_THROW(x.at(4), std::invalid_argument);
}

TEST_P(Host, PoolReusesMemoryAndTensorsOutliveTheBackend) {
  const std::size_t before = backend_->memory().in_use_bytes;
  Tensor kept;
  for (int i = 0; i < 50; ++i) {
    std::vector<Tensor> held;
    for (std::int64_t size = 1; size < 300000; size = size * 3 + i) {
      held.push_back(backend_->empty(DType::kF32, {size}));
      backend_->fill(held.back(), static_cast<float>(size));
    }
    for (const Tensor& x : held) {
      const auto values = get(*backend_, x);
      EXPECT_EQ(values.front(), static_cast<float>(x.elements()));
      EXPECT_EQ(values.back(), static_cast<float>(x.elements()));
    }
    kept = held[2];
  }
  EXPECT_LT(backend_->memory().in_use_bytes, before + 4096);
  EXPECT_LE(backend_->memory().pooled_bytes, std::size_t{64} << 20);
  backend_->reserve(std::size_t{100} << 20);
  EXPECT_GE(backend_->memory().pooled_bytes, std::size_t{100} << 20);
  backend_.reset();
  kept = Tensor();
}

// A stage that follows another one with larger pieces: what is free but too small goes.
TEST_P(Host, PiecesThatAreTooSmallAreNotKept) {
  for (const std::int64_t mib : {40, 60, 90}) (void)backend_->empty(DType::kF32, {mib << 18});
  EXPECT_LE(backend_->memory().pooled_bytes, std::size_t{92} << 20);
}

TEST_P(Host, CopyBoxConcatenatesAndCasts) {
  const Tensor a = put(*backend_, counting(6), {2, 3}), whole = backend_->empty(DType::kBf16, {2, 5});
  backend_->fill(whole, 9.0f);
  backend_->copy_box(a, {0, 1}, whole, {0, 3}, {2, 2});
  EXPECT_EQ(get(*backend_, whole), std::vector<float>({9, 9, 9, 1, 2, 9, 9, 9, 4, 5}));
  const Tensor back = backend_->empty(DType::kF32, {1, 5});
  backend_->copy_box(whole, {1, 0}, back, {0, 0}, {1, 5});
  EXPECT_EQ(get(*backend_, back), std::vector<float>({9, 9, 9, 4, 5}));
  EXPECT_THROW(backend_->copy_box(a, {0, 2}, whole, {0, 0}, {2, 2}), std::invalid_argument);
}

TEST_P(Host, PermuteMatchesIndexArithmetic) {
  Random random(5);
  for (int n = 0; n < 60; ++n) {
    const auto rank = static_cast<int>(random.between(1, 6));
    Shape shape, out;
    std::vector<int> order;
    for (int i = 0; i < rank; ++i) shape.push_back(random.between(1, 4)), order.push_back(i);
    std::shuffle(order.begin(), order.end(), random.engine());
    for (const int axis : order) out.push_back(shape[static_cast<std::size_t>(axis)]);
    const auto values = counting(element_count(shape));
    const Tensor y = backend_->empty(DType::kF32, out);
    backend_->permute(put(*backend_, values, shape), order, y);
    const auto moved = get(*backend_, y);
    for (std::int64_t i = 0; i < y.elements(); ++i) {
      std::int64_t rest = i, from = 0;
      Shape index(shape.size());
      for (std::size_t axis = out.size(); axis-- > 0; rest /= out[axis]) {
        index[static_cast<std::size_t>(order[axis])] = rest % out[axis];
      }
      for (std::size_t axis = 0; axis < shape.size(); ++axis) from = from * shape[axis] + index[axis];
      ASSERT_EQ(moved[static_cast<std::size_t>(i)], static_cast<float>(from));
    }
  }
}

TEST_P(Host, LayoutsGoThereAndBack) {
  const std::int64_t c = 3, t = 4, h = 6, w = 8;
  const auto values = counting(c * t * h * w);
  const Tensor x = put(*backend_, values, {c, t, h, w}), back = backend_->empty(DType::kF32, x.shape());

  const Tensor last = backend_->empty(DType::kF32, {t, h, w, c});
  to_channels_last(*backend_, x, last);
  EXPECT_EQ(get(*backend_, last.at(1).at(2).at(3)), std::vector<float>({67, 259, 451}));
  to_channels_first(*backend_, last, back);
  EXPECT_EQ(get(*backend_, back), values);

  // Token (0, 1, 2): channel 1, patch row 1, column 0 is value 1 * 2 * 2 + 2.
  const Tensor tokens = backend_->empty(DType::kF32, {t * 3 * 4, c * 4});
  patchify_tokens(*backend_, x, {1, 2, 2}, tokens);
  EXPECT_EQ(get(*backend_, tokens.at(6))[6], static_cast<float>(1 * t * h * w + 3 * w + 4));

  // Unpatchify reads channels fastest: column (row * 2 + column) * c + channel.
  const Tensor head = put(*backend_, counting(t * 3 * 4 * 4 * c), {t * 3 * 4, 4 * c});
  unpatchify_tokens(*backend_, head, {1, 2, 2}, back);
  EXPECT_EQ(get(*backend_, back)[1 * t * h * w + 3 * w + 4], static_cast<float>(6 * 12 + 2 * c + 1));

  // Pixel patches: channel = (c * 2 + column) * 2 + row.
  const Tensor pixels = backend_->empty(DType::kF32, {t, 3, 4, 4 * c});
  patchify_pixels(*backend_, x, 2, pixels);
  EXPECT_EQ(get(*backend_, pixels.at(0).at(1).at(2))[6], static_cast<float>(1 * t * h * w + 2 * w + 5));
  unpatchify_pixels(*backend_, pixels, 2, back);
  EXPECT_EQ(get(*backend_, back), values);

  const Tensor doubled = put(*backend_, counting(2 * 2 * 6), {2, 1, 2, 6}),
               frames = backend_->empty(DType::kF32, {4, 1, 2, 3});
  interleave_time(*backend_, doubled, frames);
  EXPECT_EQ(get(*backend_, frames.at(1)), std::vector<float>({3, 4, 5, 9, 10, 11}));
}

TEST_P(Host, ShortcutsOfVae22) {
  // Three frames of one pixel row: time 2, space 1; the missing frame in front is zero.
  const Tensor x = put(*backend_, {1, 2, 3, 4, 5, 6}, {3, 1, 1, 2});
  const Tensor down = backend_->empty(DType::kF32, {2, 1, 1, 2});
  average_down(*backend_, x, 2, 1, down);
  EXPECT_EQ(get(*backend_, down), std::vector<float>({0.5f, 1.0f, 4.0f, 5.0f}));
  const Tensor up = backend_->empty(DType::kF32, {3, 1, 1, 2});
  repeat_up(*backend_, down, 2, 1, up);
  EXPECT_EQ(get(*backend_, up), std::vector<float>({0.5f, 1.0f, 4.0f, 5.0f, 4.0f, 5.0f}));
}

TEST_P(Host, GatherReadsBf16Tables) {
  const std::vector<std::uint16_t> table = {0x3f80, 0x4000, 0x4040, 0x4080};
  const Tensor rows = backend_->upload({table.data(), DType::kBf16, {2, 2}}),
               y = backend_->empty(DType::kF32, {3, 2});
  backend_->gather_rows(rows, backend_->upload(host_tensor(std::vector<std::int32_t>{1, 0, 1}, {3})), y);
  EXPECT_EQ(get(*backend_, y), std::vector<float>({3, 4, 1, 2, 3, 4}));
  const Tensor wrong = backend_->upload(host_tensor(std::vector<std::int32_t>{1, 2, 1}, {3}));
  EXPECT_THROW(backend_->gather_rows(rows, wrong, y), std::invalid_argument);
}

TEST_P(Host, RefusesWhatDoesNotFit) {
  const Tensor x = put(*backend_, counting(12), {3, 4}), y = backend_->empty(DType::kF32, {3, 5});
  const auto w = counting(20);
  const LinearPtr layer = backend_->prepare_linear(host_tensor(w, {5, 4}), {});
  EXPECT_THROW(backend_->linear(y, *layer, x), std::invalid_argument);
  EXPECT_THROW(backend_->linear(Tensor(), *layer, y), std::invalid_argument);
  EXPECT_THROW(backend_->rms_norm(x, y.at(0), 1e-6f, x), std::invalid_argument);
  EXPECT_THROW(backend_->prepare_linear(host_tensor(w, {5, 4}), host_tensor(w, {20})), std::invalid_argument);
  EXPECT_THROW(backend_->empty(DType::kF32, {-1, 4}), std::invalid_argument);
  EXPECT_THROW(backend_->empty(DType::kF32, {std::int64_t{1} << 40, std::int64_t{1} << 40}),
               std::invalid_argument);

  KeyTilePlan plan{1, 20, 20, 16, 16, {0, 1, 1}, {0}};
  EXPECT_THROW(backend_->prepare_key_tiles(plan), std::invalid_argument);  // a query tile without keys
  plan.first = {0, 1, 3}, plan.tile = {0, 1, 1};
  EXPECT_THROW(backend_->prepare_key_tiles(plan), std::invalid_argument);  // a key tile twice
  plan.tile = {0, 1, 2};
  EXPECT_THROW(backend_->prepare_key_tiles(plan), std::invalid_argument);  // no such key tile

  const auto other = make_reference_backend();
  if (std::string(GetParam()) == "cpu") {
    EXPECT_THROW(backend_->linear(x, *other->prepare_linear(host_tensor(w, {5, 4}), {}), y),
                 std::invalid_argument);
  }
}

}  // namespace
}  // namespace rushes::kernels
