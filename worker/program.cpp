// rushes-worker --config worker.yaml [--name N] [--folder DIR] [--backend cpu|cuda] [--slots N] [--cpu-slots N]
//     [--log-level debug|info|warning|error]
//
// A flag stands above the environment (RUSHES_WORKER_NAME, RUSHES_WORKER_FOLDER), the environment above the file.
//
// One agent process, and one engine child (this program with --engine) per slot. Everything is wired here.
// --engine-program FILE runs another program as the engine: tests have one that renders nothing.
// Exit codes: config/result.h. A wrong file is 2, a refusal by the scheduler 1, a host that cannot run it 4.
#include "worker/program.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>

#include "config/command_line.h"
#include "config/log.h"
#include "config/worker.h"
#include "kernels/backends.h"
#include "kernels/cuda/device_api.h"
#include "storage/records/text.h"
#include "storage/records/words_codec.h"
#include "worker/agent/gpus.h"
#include "worker/agent/offered_models.h"
#include "worker/agent/runner.h"
#include "worker/critic/critics.h"
#include "worker/engine/attention_choice.h"
#include "worker/engine/host_check.h"
#include "worker/engine/process.h"
#include "worker/engine/stage.h"
#include "worker/model/measure.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  fs::path config, engine_program;
  config::WorkerFlags flags;
  std::string backend, log_level, measured_model;
  int slots = 0, cpu_slots = -1;
  bool engine = false;
};

int stop_with(const Error& error, ExitCode code) {
  std::fprintf(stderr, "rushes-worker: %s\n", error.message.c_str());
  return static_cast<int>(code);
}

Result<config::Worker> read_settings(const Arguments& arguments) {
  auto settings = config::read_worker(arguments.config, arguments.flags);
  if (!settings) return settings;
  if (const auto backend = parse_word<config::Backend>(arguments.backend)) settings->backend = *backend;
  if (arguments.slots > 0) settings->slots = arguments.slots;
  if (arguments.cpu_slots >= 0) settings->cpu_slots = arguments.cpu_slots;
  if (Status status = kernels::check_backend({.kind = settings->backend}); !status)
    return tl::unexpected(status.error());
  return settings;
}

int run_engine(const config::Worker& settings) {
  // The agent alone cleans and evicts; engines only read and add.
  auto artifacts = LocalArtifacts::open_folder(settings.folder / "cache", settings.cache);
  if (!artifacts) return stop_with(artifacts.error(), exit_code(artifacts.error().kind));
  EngineOptions options;
  options.model_roots = settings.model_roots;
  options.backend = settings.backend;
  options.threads = settings.threads_per_slot;
  std::vector<std::string> notes;
  if (kernels::cuda::DeviceApi* api = kernels::cuda::device_api();
      api != nullptr && settings.backend == config::Backend::kCuda) {
    auto choice = choose_attention(settings.attention, *api, options.device,
                                   attention_shapes(settings.model_roots), settings.folder, RUSHES_VERSION);
    if (!choice) return stop_with(choice.error(), exit_code(choice.error().kind));
    options.library_attention = choice->library;
    options.eight_bit = settings.eight_bit;
    notes = std::move(choice->notes);
  }
  auto models = Models::open(options);
  if (!models) return stop_with(models.error(), exit_code(models.error().kind));
  for (const std::string& note : models->notes()) notes.push_back(note);
  if (const std::string stands_for = models->class_text(); !stands_for.empty())
    notes.insert(notes.begin(), "class " + models->numeric_class() + ": " + stands_for);
  if (notes.size() > protocol::kMaxEngineNotes) notes.resize(protocol::kMaxEngineNotes);
  for (std::string& note : notes) note = one_line(note, kMaxTextBytes);
  const TaskFunction run = [&](const TaskSpec& spec, const EngineHooks& hooks) -> Result<TaskResult> {
    const auto task = check_task(spec);
    if (!task) return tl::unexpected(task.error());
    StageContext context{*artifacts,      *models,        settings.deliveries,
                         settings.colour, hooks.progress, hooks.cancelled};
    return run_task(*task, context);
  };
  return serve({models->numeric_class(), RUSHES_VERSION, std::move(notes)}, run);
}

