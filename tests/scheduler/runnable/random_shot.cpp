#include "tests/scheduler/runnable/random_shot.h"

#include <algorithm>
#include <cmath>

namespace rushes::scheduler {
namespace {

int between(int least, int most) { return *rc::gen::inRange(least, most + 1); }
double real_between(double least, double most) { return least + (most - least) * between(0, 1000) / 1000; }
bool one_in(int n) { return between(1, n) == 1; }
// Mostly small, sometimes as large as it may be: even in the logarithm.
int magnitude(int least, int most) {
  return static_cast<int>(std::lround(std::exp(real_between(std::log(least), std::log(most)))));
}
std::string name(int most) { return std::string(static_cast<std::size_t>(between(1, most)), 'n'); }

config::Sampling random_sampling(bool draft) {
  config::Sampling sampling;
  sampling.sampler =
      *rc::gen::element(config::Sampler::kEuler, config::Sampler::kUniPc, config::Sampler::kDpmPp);
  sampling.steps = magnitude(1, config::kMaxSteps);
  sampling.shift = real_between(0.1, one_in(4) ? 100 : 8);
  sampling.guidance = one_in(2) ? 1 : real_between(0, 30);
  if (!draft) sampling.start_sigma = real_between(0.01, 1);
  return sampling;
}

config::ModelManifest random_model() {
  config::ModelManifest m;
  m.name = name(64);
  m.family = "wan";
  for (const char* file : {"transformer", "text_encoder", "tokenizer", "vae"})
    m.files[file] = {file, std::string(64, 'a')};
  m.vae.stride = *rc::gen::element(std::array{4, 8, 8}, std::array{4, 16, 16}, std::array{1, 8, 8},
                                   std::array{8, 32, 32}, std::array{4, 16, 8}, std::array{64, 1, 1});
  const int channels = *rc::gen::element(4, 16, 48);
  m.vae.mean.assign(static_cast<std::size_t>(channels), 0.0);
  m.vae.std.assign(static_cast<std::size_t>(channels), 1.0);
  m.fps = *rc::gen::element(config::Rate{24, 1}, config::Rate{24000, 1001}, config::Rate{16, 1});
  m.frames = m.vae.stride[0] * between(0, std::min(40, 1024 / m.vae.stride[0])) + 1;
  const int unit_y = 2 * m.vae.stride[1], unit_x = 2 * m.vae.stride[2], most = one_in(4) ? 16384 : 1600;
  m.size.width = unit_x * magnitude(1, most / unit_x);
  m.size.height = unit_y * magnitude(1, most / unit_y);
  m.deliver.width = m.size.width - 2 * between(0, std::min(8, (m.size.width - 1) / 2));
  m.deliver.height = m.size.height - 2 * between(0, std::min(8, (m.size.height - 1) / 2));
  m.head_dim = 64;
  m.text_len = 64;
  m.text_heads = 4;
  m.conditioning = config::Conditioning::kI2v;
  m.draft = random_sampling(true);
  m.master = random_sampling(false);
  m.negative_prompt = std::string(static_cast<std::size_t>(one_in(4) ? 4096 : between(0, 300)), 'x');
  return m;
}

}  // namespace

Asked random_shot() {
  Asked asked{{}, random_model()};
  config::Shot& shot = asked.shot;
  shot.show = name(64);
  shot.name = name(64);
  shot.model = asked.model.name;
  shot.prompt = std::string(static_cast<std::size_t>(one_in(4) ? 4096 : between(1, 300)), 'p');
  shot.frames = magnitude(1, config::kMaxFrames);
  for (int take = magnitude(1, config::kMaxTakes); take > 0; --take)
    shot.seeds.push_back(static_cast<std::uint64_t>(take));
  shot.gate = one_in(2);
  shot.budget.windows = magnitude(1, 10'000);
  shot.upgrade.enabled = one_in(2);
  shot.upgrade.scale = one_in(2) ? 2 : 4;
  shot.start_frame = between(0, 9'000'000);
  shot.reel = std::string(static_cast<std::size_t>(between(0, 32)), 'r');
  if (one_in(3)) shot.key_frames.push_back({"first.png", 0});
  for (const config::KnownCritic& critic : config::kCritics)
    if (one_in(2)) shot.critics[std::string(critic.name)] = {one_in(2), 0.5F, 0.25F, std::nullopt};
  return asked;
}

}  // namespace rushes::scheduler
