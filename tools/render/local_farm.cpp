#include "tools/render/local_farm.h"

#include <chrono>
#include <new>
#include <thread>

#include "config/digest.h"
#include "config/picture.h"
#include "config/prompt.h"
#include "config/whole_picture.h"
#include "storage/records/words_codec.h"
#include "worker/critic/critics.h"
#include "worker/engine/process.h"
#include "worker/engine/task.h"
#include "worker/picture/atomic_file.h"

namespace rushes::tools {
namespace {

namespace sched = rushes::scheduler;

constexpr const char* kWorker = "local";
constexpr std::uint64_t kCacheBytes = std::uint64_t{1} << 40;

// A lease cannot be lost inside one process: it outlives any task.
sched::Settings local_settings(const config::Retention& retention) {
  config::Farm farm;
  farm.retention = retention;
  farm.times.lease = std::chrono::hours(24 * 365);
  return sched::settings_of(farm);
}

// A line more; the kind is the first one's.
void add_problem(Error& problems, ErrorKind kind, const std::string& line) {
  if (problems.message.empty())
    problems = {kind, line};
  else
    problems.message += "\n" + line;
}

std::string lines_of(const config::Shot& shot, const std::vector<config::ShotProblem>& problems) {
  std::string text;
  for (const config::ShotProblem& problem : problems)
    text += (text.empty() ? "" : "\n") + config::problem_at(shot, problem.key, problem.message);
  return text;
}

}  // namespace

LocalFarm::LocalFarm(const LocalFarmOptions& options, worker::LocalArtifacts artifacts, worker::Models models)
    : options_(options),
      artifacts_(std::move(artifacts)),
      models_(std::move(models)),
      settings_(local_settings(options.retention)) {}

Result<std::unique_ptr<LocalFarm>> LocalFarm::open(const LocalFarmOptions& options) {
  if (Status table = worker::check_critics(); !table) return tl::unexpected(table.error());
  std::error_code error;
  std::filesystem::create_directories(options.deliveries, error);
  if (error)
    return fail(ErrorKind::kExhausted,
                options.deliveries.string() + ": cannot be created: " + error.message());
  auto artifacts = worker::LocalArtifacts::open_folder(options.artifacts, kCacheBytes,
                                                       worker::LocalArtifacts::Owner::kAgent);
  if (!artifacts) return tl::unexpected(artifacts.error());
  auto models = worker::Models::open({.model_roots = options.model_roots, .threads = options.threads});
  if (!models) return tl::unexpected(models.error());
  std::unique_ptr<LocalFarm> farm(new LocalFarm(options, std::move(*artifacts), std::move(*models)));
  farm->feed(sched::event::Recover{});
  farm->say_hello();
  return farm;
}

scheduler::Now LocalFarm::now() const {
  using std::chrono::duration_cast, std::chrono::milliseconds;
  return {duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(),
          duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

void LocalFarm::say_hello() {
  protocol::Hello hello;
  hello.name = kWorker;
  hello.offer.build = RUSHES_VERSION;
  hello.offer.protocol_version = kTellsSlotsByKind;
  hello.offer.numeric_classes = {models_.numeric_class()};
  hello.offer.resources = resources_of({1, std::uint64_t{1} << 40}, hello.offer.numeric_classes);
  for (const std::string& name : config::list_models(options_.model_roots)) {
    const auto manifest = config::find_model(name, options_.model_roots);
    if (!manifest) continue;
    const auto digest = digest_from_hex(config::model_digest(*manifest).substr(config::kDigestPrefix.size()));
    if (digest) hello.offer.models.push_back({name, *digest});
  }
  say(std::move(hello));
}

void LocalFarm::say(protocol::WorkerMessage message) {
  feed(sched::event::FromWorker{kWorker, std::move(message)});
}

void LocalFarm::feed(const sched::Event& event) {
  const sched::Outcome decision = sched::decide(state_, settings_, event, now(), 0);
  for (const sched::Command& command : decision.commands) {
    if (const auto* assign = sched::message_in<protocol::Assign>(command)) assigned_.push_back(*assign);
    if (const auto* reply = std::get_if<sched::command::Reply>(&command); reply && !reply->result)
      refused_ = reply->result.error().message;
    if (const auto* revoke = sched::message_in<protocol::Revoke>(command)) {
      // Nothing runs between two steps, so what was revoked has stopped.
      std::erase_if(assigned_, [&](const auto& assign) { return assign.id == revoke->id; });
      say(protocol::Stopped{revoke->id});
    }
  }
}

Result<sched::event::ShotRequest> LocalFarm::request_for(const config::Shot& shot) {
  auto manifest = config::find_model(shot.model, options_.model_roots);
  if (!manifest)
    return fail(manifest.error().kind, config::problem_at(shot, "model", manifest.error().message));
  if (Status digests = config::verify_digests(*manifest); !digests)
    return fail(digests.error().kind, config::problem_at(shot, "model", digests.error().message));
  if (const auto problems = config::validate_shot(shot, *manifest); !problems.empty())
    return fail(ErrorKind::kInvalid, lines_of(shot, problems));
  sched::event::ShotRequest request{shot,
                                    std::make_shared<config::ModelManifest>(*manifest),
                                    {},
                                    config::prompt_remarks(shot, config::PromptReader::open(*manifest))};
  Error problems;
  for (std::size_t i = 0; i < shot.key_frames.size(); ++i) {
    const auto image = stored_picture(shot.key_frames[i]);
    if (image)
      request.images.push_back(*image);
    else
      add_problem(problems, image.error().kind,
                  config::problem_at(shot, config::key_frame_key(i, "image"), image.error().message));
  }
  if (!problems.message.empty()) return tl::unexpected(problems);
  return request;
}

Result<sched::StoredPicture> LocalFarm::stored_picture(const config::KeyFrame& key) {
  auto bytes = worker::read_file(key.image.string(), config::kMaxPictureBytes);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto load = config::check_whole_picture(*bytes);
  if (!load) return with_context(load.error(), "picture " + key.image.string());
  auto stored = artifacts_.put(Role::kImage, std::as_bytes(std::span(*bytes)));
  if (!stored) return tl::unexpected(stored.error());
  return sched::StoredPicture{{key.frame, stored->digest, stored->bytes}, *load};
}

Status LocalFarm::submit(const config::Batch& batch) {
  sched::event::SubmitBatch submit;
  submit.request = 1;
  submit.name = batch.show;
  submit.by = "local";
  Error problems;
  for (const config::Shot& shot : batch.shots) {
    auto request = request_for(shot);
    if (request)
      submit.shots.push_back(std::move(*request));
    else
      add_problem(problems, request.error().kind, request.error().message);
  }
  if (!problems.message.empty()) return tl::unexpected(problems);
  return ask(submit);
}

Status LocalFarm::ask(const sched::Event& wish) {
  refused_.clear();
  feed(wish);
  if (!refused_.empty()) return fail(ErrorKind::kInvalid, refused_);
  return {};
}

protocol::WorkerMessage LocalFarm::run(const protocol::Assign& assign, const Progress& progress) {
  const auto failed = [&](FailKind kind, const Error& error) {
    return protocol::Failed{assign.id, kind, error.message, "", ""};
  };
  const auto task = worker::check_task(std::get<TaskSpec>(assign.task));
  if (!task) return failed(FailKind::kRefused, task.error());
  worker::StageContext context{artifacts_,      models_, options_.deliveries,
                               options_.colour, {},      options_.stopped};
  if (progress)
    context.progress = [&](double fraction, const std::string& words) {
      progress(task->name, fraction, words);
    };
  Result<TaskResult> result;
  try {
    result = worker::run_task(*task, context);
  } catch (const std::bad_alloc&) {
    return failed(FailKind::kMemory, {ErrorKind::kExhausted, "out of memory"});
  }
  // Through bytes, as on a farm: what they cannot hold is the engine's fault.
  if (result) result = decode_result(encode_result(*result));
  host_failed_ =
      !result && (result.error().kind == ErrorKind::kExhausted || result.error().kind == ErrorKind::kDenied);
  if (!result) return failed(worker::fail_kind(result.error()), result.error());
  return protocol::Completed{assign.id, std::move(*result), ""};
}

Result<bool> LocalFarm::step(const Progress& progress) {
  feed(sched::event::Tick{});
  if (assigned_.empty()) return false;
  const protocol::Assign assign = std::move(assigned_.front());
  assigned_.pop_front();
  say(protocol::Started{assign.id});
  const auto report = [&](const std::string& task, double fraction, const std::string& words) {
    protocol::Heartbeat beat;
    beat.attempts.push_back({assign.id, static_cast<float>(fraction), words, 0});
    say(std::move(beat));
    if (progress) progress(task, fraction, words);
  };
  auto answer = run(assign, report);
  if (options_.stopped && options_.stopped()) return fail(ErrorKind::kConflict, "stopped");
  say(std::move(answer));
  return true;
}

}  // namespace rushes::tools
