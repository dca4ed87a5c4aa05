// Layers that 8 bits ruin stay in bf16, and the numeric class says so: on a software device, with models of two layers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kernels/emulator/software_device.h"
#include "tests/worker/model/tiny_model.h"
#include "worker/engine/models.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class EightBitLayersTest : public testing::Test {
 protected:
  EightBitLayersTest() { kernels::cuda::install(&device_); }
  ~EightBitLayersTest() override { kernels::cuda::install(before_); }

  Recipe add(const std::string& name, int ruined_layer, int ruined_products = -1) {
    TinyModel tiny;
    tiny.head_dim = 64;
    tiny.size = {128, 64};
    tiny.ruined_layer = ruined_layer, tiny.ruined_products = ruined_products;
    const auto manifest = write_tiny_model(root_ / name, tiny);
    EXPECT_TRUE(manifest) << manifest.error().message;
    Recipe recipe;
    recipe.model = name;
    recipe.model_digest =
        *digest_from_hex(config::model_digest(*manifest).substr(config::kDigestPrefix.size()));
    return recipe;
  }
  Result<Models> open() {
    EngineOptions options;
    options.model_roots = {root_};
    options.backend = config::Backend::kCuda;
    options.eight_bit = true;
    return Models::open(options);
  }
  struct InEightBits {
    std::vector<bool> attention;
    std::map<int, int> products;  // by layer, how many
  };
  static InEightBits in_8_bits(Model& model) {
    InEightBits found;
    model.transformer().set_probes(
        [&](int, const kernels::Tensor&, const kernels::Tensor&, const kernels::Tensor&,
            const kernels::AttentionOptions& options) { found.attention.push_back(options.eight_bit); },
        [&](int layer, const kernels::Tensor& x, const kernels::Linear& weights) {
          found.products[layer] += weights.eight_bit;
          EXPECT_TRUE(weights.eight_bit || x.dtype() != kernels::DType::kF8E4M3);
        });
    const auto states = model.encode_text("a ball");
    const auto& sizes = model.transformer().sizes();
    const std::int64_t channels = model.latent_channels();
    const auto steps = model.begin_steps({channels, 1, 2, 2}, Volume::zeros(sizes.in_dim - channels, 1, 2, 2),
                                         *states, nullptr);
    model.compute().fill((*steps)->input, 0.5f);
    EXPECT_TRUE(model.transformer().velocity((*steps)->input, {{500}, {}}, (*steps)->prompt));
    model.transformer().set_probes({}, {});
    return found;
  }

  TestFolder folder_;
  fs::path root_ = folder_.path() / "models";
  emulator::SoftwareDevice device_;
  kernels::cuda::DeviceApi* before_ = kernels::cuda::device_api();
};

TEST_F(EightBitLayersTest, ALayerThatIsRuinedStaysInBf16AndTheClassSaysSo) {
  const Recipe good = add("good", -1), ruined = add("ruined", 1);
  auto models = open();
  ASSERT_TRUE(models) << models.error().message;
  EXPECT_THAT(models->numeric_class(), HasSubstr("-int8qk-e4m3pv-"));
  EXPECT_THAT(models->class_text(), HasSubstr("keeps attention of layers 1 in bf16"));
  EXPECT_THAT(models->notes(),
              testing::Contains(AllOf(HasSubstr("model ruined, layer 1: attention in 8 bits differs"),
                                      HasSubstr("it stays in bf16"))));
  EXPECT_THAT(models->notes(),
              testing::Contains(HasSubstr("8 bits: model ruined: attention of 1 of 2 layers")));
  EXPECT_THAT(models->notes(),
              testing::Contains(HasSubstr("8 bits: model good: attention of 2 of 2 layers")));
  EXPECT_THAT(in_8_bits(**models->get(good)).attention, testing::ElementsAre(true, true));
  EXPECT_THAT(in_8_bits(**models->get(ruined)).attention, testing::ElementsAre(true, false));

  const auto late = models->get(add("late", 0));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kModel);
  EXPECT_THAT(late.error().message, HasSubstr("model late was not judged for 8 bits"));
  EXPECT_EQ(device_.fault(), "");
}

TEST_F(EightBitLayersTest, ALayerWhoseProductsAreRuinedKeepsThemInBf16) {
  const Recipe ruined = add("ruined", -1, 0);
  auto models = open();
  ASSERT_TRUE(models) << models.error().message;
  EXPECT_THAT(models->class_text(), HasSubstr("keeps products of layers 0 in bf16"));
  EXPECT_THAT(models->notes(),
              testing::Contains(AllOf(HasSubstr("model ruined, layer 0: a product in 8 bits differs"),
                                      HasSubstr("it stays in bf16"))));
  EXPECT_THAT(models->notes(),
              testing::Contains(HasSubstr("8 bits: model ruined: products of 1 of 2 layers")));
  const auto found = in_8_bits(**models->get(ruined));
  EXPECT_THAT(found.attention, testing::ElementsAre(true, true));
  EXPECT_THAT(found.products, testing::ElementsAre(testing::Pair(0, 0), testing::Pair(1, 8)));
  EXPECT_EQ(device_.fault(), "");
}

TEST(EightBitLayers, AreNamedInWords) {
  EXPECT_EQ(to_string(EightBitLayers{}), "");
  EXPECT_EQ(to_string(EightBitLayers{{Digest{}, {{0, 7}, {}}}}),
            "000000000000 keeps attention of layers 0 7 in bf16");
  EXPECT_EQ(to_string(EightBitLayers{{Digest{}, {{0}, {1, 2}}}}),
            "000000000000 keeps attention of layers 0, products of layers 1 2 in bf16");
}

}  // namespace
}  // namespace rushes::worker