Result<protocol::ClientOptions> client_options(const config::Worker& settings, const std::string& endpoint) {
  auto scheduler = protocol::read_public_keys(settings.scheduler_public_key, 4);
  if (!scheduler) return tl::unexpected(scheduler.error());
  auto open = protocol::read_public_key(settings.public_key);
  if (!open) return tl::unexpected(open.error());
  auto secret = protocol::read_secret_key(settings.secret_key);
  if (!secret) return tl::unexpected(secret.error());
  if (protocol::public_key_of(*secret) != *open)
    return fail(ErrorKind::kInvalid,
                settings.public_key.string() + ": is not the public key of " + settings.secret_key.string());
  return protocol::ClientOptions{endpoint, *scheduler, {*open, *secret}};
}

// `gpus`: of the GPU slots. The child sees the device of its slot alone, as number 0.
EngineCommand engine_command(const Arguments& arguments, const Gpus* gpus, SlotKind kind, std::size_t slot) {
  const fs::path program =
      arguments.engine_program.empty() ? fs::read_symlink("/proc/self/exe") : arguments.engine_program;
  std::vector<std::string> words{program.string(), "--engine", "--config",
                                 fs::absolute(arguments.config).string()};
  if (!arguments.flags.name.empty()) words.insert(words.end(), {"--name", arguments.flags.name});
  if (!arguments.flags.folder.empty())
    words.insert(words.end(), {"--folder", fs::absolute(arguments.flags.folder).string()});
  EngineCommand command;
  if (kind == SlotKind::kGpu) {
    words.insert(words.end(), {"--backend", "cuda"});
    // NVML counts devices by their place on the bus, CUDA otherwise by their speed.
    command.environment = {"CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=" + gpus->visible()[slot]};
  } else if (!arguments.backend.empty() || gpus != nullptr) {
    words.insert(words.end(), {"--backend", "cpu"});
  }
  command.words = std::move(words);
  return command;
}

// The devices of the GPU slots; null without any.
Result<std::unique_ptr<Gpus>> open_gpus(const config::Worker& settings) {
  if (settings.backend != config::Backend::kCuda) return nullptr;
  auto visible =
      visible_devices(static_cast<std::size_t>(settings.slots), std::getenv("CUDA_VISIBLE_DEVICES"));
  if (!visible) return tl::unexpected(visible.error());
  std::string why = "this build has no CUDA engine";
  kernels::cuda::DeviceApi* api = kernels::cuda::device_api();
  const kernels::cuda::NvmlApi* nvml = api != nullptr ? api->nvml(&why) : nullptr;  // before `why` is copied
  return Gpus::open(nvml, why, std::move(*visible));
}

Result<Resources> resources_of(const config::Worker& settings, const Gpus* gpus, const fs::path& file) {
  const auto slots = static_cast<std::uint32_t>(settings.slots),
             cpu_slots = static_cast<std::uint32_t>(settings.cpu_slots);
  if (settings.backend == config::Backend::kCpu) return Resources{{{slots, 0}}, settings.memory, 0};
  std::uint64_t device_memory = settings.device_memory;
  if (device_memory == 0)  // a tenth of what the devices have is left to the driver and its libraries
    for (const DeviceState& device : gpus->latest()) device_memory += device.total_bytes / 10 * 9;
  if (device_memory == 0)
    return fail(ErrorKind::kInvalid, file.string() +
                                         ": device_memory: needed, as the driver does not say how much the "
                                         "GPUs have (" +
                                         gpus->latest().front().trouble + ")");
  return Resources{{{cpu_slots, slots}}, settings.memory, device_memory};
}

// Prints what a model takes of a GPU, as its manifest has it.
int measure(const config::Worker& settings, const std::string& name) {
  const auto manifest = config::find_model(name, settings.model_roots);
  if (!manifest) return stop_with(manifest.error(), exit_code(manifest.error().kind));
  const auto memory = measure_memory(*manifest);
  if (!memory) return stop_with(memory.error(), exit_code(memory.error().kind));
  std::printf("%s\n", to_string(*memory).c_str());
  return 0;
}

