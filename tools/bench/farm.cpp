#include "tools/bench/farm.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <httplib.h>
#include <stdlib.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "config/digest.h"
#include "config/farm.h"
#include "config/log.h"
#include "scheduler/clock.h"
#include "scheduler/plan/compose.h"
#include "scheduler/plan/plan.h"
#include "scheduler/protocol/keys.h"
#include "storage/records/words_codec.h"

namespace rushes::bench {
namespace {

constexpr const char* kToken = "bench";
constexpr int kManyWorkers = 20'000, kManyShots = 1'000'000;  // the farm's own limits are not measured here

config::Farm farm_settings() {
  config::Farm farm;
  farm.limits.workers = kManyWorkers;
  farm.limits.open_shots = kManyShots;
  return farm;
}

}  // namespace

std::string batch_text(const std::string& prefix, int shots, int takes) {
  std::string text = "version: 1\nshow: bench\ndefaults: {model: " + std::string(kModel) +
                     ", frames: 9, takes: " + std::to_string(takes) + "}\nshots:\n";
  for (int i = 0; i < shots; ++i)
    text += "- {name: " + prefix + std::to_string(i) + ", prompt: a red sphere, seed: 7}\n";
  return text;
}

TaskResult no_op_result(Stage stage) {
  TaskResult result;
  result.numeric_class = kNumericClass;
  result.compute_seconds = result.wall_seconds = 0.001;
  if (stage == Stage::kCritique) {
    result.critique.verdict = Verdict::kPass;
    result.critique.score = 0.9f;
    result.critique.critics = "none";
  } else {
    result.outputs.push_back({scheduler::output_role(stage), digest_of(kArtifact), kArtifact.size()});
  }
  return result;
}

Status write_model(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / kModel);
  std::ofstream file(folder / kModel / "model.yaml");
  file << "version: 1\nname: " << kModel << "\nfamily: wan\nlicence: Apache-2.0\nfiles:\n";
  for (const char* part : {"transformer", "text_encoder", "tokenizer", "vae"})
    file << "  " << part << ": {path: " << part << ".bin, digest: \"" << config::text_digest(part) << "\"}\n";
  file << R"(fps: 24
frames: 33
size: {width: 160, height: 96}
deliver: {width: 160, height: 90}
head_dim: 64
text_len: 64
text_heads: 4
conditioning: i2v
vae: {form: wan2.2, stride: [4, 16, 16], mean: [0.1, 0.2], std: [1, 2.5]}
working_space: acescct
sampling:
  draft:  {sampler: unipc, steps: 4, shift: 6.0, guidance: 4.0}
  master: {sampler: euler, steps: 2, shift: 3.0, guidance: 1.0, start_sigma: 0.4}
negative_prompt: ""
)";
  if (!file.flush()) return fail(ErrorKind::kExhausted, folder.string() + ": cannot be written");
  return {};
}

Result<Digest> model_digest(const std::filesystem::path& folder) {
  const auto model = config::find_model(kModel, {folder});
  if (!model) return tl::unexpected(model.error());
  return scheduler::digest_of_model(*model);
}

Farm::Farm(std::filesystem::path folder, const FarmOptions& options)
    : folder_(std::move(folder)), options_(options) {}

