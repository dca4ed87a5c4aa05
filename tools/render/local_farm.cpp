#include "tools/render/local_farm.h"

#include <chrono>
#include <thread>

#include "config/digest.h"
#include "storage/records/words_codec.h"
#include "worker/critic/critics.h"
#include "worker/engine/task.h"
#include "worker/picture/atomic_file.h"

namespace rushes::tools {
namespace {

namespace sched = rushes::scheduler;

constexpr const char* kWorker = "local";
constexpr std::size_t kMaxKeyFrameBytes = std::size_t{256} << 20;
constexpr std::uint64_t kCacheBytes = std::uint64_t{1} << 40;

// A lease cannot be lost inside one process: it outlives any task.
sched::Settings local_settings() {
  config::Farm farm;
  farm.times.lease = std::chrono::hours(24 * 365);
  return sched::settings_of(farm);
}

std::string join(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

}  // namespace

LocalFarm::LocalFarm(const LocalFarmOptions& options, worker::LocalArtifacts artifacts, worker::Models models)
    : options_(options),
      artifacts_(std::move(artifacts)),
      models_(std::move(models)),
      settings_(local_settings()) {}

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
  sched::event::Hello hello;
  hello.worker = kWorker;
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
  feed(hello);
}

void LocalFarm::feed(const sched::Event& event) {
  const sched::Outcome decision = sched::decide(state_, settings_, event, now(), 0);
  for (const sched::Command& command : decision.commands) {
    if (const auto* assign = std::get_if<sched::command::Assign>(&command)) assigned_.push_back(*assign);
    if (const auto* reply = std::get_if<sched::command::Reply>(&command); reply && !reply->result)
      refused_ = reply->result.error().message;
    if (const auto* revoke = std::get_if<sched::command::Revoke>(&command)) {
      // Nothing runs between two steps, so what was revoked has stopped.
      std::erase_if(assigned_, [&](const auto& assign) { return assign.lease == revoke->lease; });
      sched::event::Stopped stopped;
      static_cast<AttemptId&>(stopped) = *revoke;
      stopped.worker = kWorker;
      feed(stopped);
    }
  }
}

Result<sched::event::ShotRequest> LocalFarm::request_for(const config::Shot& shot) {
  auto manifest = config::find_model(shot.model, options_.model_roots);
  if (!manifest) return with_context(manifest.error(), shot.file);
  if (Status digests = config::verify_digests(*manifest); !digests)
    return with_context(digests.error(), shot.file);
  if (const auto problems = config::validate_shot(shot, *manifest); !problems.empty())
    return fail(ErrorKind::kInvalid, shot.file + ": " + join(problems));
  sched::event::ShotRequest request{shot, std::make_shared<config::ModelManifest>(*manifest), {}};
  for (const config::KeyFrame& key : shot.key_frames) {
    auto bytes = worker::read_file(key.image.string(), kMaxKeyFrameBytes);
    if (!bytes) return with_context(bytes.error(), shot.file);
    auto stored = artifacts_.put(Role::kImage, std::as_bytes(std::span(*bytes)));
    if (!stored) return tl::unexpected(stored.error());
    request.images.push_back({key.frame, stored->digest, stored->bytes});
  }
  return request;
}

Status LocalFarm::submit(const config::Batch& batch) {
  sched::event::SubmitBatch submit;
  submit.request = 1;
  submit.name = batch.show;
  submit.by = "local";
  for (const config::Shot& shot : batch.shots) {
    auto request = request_for(shot);
    if (!request) return tl::unexpected(request.error());
    submit.shots.push_back(std::move(*request));
  }
  refused_.clear();
  feed(submit);
  if (!refused_.empty()) return fail(ErrorKind::kInvalid, refused_);
  return {};
}

sched::Event LocalFarm::run(const sched::command::Assign& assign, const Progress& progress) {
  FailKind kind = FailKind::kInput;
  Result<TaskResult> outcome = fail(ErrorKind::kInternal, "");
  if (auto task = worker::read_task(assign.spec)) {
    kind = FailKind::kEngine;
    worker::StageContext context{artifacts_, models_, options_.deliveries, options_.colour, {}, {}};
    if (progress)
      context.progress = [&](double fraction, const std::string& words) {
        progress(task->name, fraction, words);
      };
    outcome = worker::run_task(*task, context);
  } else {
    outcome = tl::unexpected(task.error());
  }
  if (outcome) {
    if (auto result = decode_result(encode_result(*outcome))) {
      sched::event::Completed completed;
      static_cast<AttemptId&>(completed) = assign;
      completed.worker = kWorker;
      completed.result = std::move(*result);
      return completed;
    } else {
      outcome = tl::unexpected(result.error());
    }
  }
  sched::event::Failed failed;
  static_cast<AttemptId&>(failed) = assign;
  failed.worker = kWorker;
  failed.kind = kind;
  failed.message = outcome.error().message;
  return failed;
}

Result<bool> LocalFarm::step(const Progress& progress) {
  feed(sched::event::Tick{});
  if (assigned_.empty()) return false;
  const sched::command::Assign assign = std::move(assigned_.front());
  assigned_.pop_front();
  sched::event::Started started;
  static_cast<AttemptId&>(started) = assign;
  started.worker = kWorker;
  feed(started);
  const auto report = [&](const std::string& task, double fraction, const std::string& words) {
    sched::event::Heartbeat beat;
    beat.worker = kWorker;
    sched::event::AttemptBeat attempt;
    static_cast<AttemptId&>(attempt) = assign;
    attempt.fraction = static_cast<float>(fraction);
    attempt.text = words;
    beat.attempts.push_back(attempt);
    feed(beat);
    if (progress) progress(task, fraction, words);
  };
  feed(run(assign, report));
  return true;
}

}  // namespace rushes::tools
