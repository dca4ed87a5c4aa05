// The transformer: loading errors, conditions, positions and threads. Numbers are checked by rushes-parity.
#include "worker/model/transformer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/layout.h"
#include "tests/worker/model/tiny_model.h"
#include "worker/model/guidance.h"

namespace rushes::worker {
namespace {

constexpr std::int64_t kHead = 16, kTextLen = 6;

std::vector<float> pattern(std::size_t count, float step) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = std::sin(static_cast<float>(i) * step);
  return values;
}

struct Engine {
  explicit Engine(const TinyTransformer& sizes, int threads = 1,
                  kernels::Precision precision = kernels::Precision::kF32, bool reference = false)
      : backend(reference ? kernels::make_reference_backend(precision)
                          : kernels::make_cpu_backend({threads, precision})),
        model(*Transformer::load(*backend, random_transformer(sizes).file(), kHead, kTextLen)) {}

  std::vector<float> velocity(const TokenOrigin& origin = {}, const Timesteps& t = {{500.0f}, {}},
                              std::span<const float> image = {}) {
    const TransformerSizes& s = model.sizes();
    const std::vector<float> latent = pattern(static_cast<std::size_t>(s.in_dim * 2 * 6 * 8), 0.7f);
    const auto x = backend->upload(kernels::host_tensor(latent, {s.in_dim, 2, 6, 8}));
    const std::vector<float> text = pattern(static_cast<std::size_t>(3 * s.text_dim), 0.3f);
    const auto rows = s.image_dim ? static_cast<std::int64_t>(image.size()) / s.image_dim : 0;
    auto prompt = model.prompt(text, 3, image, rows);
    EXPECT_TRUE(prompt) << prompt.error().message;
    auto v = model.velocity(x, t, *prompt, origin);
    EXPECT_TRUE(v) << v.error().message;
    return kernels::read_values(*backend, *v);
  }

  std::unique_ptr<kernels::Backend> backend;
  Transformer model;
};

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(difference / norm);
}

TEST(Transformer, ThreadsChangeNoBit) {
  for (auto precision : {kernels::Precision::kF32, kernels::Precision::kBf16})
    EXPECT_EQ(Engine({}, 1, precision).velocity(), Engine({}, 3, precision).velocity());
}

TEST(Transformer, AgreesWithTheReferenceBackend) {
  for (const TinyTransformer& sizes : {TinyTransformer{}, TinyTransformer{48, 40, 2, 12, 4, 10, 24, 0}}) {
    const std::vector<float> image = sizes.image_dim
                                         ? pattern(static_cast<std::size_t>(5 * sizes.image_dim), 0.11f)
                                         : std::vector<float>();
    const auto judge = Engine(sizes, 1, kernels::Precision::kF32, true).velocity({}, {{500.0f}, {}}, image);
    EXPECT_LT(distance(Engine(sizes).velocity({}, {{500.0f}, {}}, image), judge), 1e-5);
  }
}

// Rotary positions are relative: where the grid starts does not matter, how it is laid out does.
TEST(Transformer, OriginShiftsAllPositionsTogether) {
  Engine engine({});
  const auto here = engine.velocity(), there = engine.velocity({7, 11, 5});
  EXPECT_LT(distance(there, here), 1e-5);
  EXPECT_NE(here, there);
}

TEST(Transformer, EqualTimestepsPerTokenAreOneTimestep) {
  Engine engine({});
  const Timesteps all{{500.0f, 3.0f}, std::vector<std::int32_t>(24, 0)};
  EXPECT_LT(distance(engine.velocity({}, all), engine.velocity()), 1e-6);
  Timesteps mixed = all;
  mixed.group[0] = 1;
  EXPECT_GT(distance(engine.velocity({}, mixed), engine.velocity()), 1e-3);
}

TEST(Transformer, GuidanceOfOneIsOnePass) {
  Engine engine({});
  const std::vector<float> latent = pattern(4 * 2 * 4 * 4, 0.7f), text = pattern(2 * 16, 0.3f);
  const auto x = engine.backend->upload(kernels::host_tensor(latent, {4, 2, 4, 4}));
  const auto positive = *engine.model.prompt(text, 2),
             negative = *engine.model.prompt(std::span(text).first(16), 1);
  const auto v = [&](const PromptContext* null, float g) {
    return kernels::read_values(*engine.backend, *guided_velocity(*engine.backend, engine.model, x,
                                                                  {{10.0f}, {}}, positive, null, g));
  };
  EXPECT_EQ(v(&negative, 1.0f), v(nullptr, 5.0f));
  const auto plain = v(nullptr, 1.0f), guided = v(&negative, 3.0f);
  const auto null = kernels::read_values(
      *engine.backend,
      *guided_velocity(*engine.backend, engine.model, x, {{10.0f}, {}}, negative, nullptr, 1.0f));
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(guided[i], null[i] + 3.0f * (plain[i] - null[i]));
}