Farm::~Farm() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Result<std::unique_ptr<Farm>> Farm::make(const FarmOptions& options) {
  std::string name = (options.data / "rushes-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    return fail(ErrorKind::kDenied, options.data.string() + ": no folder can be made there; choose --data");
  auto farm = std::unique_ptr<Farm>(new Farm(name, options));
  if (auto keys = protocol::write_farm_keys(farm->keys()); !keys) return tl::unexpected(keys.error());
  if (auto model = write_model(farm->models()); !model) return tl::unexpected(model.error());
  return farm;
}

Status Farm::start() {
  if (auto opened = open_store(); !opened) return opened;
  if (auto listening = listen(); !listening) return listening;
  const auto send = [this](const scheduler::command::ToWorker& command) {
    if (auto sent = control_->send({command.worker, command.process}, command.message); !sent)
      log::error("to worker {}: {}", command.worker, sent.error().message);
  };
  loop_->start(send, [](const Error& error) { log::error("ledger: {}", error.message); });
  return {};
}

Status Farm::open_store() {
  const config::Farm farm = farm_settings();
  storage::LedgerOptions ledger_options;
  const auto gather = options_.gather_ms < 0 ? farm.times.group_commit.count() : options_.gather_ms;
  ledger_options.gather_microseconds = static_cast<std::uint32_t>(gather * 1000);
  auto ledger = storage::Ledger::open(store() / "ledger", ledger_options);
  if (!ledger) return tl::unexpected(ledger.error());
  ledger_ = std::move(*ledger);
  auto vault = storage::Vault::open(store() / "vault");
  if (!vault) return tl::unexpected(vault.error());
  vault_ = std::move(*vault);
  if (auto kept = vault_->put(kArtifact); !kept) return tl::unexpected(kept.error());
  janitor_ = std::make_unique<scheduler::VaultJanitor>(*vault_, farm.times.upload_sweep);
  scheduler::LoopOptions options;
  options.settings = scheduler::settings_of(farm);
  options.clock = scheduler::real_now;
  options.random = scheduler::real_random;
  loop_ = std::make_unique<scheduler::Loop>(*ledger_, *vault_, *janitor_, options);
  return loop_->recover();
}

Status Farm::listen() {
  const auto secret = protocol::read_secret_key(keys() / "scheduler.key");
  if (!secret) return tl::unexpected(secret.error());
  auto authenticator = protocol::ZapAuthenticator::open(*secret, keys() / "workers");
  if (!authenticator) return tl::unexpected(authenticator.error());
  authenticator_ = std::move(*authenticator);
  auto control =
      protocol::ControlServer::start(*authenticator_, "tcp://127.0.0.1:*",
                                     [this](const protocol::Peer& from, protocol::WorkerMessage message) {
                                       loop_->post(from.worker, std::move(message), from.process);
                                     });
  if (!control) return tl::unexpected(control.error());
  control_ = std::move(*control);
  scheduler::GatewayParts parts;
  parts.loop = loop_.get();
  parts.ledger = ledger_.get();
  parts.vault = vault_.get();
  parts.metrics = &metrics_;
  parts.tokens = {{"bench", config::Role::kAdmin, config::text_digest(kToken)}};
  parts.model_roots = {models()};
  parts.deliveries = folder_;
  parts.build = "bench";
  auto gateway = scheduler::Gateway::start(std::move(parts), "127.0.0.1", 0);
  if (!gateway) return tl::unexpected(gateway.error());
  gateway_ = std::move(*gateway);
  http_ = std::make_unique<httplib::Client>("127.0.0.1", gateway_->port());
  http_->set_bearer_token_auth(kToken);
  http_->set_keep_alive(true);
  http_->set_tcp_nodelay(true);
  http_->set_read_timeout(60);
  return {};
}

void Farm::stop() {
  http_.reset();
  if (gateway_) gateway_->stop();
  gateway_.reset();
  if (loop_) loop_->stop();
  control_.reset();
  authenticator_.reset();
  loop_.reset();
  janitor_.reset();
  vault_.reset();
  ledger_.reset();
}

Result<std::uint64_t> Farm::submit(const std::string& text) {
  const auto answer = http_->Post("/v1/batches", text, "application/yaml");
  if (!answer)
    return fail(ErrorKind::kUnreachable, "submit: no answer: " + httplib::to_string(answer.error()));
  if (answer->status != 201) return fail(ErrorKind::kInvalid, "submit: " + answer->body);
  const auto body = nlohmann::json::parse(answer->body);
  std::uint64_t tasks = 0;
  for (const auto& shot : body.at("shots")) tasks += shot.at("tasks").get<std::uint64_t>();
  return tasks;
}

Result<Farm::Work> Farm::work() {
  return loop_->query([](const scheduler::State& state, scheduler::Now) {
    using scheduler::TaskState;
    const auto count = [&](TaskState s) { return state.work.counts()[static_cast<int>(s)]; };
    Work work;
    work.planned = state.tasks.size() + state.work.unplanned();
    work.succeeded = count(TaskState::kSucceeded);
    work.open = count(TaskState::kPending) + count(TaskState::kReady) + count(TaskState::kLeased) +
                count(TaskState::kRunning) + state.work.unplanned();
    for (const auto& worker : state.workers) work.connected += worker.connected ? 1 : 0;
    return work;
  });
}

}  // namespace rushes::bench
