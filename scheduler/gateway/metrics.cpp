#include "scheduler/gateway/metrics.h"

#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace rushes::scheduler {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Seconds; a sync takes 0.1 ms on a good disk and 10 ms on a spinning one, trouble begins at a second.
const prometheus::Histogram::BucketBoundaries kSeconds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                       0.025,  0.05,    0.1,    0.25,  0.5,    1,     2.5};

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

MetricFamily family(std::string name, std::string help, MetricType type) {
  return {std::move(name), std::move(help), type, {}};
}

void add(MetricFamily& family, double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  if (family.type == MetricType::Counter)
    metric.counter.value = value;
  else
    metric.gauge.value = value;
  family.metric.push_back(std::move(metric));
}

MetricFamily single(std::string name, std::string help, MetricType type, double value) {
  MetricFamily one = family(std::move(name), std::move(help), type);
  add(one, value);
  return one;
}

MetricFamily histogram(std::string name, std::string help, const prometheus::Histogram& from) {
  MetricFamily one = family(std::move(name), std::move(help), MetricType::Histogram);
  one.metric.push_back(from.Collect());
  return one;
}

MetricFamily shots_of(const view::FarmFigures& figures) {
  MetricFamily shots = family("rushes_shots", "Shots by state, without archived ones.", MetricType::Gauge);
  for (int state = 0; state < kShotStates; ++state)
    add(shots, figures.shots[static_cast<std::size_t>(state)],
        {{"state", to_string(static_cast<ShotState>(state))}});
  return shots;
}

MetricFamily by_label(std::string name, std::string help, const std::string& label,
                      const std::vector<protocol::Count>& figures) {
  MetricFamily gauges = family(std::move(name), std::move(help), MetricType::Gauge);
  for (const auto& [value, figure] : figures) add(gauges, static_cast<double>(figure), {{label, value}});
  return gauges;
}

MetricFamily collectable_of(const DiskFigures& disks) {
  MetricFamily bytes =
      family("rushes_collectable_bytes", "Bytes of takes whose days are over: a gc would free them now.",
             MetricType::Gauge);
  if (disks.collectable) add(bytes, static_cast<double>(*disks.collectable));
  return bytes;
}

MetricFamily full_of(const DiskFigures& disks) {
  MetricFamily full =
      family("rushes_disk_full_seconds",
             "Seconds until a folder's disk is full at the rate of the last six hours; without a "
             "value where it does not fill.",
             MetricType::Gauge);
  for (const auto& [folder, seconds_left] : disks.full_in) add(full, seconds_left, {{"folder", folder}});
  return full;
}

MetricFamily tasks_of(const view::FarmFigures& figures) {
  MetricFamily tasks = family("rushes_tasks", "Tasks by show and state.", MetricType::Gauge);
  for (const auto& show : figures.shows)
    for (int state = 0; state < kTaskStates; ++state)
      add(tasks, show.tasks[static_cast<std::size_t>(state)],
          {{"show", show.name}, {"state", to_string(static_cast<TaskState>(state))}});
  return tasks;
}

// One of the sums of device seconds by show, stage and kind of slot.
MetricFamily costs_of(const view::FarmFigures& figures, std::string name, std::string help,
                      BySlotKind<double> DeviceSeconds::*which) {
  MetricFamily costs = family(std::move(name), std::move(help), MetricType::Counter);
  for (const auto& show : figures.shows)
    for (int stage = 0; stage < kStages; ++stage)
      for (const SlotKind kind : kEverySlotKind)
        add(costs, (show.costs[static_cast<std::size_t>(stage)].*which)[kind],
            {{"show", show.name},
             {"stage", to_string(static_cast<Stage>(stage))},
             {"kind", to_string(kind)}});
  return costs;
}

MetricFamily refusals_of(std::string name, std::string help, const std::vector<protocol::Count>& counts) {
  MetricFamily refused = family(std::move(name), std::move(help), MetricType::Counter);
  for (const auto& [kind, count] : counts) add(refused, static_cast<double>(count), {{"kind", kind}});
  return refused;
}

// A figure of every GPU, by worker and number of the slot.
template <class Figure>
MetricFamily devices_of(const view::FarmFigures& figures, std::string name, std::string help, Figure figure) {
  MetricFamily values = family(std::move(name), std::move(help), MetricType::Gauge);
  for (const auto& [worker, devices] : figures.devices)
    for (std::size_t i = 0; i < devices.size(); ++i)
      if (const auto value = figure(devices[i]); value >= 0)
        add(values, static_cast<double>(value), {{"worker", worker}, {"device", std::to_string(i)}});
  return values;
}

}  // namespace

