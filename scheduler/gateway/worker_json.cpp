// Workers in the words of api.h.
#include "config/instant.h"
#include "scheduler/core/report/view.h"
#include "scheduler/gateway/json.h"
#include "scheduler/plan/compose.h"

namespace rushes::scheduler {
namespace {

Json resources_json(const Resources& resources) {
  return {{"cpu_slots", resources.slots[SlotKind::kCpu]},
          {"gpu_slots", resources.slots[SlotKind::kGpu]},
          {"host_bytes", resources.host_bytes},
          {"device_bytes", resources.device_bytes}};
}

Json device_json(const DeviceState& device) {
  return {{"name", device.name},
          {"capability", device.capability},
          {"driver", device.driver},
          {"total_bytes", device.total_bytes},
          {"free_bytes", device.free_bytes},
          {"celsius", device.celsius < 0 ? Json() : Json(device.celsius)},
          {"memory_errors", device.memory_errors},
          {"trouble", device.trouble}};
}

Json worker_row(const State& state, const view::WorkerInfo& worker) {
  Json running = Json::array();
  for (const TaskId id : worker.tasks) {
    const Task& task = state.task(id);
    running.push_back({{"task", id.number()},
                       {"name", task_name(state.shots[task.shot].spec, task.plan)},
                       {"fraction", task.progress.fraction},
                       {"words", task.progress.text}});
  }
  Json devices = Json::array();
  for (const DeviceState& device : worker.devices) devices.push_back(device_json(device));
  const std::string word = worker.state != "connected" ? worker.state : worker.held > 0 ? "busy" : "idle";
  const WorkerProcess& process = worker.process;
  return {{"worker", worker.name},
          {"state", word},
          {"since", worker.gone_wall_ms > 0 ? Json(config::instant_text(worker.gone_wall_ms)) : Json()},
          {"unheard_since",
           worker.unheard_wall_ms > 0 ? Json(config::instant_text(worker.unheard_wall_ms)) : Json()},
          {"drained", worker.drained},
          {"process", process.id.empty()
                          ? Json()
                          : Json{{"host", process.host}, {"address", process.address}, {"pid", process.pid}}},
          {"remarks", process.remarks},
          {"build", worker.build},
          {"slots", total(worker.offered.slots)},
          {"prefetch", worker.prefetch},
          {"resources", resources_json(worker.offered)},
          {"taken", resources_json(worker.taken)},
          {"running", std::move(running)},
          {"numeric_classes", worker.numeric_classes},
          {"models", worker.models},
          {"devices", std::move(devices)},
          {"finished", worker.accepted},
          {"failed", worker.failed},
          {"device_seconds", cost_json(worker.cost)}};
}

}  // namespace

Json workers_json(const State& state, Now now) {
  Json workers = Json::array();
  for (const auto& worker : view::workers(state, now)) workers.push_back(worker_row(state, worker));
  return {{"workers", std::move(workers)}};
}

std::optional<Json> worker_json(const State& state, std::string_view name, Now now) {
  for (const auto& worker : view::workers(state, now))
    if (worker.name == name) return worker_row(state, worker);
  return std::nullopt;
}

}  // namespace rushes::scheduler
