#include "config/worker.h"

#include <cstdlib>

#include "config/endpoint.h"
#include "config/worker_name.h"
#include "config/yaml.h"

namespace rushes::config {
namespace {

void read_name(Fields& root, Worker& worker, const WorkerFlags& flags) {
  const YamlNode* name = root.find("name");
  if (!flags.name.empty()) {
    worker.name = flags.name;
  } else if (root.require(
                 "name",
                 "this worker's name, unique on the farm; --name and RUSHES_WORKER_NAME give one too")) {
    if (name->kind != YamlNode::Kind::kScalar || !is_worker_name(name->text))
      root.problem("name", mismatch(kWorkerNameRule, *name));
    else
      worker.name = name->text;
  }
}

void read_folder(Fields& root, Worker& worker, const std::filesystem::path& folder,
                 const WorkerFlags& flags) {
  if (flags.folder.empty())
    root.require(
        "folder",
        "the folder of this worker's outbox and cache; --folder and RUSHES_WORKER_FOLDER give one too");
  root.path("folder", worker.folder, folder);
  if (!flags.folder.empty()) worker.folder = std::filesystem::absolute(flags.folder);
}

void read_root(Fields& root, Worker& worker, const std::filesystem::path& folder, const WorkerFlags& flags) {
  root.find("version");
  read_name(root, worker, flags);
  root.require("scheduler", "a map with control, artifacts and public_key");
  root.map("scheduler", [&](Fields& scheduler) {
    scheduler.require("public_key", "the scheduler's public key file");
    read_endpoint(scheduler, "control", worker.control);
    read_endpoint(scheduler, "artifacts", worker.artifacts);
    scheduler.path("public_key", worker.scheduler_public_key, folder);
  });
  root.require("keys", "a map with secret and public");
  root.map("keys", [&](Fields& keys) {
    keys.require("secret", "this worker's secret key file");
    keys.require("public", "this worker's public key file");
    keys.path("secret", worker.secret_key, folder);
    keys.path("public", worker.public_key, folder);
  });
  if (int index = 0; root.choice("backend", index, {"cpu", "cuda"}))
    worker.backend = index == 0 ? Backend::kCpu : Backend::kCuda;
  if (int index = 0; root.choice("attention", index, {"own", "library", "fastest"}))
    worker.attention = static_cast<Attention>(index);
  root.flag("eight_bit", worker.eight_bit);
  root.integer("slots", worker.slots, 1, 64);
  root.integer("cpu_slots", worker.cpu_slots, 0, 64);
  root.integer("threads_per_slot", worker.threads_per_slot, 1, 256);
  root.integer("prefetch", worker.prefetch, 0, 16);
  root.require("model_roots", "a list of folders that hold NAME/model.yaml");
  read_paths(root, "model_roots", worker.model_roots, folder);
  root.path("colour", worker.colour, folder);
  if (worker.colour.empty() && !worker.model_roots.empty())
    worker.colour = worker.model_roots.front().parent_path() / "colour" / "farm.ocio";
  read_folder(root, worker, folder, flags);
  root.require("deliveries", "the folder that finished files are written to, the same on every worker");
  root.path("deliveries", worker.deliveries, folder);
  root.size("cache", worker.cache, 16ull << 20, 1ull << 44);
  root.size("memory", worker.memory, 256ull << 20, 1ull << 44);
  root.size("device_memory", worker.device_memory, 256ull << 20, 1ull << 44);
  root.duration("stop_grace", worker.stop_grace, std::chrono::milliseconds(0), std::chrono::hours(24));
  root.finish();
}

}  // namespace

WorkerFlags with_environment(WorkerFlags flags) {
  const auto fill = [](std::string& value, const char* variable) {
    if (const char* found = std::getenv(variable); value.empty() && found != nullptr) value = found;
  };
  fill(flags.name, "RUSHES_WORKER_NAME");
  fill(flags.folder, "RUSHES_WORKER_FOLDER");
  return flags;
}

Result<Worker> parse_worker(std::string_view text, const std::filesystem::path& file,
                            const WorkerFlags& flags) {
  if (!flags.name.empty() && !is_worker_name(flags.name))
    return fail(ErrorKind::kInvalid, "--name or RUSHES_WORKER_NAME: expected " +
                                         std::string(kWorkerNameRule) + ", found '" + flags.name + "'");
  Problems problems(file.string());
  const YamlNode node = parse_yaml(text, problems);
  if (!problems.empty()) return tl::unexpected(problems.error());
  Worker worker;
  Fields root(node, "", problems);
  read_root(root, worker, file.parent_path(), flags);
  if (!problems.empty()) return tl::unexpected(problems.error());
  return worker;
}

Result<Worker> read_worker(const std::filesystem::path& file, const WorkerFlags& flags) {
  const auto text = read_text(file);
  if (!text) return tl::unexpected(text.error());
  return parse_worker(*text, file, flags);
}

}  // namespace rushes::config