struct Metrics::Histograms {
  prometheus::Histogram sync{kSeconds}, dispatch{kSeconds};
};

Metrics::Metrics() : histograms_(std::make_unique<Histograms>()) {}
Metrics::~Metrics() = default;

void Metrics::observe_sync(std::chrono::nanoseconds duration) {
  histograms_->sync.Observe(seconds(duration));
}
void Metrics::observe_dispatch(std::chrono::nanoseconds duration) {
  histograms_->dispatch.Observe(seconds(duration));
}

std::string Metrics::text(const view::FarmFigures& figures, const DiskFigures& disks,
                          const std::vector<protocol::Count>& wire,
                          const std::vector<protocol::Count>& http) const {
  const Counters& counters = figures.farm.counters;
  MetricFamily workers = family("rushes_workers", "Workers by state.", MetricType::Gauge);
  for (const auto& [state, count] : figures.workers) add(workers, count, {{"state", state}});
  const std::vector<protocol::Count> late{{"result", counters.stale_results},
                                          {"failure", counters.stale_failures},
                                          {"heartbeat", counters.stale_beats},
                                          {"hello", counters.refused_hellos},
                                          {"twin", counters.refused_twins}};
  const std::vector<MetricFamily> families{
      shots_of(figures),
      tasks_of(figures),
      costs_of(
          figures, "rushes_device_seconds_total",
          "Seconds for which attempts with an accepted result held a slot, by show, stage and kind of slot.",
          &DeviceSeconds::used),
      costs_of(figures, "rushes_wasted_device_seconds_total",
               "Seconds for which attempts that failed, were lost or called off held a slot.",
               &DeviceSeconds::wasted),
      std::move(workers),
      devices_of(figures, "rushes_device_memory_bytes", "Memory of a worker's GPU.",
                 [](const DeviceState& device) { return static_cast<double>(device.total_bytes); }),
      devices_of(figures, "rushes_device_memory_free_bytes", "Free memory of a worker's GPU.",
                 [](const DeviceState& device) { return static_cast<double>(device.free_bytes); }),
      devices_of(figures, "rushes_device_temperature_celsius", "Temperature of a worker's GPU.",
                 [](const DeviceState& device) { return device.celsius; }),
      devices_of(figures, "rushes_device_memory_errors",
                 "Uncorrected memory errors of a worker's GPU since its driver was loaded.",
                 [](const DeviceState& device) { return static_cast<double>(device.memory_errors); }),
      single("rushes_slots", "Slots of connected workers.", MetricType::Gauge, figures.farm.slots),
      single("rushes_open_shots", "Shots that are neither delivered nor cancelled.", MetricType::Gauge,
             figures.farm.open_shots),
      single("rushes_lease_expiries_total", "Leases that ran out before their attempt ended.",
             MetricType::Counter, static_cast<double>(counters.lease_expiries)),
      single("rushes_repeated_results_total", "Results that had been accepted before.", MetricType::Counter,
             static_cast<double>(counters.repeated_results)),
      refusals_of("rushes_refused_total",
                  "Messages of workers that came too late or were not admitted, by kind.", late),
      refusals_of("rushes_wire_refused_total",
                  "Messages and handshakes refused on the ZeroMQ ports, by kind.", wire),
      refusals_of("rushes_http_refused_total", "HTTP requests that were not admitted, by kind.", http),
      by_label("rushes_disk_free_bytes", "Free bytes on the disk of a folder, by its key in farm.yaml.",
               "folder", disks.free),
      by_label("rushes_stored_bytes", "Bytes of the files of ledger, vault and deliveries.", "part",
               disks.used),
      collectable_of(disks),
      full_of(disks),
      single("rushes_disk_reserve_bytes", "Below so much on the data folder's disk new work is refused.",
             MetricType::Gauge, static_cast<double>(disks.reserve)),
      single("rushes_last_backup_timestamp_seconds", "When the newest backup was made; 0: there is none.",
             MetricType::Gauge, static_cast<double>(disks.last_backup)),
      histogram("rushes_sync_seconds", "From the append of a group of records until they are on the disk.",
                histograms_->sync),
      histogram("rushes_dispatch_seconds",
                "From the arrival of an event until the assignments that it led to leave, sync included.",
                histograms_->dispatch)};
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace rushes::scheduler