TEST(Transformer, LeavesAPassBetweenTwoBlocks) {
  Engine engine({});
  const std::vector<float> latent = pattern(4 * 2 * 4 * 4, 0.7f), text = pattern(2 * 16, 0.3f);
  const auto x = engine.backend->upload(kernels::host_tensor(latent, {4, 2, 4, 4}));
  const auto prompt = *engine.model.prompt(text, 2);
  const auto layers = static_cast<int>(engine.model.sizes().layers);
  int asked = 0;
  const auto pass = [&](int stop_at) -> Result<std::vector<float>> {
    asked = 0;
    auto v = guided_velocity(*engine.backend, engine.model, x, {{10.0f}, {}}, prompt, &prompt, 3.0f, {},
                             [&, stop_at] { return ++asked == stop_at; });
    if (!v) return tl::unexpected(v.error());
    return kernels::read_values(*engine.backend, *v);
  };
  const auto whole = pass(0);
  ASSERT_TRUE(whole);
  EXPECT_EQ(asked, 2 * layers);
  const auto left = pass(layers + 1);
  ASSERT_FALSE(left);
  EXPECT_EQ(left.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(asked, layers + 1);
  EXPECT_EQ(*pass(0), *whole);  // what was left half done is no part of the next pass
}

TEST(Transformer, RefusesWhatDoesNotFit) {
  Engine engine({});
  const std::vector<float> text(7 * 16), latent(4 * 1 * 4 * 5);
  EXPECT_FALSE(engine.model.prompt(text, 7));                                // longer than the text length
  EXPECT_FALSE(engine.model.prompt(std::span(text).first(15), 1));           // width
  EXPECT_FALSE(engine.model.prompt(std::span(text).first(16), 1, text, 7));  // no image tokens here
  const auto prompt = engine.model.prompt(std::span(text).first(16), 1);
  const auto odd = engine.backend->upload(kernels::host_tensor(latent, {4, 1, 4, 5}));
  EXPECT_NE(engine.model.velocity(odd, {{1.0f}, {}}, *prompt).error().message.find("patch"),
            std::string::npos);
  const auto wide = odd.reshape({5, 1, 4, 4});
  EXPECT_NE(engine.model.velocity(wide, {{1.0f}, {}}, *prompt).error().message.find("4 channels"),
            std::string::npos);
  EXPECT_FALSE(engine.model.velocity(engine.backend->upload(kernels::host_tensor(latent, {4, 1, 2, 10})),
                                     {{1.0f, 2.0f}, {}}, *prompt));
}

TEST(TransformerLoad, NamesWhatIsWrong) {
  auto backend = kernels::make_cpu_backend({1, kernels::Precision::kF32});
  const auto error = [&](const RandomTensors& weights, std::int64_t head = kHead) {
    auto model = Transformer::load(*backend, weights.file("broken.safetensors"), head, kTextLen);
    return model ? std::string() : model.error().message;
  };
  RandomTensors missing = random_transformer({});
  missing.drop("blocks.1.cross_attn.norm_q.weight");
  EXPECT_NE(error(missing).find("broken.safetensors: tensor 'blocks.1.cross_attn.norm_q.weight' is missing"),
            std::string::npos);
  RandomTensors shape = random_transformer({});
  shape.layer("blocks.0.ffn.2", {32, 40});
  EXPECT_NE(error(shape).find("expected shape [32, 48], found [32, 40]"), std::string::npos);
  RandomTensors extra = random_transformer({});
  extra.layer("blocks.0.self_attn.gate", {32, 32});
  EXPECT_NE(error(extra).find("'blocks.0.self_attn.gate.bias'"), std::string::npos);
  EXPECT_NE(error(random_transformer({}), 20).find("head width 20"), std::string::npos);
  EXPECT_NE(error(random_vae({})).find("'patch_embedding.weight' is missing"), std::string::npos);

  const std::vector<std::int64_t> ids(32 * 4 * 2 * 2);
  auto bytes = write_tensors({integer_tensor("patch_embedding.weight", {32, 4, 1, 2, 2}, ids)}, {});
  const auto typed = Transformer::load(*backend, *TensorFile::from_bytes(*bytes, "ints"), kHead, kTextLen);
  EXPECT_FALSE(typed);
}

TEST(Transformer, VaceBlocksAreSpreadEvenly) {
  Engine engine({32, 48, 4, 4, 4, 16, 0, 2});
  EXPECT_EQ(engine.model.sizes().vace_layers, (std::vector<std::int64_t>{0, 2}));
  EXPECT_EQ(engine.velocity().size(), 4u * 2 * 6 * 8);
}

TEST(Rope, FirstTokenIsUnturnedAndPairsHaveUnitLength) {
  const auto table = rope_table({2, 3, 4}, {0, 0, 0}, 16);
  ASSERT_EQ(table.size(), 2u * 3 * 4 * 16);
  for (std::size_t i = 0; i < 16; i += 2) {
    EXPECT_EQ(table[i], 1.0f);
    EXPECT_EQ(table[i + 1], 0.0f);
  }
  for (std::size_t i = 0; i < table.size(); i += 2)
    EXPECT_NEAR(std::hypot(table[i], table[i + 1]), 1.0f, 1e-6f);
}

}  // namespace
}  // namespace rushes::worker
