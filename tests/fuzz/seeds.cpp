// fuzz-seeds DIR: what our own encoders write, as the first corpus of the targets that read binary messages.
// Run it again when a format has grown, then `tools/fuzz --keep`: the fuzzer keeps what reaches new code.
#include <rapidcheck.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "scheduler/core/journal/record_codec.h"
#include "scheduler/core/journal/replay.h"
#include "scheduler/core/journal/snapshot.h"
#include "scheduler/plan/recipe.h"
#include "scheduler/protocol/framing.h"
#include "tests/scheduler/core/sim_farm.h"
#include "tests/scheduler/protocol/generators.h"
#include "worker/engine/payload.h"

namespace rushes::fuzz {
namespace {

namespace fs = std::filesystem;

class Seeds {
 public:
  explicit Seeds(fs::path folder) : folder_(std::move(folder)) {}
  void keep(const std::string& target, std::string_view bytes) {
    fs::create_directories(folder_ / target);
    std::ofstream file(folder_ / target / to_hex(digest_of(bytes)).substr(0, 16), std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  template <typename Bytes>
  void keep_bytes(const std::string& target, const Bytes& bytes) {
    keep(target, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

 private:
  fs::path folder_;
};

void wire(Seeds& seeds) {
  using namespace protocol;
  using namespace protocol::test;
  for (std::uint64_t i = 0; i < 60; ++i) {
    const auto draw = [i](auto make) { return rc::gen::exec(make)(rc::Random(i), 20).value(); };
    seeds.keep("control", *encode(draw(random_worker_message)));
    seeds.keep("control", *encode(draw(random_scheduler_message)));
    seeds.keep("artifacts", *encode(draw(random_request)));
    seeds.keep("artifacts", *encode(draw(random_reply)));
    const std::string run = *encode(draw([] { return ToEngine(EngineRun{random_id(), random_spec()}); }));
    const std::string cancel = *encode(draw([] { return ToEngine(EngineCancel{random_id()}); }));
    const std::string done = *encode(draw([] {
      return FromEngine(EngineDone{random_id(), random_result()});
    }));
    const std::string progress = *encode(draw([] { return FromEngine(random_progress()); }));
    if (i < 12) seeds.keep("pipe", frame(run) + frame(cancel) + frame(done) + frame(progress));
  }
}

// A small farm that lives through the interesting things, and everything that it wrote and sent.
// A record behind its length.
void append(std::string& text, const Bytes& record) {
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(record.size() >> shift);
  text.append(record.begin(), record.end());
}

void farm(Seeds& seeds) {
  using namespace scheduler;
  TestFarm farm;
  config::Shot upgraded = test_shot("sh010", 53, 2);
  upgraded.upgrade.enabled = true;
  farm.submit({upgraded, test_shot("sh020", 33, 1)}, "key");
  SimWorker worker(farm, "a", 2, 1);
  worker.hello();
  for (int i = 0; i < 200; ++i) {
    for (const Command& command : farm.sent)
      if (const auto* assign = message_in<protocol::Assign>(command))
        seeds.keep("task", encode_task(std::get<TaskSpec>(assign->task)));
    worker.receive();
    if (i == 1 && !worker.held.empty()) worker.fail(worker.held.front());
    if (!worker.held.empty()) worker.complete(worker.held.front());
    if (i == 20) farm.step(event::Pause{3, "demo/sh020", "ann"});
    if (i == 30) farm.step(event::Resume{4, "demo/sh020", "ann"});
    if (i == 60) farm.step(event::Approve{5, "demo/sh010", 1, "ann"});
    if (i == 70) farm.step(event::Retry{6, "demo/sh020", 1, {0}, "again", "ann"});
    if (i % 10 == 0) worker.beat();
    if (i == 3 || i == 199) {
      std::string rows;
      for (const Record& row : snapshot(farm.state())) append(rows, encode_record(row));
      seeds.keep("snapshot", rows);
    }
    farm.pass_ms(1000);
  }
  // As a journal: rows of no snapshot, but records that follow each other.
  std::string journal;
  for (const Record& record : farm.journal) {
    const Bytes bytes = encode_record(record);
    seeds.keep_bytes("record", bytes);
    if (journal.size() > 40'000) continue;
    append(journal, bytes);
  }
  seeds.keep("snapshot", journal);
  for (const Shot& shot : farm.state().shots)
    for (const Take& take : shot.takes) {
      for (const Version& version : take.versions) seeds.keep_bytes("recipe", version.recipe);
      if (!take.master_recipe.empty()) seeds.keep_bytes("recipe", take.master_recipe);
    }
}

void tensors(Seeds& seeds) {
  using namespace worker;
  Latents latents;
  latents.channels = 2;
  latents.region = {{1, 3}, {4, 5, 2, 3}};
  latents.values.assign(24, 0.5F);
  const auto plain = write_latents(latents);
  latents.preview = latents.values;
  latents.sampler.step = 2;
  latents.sampler.order = 1;
  latents.sampler.arrays["last"] = latents.values;
  const auto rich = write_latents(latents);
  Conditioning conditioning;
  conditioning.text_dim = 2;
  conditioning.context.assign(6, 1.0F);
  conditioning.context_null.assign(2, 0.0F);
  const auto text = write_conditioning(conditioning);
  conditioning.mask.assign(4, 1.0F);
  conditioning.condition.assign(4, 1.0F);
  const auto keyed = write_conditioning(conditioning);
  std::vector<std::byte> frames = *pixel_header({1, 2, 2, 2, 1, {24, 1}});
  const auto halves = half_bytes(*make_clip(2, 2, 1, {24, 1}));
  frames.insert(frames.end(), halves.begin(), halves.end());
  const Result<std::vector<std::byte>> pixels = std::move(frames);
  for (const auto* bytes : {&plain, &rich, &text, &keyed, &pixels}) {
    seeds.keep_bytes("payload", **bytes);
    seeds.keep_bytes("safetensors", **bytes);
    const std::string_view whole(reinterpret_cast<const char*>((*bytes)->data()), (*bytes)->size());
    std::size_t header = 0;
    for (int i = 7; i >= 0; --i)
      header = header << 8 | static_cast<unsigned char>(whole[static_cast<std::size_t>(i)]);
    seeds.keep("safetensors_header", whole.substr(8, header));
  }
  seeds.keep("safetensors_header",
             R"({"metadata": {"total_size": 3}, "weight_map": {"a.b": "x-1.safetensors"}})");
}

}  // namespace
}  // namespace rushes::fuzz

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "usage: fuzz-seeds DIR\n");
    return 2;
  }
  rushes::fuzz::Seeds seeds(words[1]);
  rushes::fuzz::wire(seeds);
  rushes::fuzz::farm(seeds);
  rushes::fuzz::tensors(seeds);
  return 0;
}