int run_agent(const Arguments& arguments, const config::Worker& settings) {
  block_signals();
  RunnerOptions options;
  auto control = client_options(settings, settings.control);
  auto artifacts = client_options(settings, settings.artifacts);
  auto gpus = open_gpus(settings);
  if (!gpus) return stop_with(gpus.error(), ExitCode::kEnvironment);
  auto resources = resources_of(settings, gpus->get(), arguments.config);
  if (!resources) return stop_with(resources.error(), ExitCode::kUsage);
  if (!control) return stop_with(control.error(), ExitCode::kUsage);
  if (!artifacts) return stop_with(artifacts.error(), ExitCode::kUsage);
  std::error_code ignored;  // Runner::open() says what is wrong with the folder
  fs::create_directories(settings.folder, ignored);
  if (Status host = check_host(settings.deliveries, settings.colour); !host)
    return stop_with({host.error().kind, arguments.config.string() + ": " + host.error().message},
                     ExitCode::kEnvironment);
  const std::uint32_t gpus_here = resources->slots[SlotKind::kGpu];
  auto models = offered_models(settings.model_roots, settings.folder / "model-digests",
                               resources->device_bytes / std::max(1U, gpus_here));
  if (!models) return stop_with(models.error(), exit_code(models.error().kind));
  if (settings.device_memory == 0)
    for (std::uint32_t i = 0; i < gpus_here; ++i)
      resources->device_bytes -=
          std::min(resources->device_bytes, models->most_weights + config::ModelMemory::kLibraries);

  options.agent.name = settings.name;
  options.agent.stop_grace = settings.stop_grace;
  options.agent.offer.build = RUSHES_VERSION;
  options.agent.offer.resources = *resources;
  options.agent.offer.prefetch = static_cast<std::uint32_t>(settings.prefetch);
  options.agent.offer.models = std::move(models->models);
  for (const std::string& line : models->left_out)
    if (options.remarks.size() < kMaxProcessRemarks) options.remarks.push_back(clean_text(line));
  options.control = std::move(*control);
  options.artifacts = std::move(*artifacts);
  options.folder = settings.folder;
  options.cache_bytes = settings.cache;
  options.engine = [&arguments, devices = gpus->get()](SlotKind kind, std::size_t slot) {
    return engine_command(arguments, devices, kind, slot);
  };
  if (*gpus) options.devices = [devices = gpus->get()] { return devices->latest(); };
  auto runner = Runner::open(std::move(options));
  if (!runner) return stop_with(runner.error(), exit_code(runner.error().kind));
  return static_cast<int>((*runner)->run());
}

}  // namespace

int run_program(int count, char** words) {
  Arguments arguments;
  config::CommandLine app("One host of a Rushes farm: renders what the scheduler assigns.", "rushes-worker");
  app.option("--config", arguments.config, "worker.yaml").required();
  app.option("--name", arguments.flags.name,
             "this worker's name; overrides RUSHES_WORKER_NAME and worker.yaml");
  app.option("--folder", arguments.flags.folder,
             "folder of its outbox and cache; overrides RUSHES_WORKER_FOLDER and worker.yaml");
  app.option("--backend", arguments.backend, "cpu or cuda; overrides worker.yaml").one_of({"cpu", "cuda"});
  app.option("--slots", arguments.slots, "attempts that run at once, 1..64; overrides worker.yaml")
      .between(1, 64);
  app.option("--cpu-slots", arguments.cpu_slots,
             "with cuda: attempts that need no GPU at once, 0..64; overrides worker.yaml")
      .between(0, 64);
  app.option("--engine-program", arguments.engine_program, "program of the engine child, instead of this one")
      .hidden();
  app.option("--measure", arguments.measured_model,
             "prints the line memory: for this model's model.yaml, measured without a GPU, and ends");
  app.option("--log-level", arguments.log_level, "debug, info, warning or error").one_of(log::kLevels);
  app.flag("--engine", arguments.engine, "the child process of one slot; started by the agent").hidden();
  if (const auto code = app.parse(count, words)) return *code;
  arguments.flags = config::with_environment(std::move(arguments.flags));
  log::name_process(arguments.engine ? "engine" : "worker");
  log::set_level(arguments.log_level);
  if (const Status table = check_critics(); !table)
    return stop_with(table.error(), exit_code(table.error().kind));
  const auto settings = read_settings(arguments);
  if (!settings) return stop_with(settings.error(), exit_code(settings.error().kind));
  if (!arguments.measured_model.empty()) return measure(*settings, arguments.measured_model);
  return arguments.engine ? run_engine(*settings) : run_agent(arguments, *settings);
}

}  // namespace rushes::worker
