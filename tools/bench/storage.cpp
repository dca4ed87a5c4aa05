// rushes-bench storage: the ledger's synced appends and replay, and the vault's commits, beside a bare sync
// of the same disk.
#include <fcntl.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "config/command_line.h"
#include "storage/ledger.h"
#include "storage/vault.h"
#include "tools/bench/agents.h"
#include "tools/bench/bench.h"
#include "tools/bench/figures.h"
#include "tools/bench/folder.h"

namespace rushes::bench {
namespace {

using nlohmann::json;

struct Options {
  std::filesystem::path data = "/var/tmp";
  int seconds = 2;  // of each measurement
  int bytes = 200;  // of one record
  bool json = false;
};

double us_since(std::int64_t begin) { return static_cast<double>(monotonic_ns() - begin) * 1e-3; }

bool time_left(std::int64_t begin, const Options& options) {
  return monotonic_ns() - begin < std::int64_t{options.seconds} * 1'000'000'000;
}

// What the disk itself can do: 4 KiB appended and synced.
Result<json> measure_disk(const std::filesystem::path& folder, const Options& options) {
  const int file = open((folder / "bare").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return fail(ErrorKind::kDenied, folder.string() + ": no file can be made there");
  const std::string block(4096, 'x');
  std::vector<double> times;
  bool written = true;
  for (const std::int64_t start = monotonic_ns(); written && time_left(start, options);) {
    const std::int64_t begin = monotonic_ns();
    written =
        write(file, block.data(), block.size()) == static_cast<ssize_t>(block.size()) && fdatasync(file) == 0;
    times.push_back(us_since(begin));
  }
  close(file);
  if (!written) return fail(ErrorKind::kExhausted, folder.string() + ": cannot be written");
  return json{{"bare_sync_us", quantiles(times)}};
}

// `depth` appends of `records` records are always on their way.
Result<json> measure_appends(const std::filesystem::path& folder, int records, int depth,
                             const Options& options) {
  auto ledger = storage::Ledger::open(folder);
  if (!ledger) return tl::unexpected(ledger.error());
  std::mutex mutex;
  std::condition_variable happened;
  int in_flight = 0;
  std::vector<double> times;
  Status failed;
  const std::int64_t start = monotonic_ns();
  while (failed && time_left(start, options)) {
    {
      std::unique_lock lock(mutex);
      happened.wait(lock, [&] { return in_flight < depth; });
      ++in_flight;
    }
    const std::int64_t begin = monotonic_ns();
    storage::Append append;
    append.records.assign(static_cast<std::size_t>(records),
                          std::string(static_cast<std::size_t>(options.bytes), 'x'));
    append.done = [&, begin](const Status& status) {
      const std::lock_guard lock(mutex);
      times.push_back(us_since(begin));
      if (!status) failed = status;
      --in_flight;
      happened.notify_one();
    };
    if (const auto queued = (*ledger)->append(std::move(append)); !queued)
      return tl::unexpected(queued.error());
  }
  if (const auto flushed = (*ledger)->flush(); !flushed) return tl::unexpected(flushed.error());
  const double seconds = us_since(start) * 1e-6;
  const auto written = (*ledger)->written();
  ledger->reset();  // no completion may come after the locals are gone
  return json{{"records", records},
              {"depth", depth},
              {"records_per_s", static_cast<double>(times.size()) * records / seconds},
              {"syncs_per_s", static_cast<double>(written.syncs) / seconds},
              {"bytes_per_record",
               static_cast<double>(written.bytes) / (static_cast<double>(times.size()) * records)},
              {"append_us", quantiles(times)}};
}

Result<json> measure_replay(const std::filesystem::path& folder) {
  const std::int64_t begin = monotonic_ns();
  auto ledger = storage::Ledger::open(folder);
  if (!ledger) return tl::unexpected(ledger.error());
  const double opened = us_since(begin);
  std::uint64_t records = 0;
  const auto replayed = (*ledger)->replay(0, [&records](const storage::Record&) -> Status {
    ++records;
    return {};
  });
  if (!replayed) return tl::unexpected(replayed.error());
  const double replay = us_since(begin) - opened;
  return json{{"open_ms", opened * 1e-3},
              {"replayed_records", records},
              {"replay_records_per_s", 1e6 * static_cast<double>(records) / replay}};
}

Result<json> measure_vault(const std::filesystem::path& folder, const Options& options) {
  auto vault = storage::Vault::open(folder);
  if (!vault) return tl::unexpected(vault.error());
  std::string artifact(1u << 20, 'x');
  std::vector<double> times;
  for (const std::int64_t start = monotonic_ns(); time_left(start, options);) {
    const std::uint64_t number = times.size();
    std::copy_n(reinterpret_cast<const char*>(&number), sizeof number, artifact.begin());
    const std::int64_t begin = monotonic_ns();
    if (const auto put = (*vault)->put(artifact); !put) return tl::unexpected(put.error());
    times.push_back(us_since(begin));
  }
  return json{{"put_1_mib_us", quantiles(times)}};
}

Result<json> measure(const Options& options) {
  const auto folder = Folder::make(options.data);
  if (!folder) return tl::unexpected(folder.error());
  json report{{"bench", "storage"}, {"record_bytes", options.bytes}};
  const auto add = [&report](const Result<json>& figures) {
    if (figures) report.update(*figures);
    return figures.has_value();
  };
  const auto disk = measure_disk(folder->path(), options);
  if (!add(disk)) return disk;
  json appends = json::array();
  constexpr std::pair<int, int> kLoads[] = {{1, 1}, {1, 64}, {64, 1}, {64, 4}};
  std::filesystem::path last;
  for (const auto& [records, depth] : kLoads) {
    last = folder->path() / ("ledger-" + std::to_string(records) + "-" + std::to_string(depth));
    auto figures = measure_appends(last, records, depth, options);
    if (!figures) return figures;
    appends.push_back(std::move(*figures));
  }
  report["appends"] = std::move(appends);
  const auto replay = measure_replay(last);
  if (!add(replay)) return replay;
  const auto vault = measure_vault(folder->path() / "vault", options);
  if (!add(vault)) return vault;
  return report;
}

}  // namespace

int bench_storage(int argc, char** argv) {
  Options options;
  config::CommandLine app{"Measures the ledger's synced appends and replay, and the vault's commits.",
                          "rushes-bench storage"};
  app.option("--data", options.data, "folder on the disk to measure");
  app.option("--seconds", options.seconds, "of each measurement").between(1, 600);
  app.option("--bytes", options.bytes, "of one record").between(1, 1'000'000);
  app.flag("--json", options.json, "machine-readable result");
  if (const auto code = app.parse(argc, argv)) return *code;
  return report_figures("storage", measure(options), options.json);
}

}  // namespace rushes::bench
