// The farm's figures in Prometheus' text format, for GET /metrics.
//
// What the State counts is read for each request; how long things take is observed where they happen. Names
// and labels follow Prometheus' conventions: base units, `_total` for counters, one family per question.
//
// Thread contract: all functions may be called from any thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/core/report/view.h"
#include "scheduler/protocol/endpoint.h"

namespace rushes::scheduler {

// What the disks under the farm's folders hold; read for each request.
struct DiskFigures {
  std::vector<protocol::Count> free;  // bytes, by the folder's key in farm.yaml
  std::vector<protocol::Count> used;  // bytes of "ledger", "vault" and, once they are counted, "deliveries"
  std::vector<std::pair<std::string, double>>
      full_in;                               // seconds, by folder as `free`; without those not known
  std::optional<std::uint64_t> collectable;  // bytes that a gc would free now
  std::uint64_t reserve = 0;                 // limits.disk_reserve
  std::int64_t last_backup = 0;              // seconds since 1970; 0: there is none
};

class Metrics {
 public:
  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

  Metrics();
  ~Metrics();

  // From the append of a group of records until they are on the disk.
  void observe_sync(std::chrono::nanoseconds duration);
  // From the arrival of the oldest event of a turn until the assignments that it led to leave, sync included.
  void observe_dispatch(std::chrono::nanoseconds duration);

  // `wire`: messages of workers and of unknown keys; `http`: requests of clients.
  std::string text(const view::FarmFigures& figures, const DiskFigures& disks,
                   const std::vector<protocol::Count>& wire, const std::vector<protocol::Count>& http) const;

 private:
  struct Histograms;
  std::unique_ptr<Histograms> histograms_;
};

}  // namespace rushes::scheduler
