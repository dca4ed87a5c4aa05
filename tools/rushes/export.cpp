#include "tools/rushes/export.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <span>

#include "config/command_line.h"
#include "config/interrupt.h"
#include "tools/rushes/progress.h"
#include "tools/rushes/terminal.h"
#include "tools/rushes/text.h"
#include "worker/engine/take_export.h"
#include "worker/picture/atomic_folder.h"

namespace rushes::tools {
namespace {

namespace fs = std::filesystem;

constexpr double kDownload = 0.7;  // of the work of an export that writes frames

Status still_wanted() {
  if (config::interrupted() == 0) return {};
  return fail(ErrorKind::kConflict, "stopped; nothing of the export is left");
}

tl::unexpected<Error> not_written(const fs::path& path) {
  return fail(ErrorKind::kExhausted,
              path.string() + ": cannot be written; is the folder writable and the disk not full?");
}

// "sh010", "sh010@1": what of an archived shot lies in a folder of its own.
std::string name_in_show(const std::string& shot) { return shot.substr(shot.find('/') + 1); }

// What was downloaded of all inputs, for the line at the foot of the terminal.
struct Downloaded {
  ProgressLine& line;
  double total = 0, done = 0;  // bytes
  void add(std::size_t bytes) {
    done += static_cast<double>(bytes);
    line.show(kDownload * std::min(1.0, done / total), bytes_text(done) + " of " + bytes_text(total));
  }
};

Status download_input(Client& farm, const Input& input, worker::LocalArtifacts& store,
                      Downloaded& downloaded) {
  if (store.have(input.digest)) return {};
  auto incoming = store.receive(input.digest, input.bytes);
  if (!incoming) return tl::unexpected(incoming.error());
  const Status got =
      farm.download("/v1/artifacts/" + to_hex(input.digest), [&](std::string_view bytes) -> Status {
        if (Status wanted = still_wanted(); !wanted) return wanted;
        downloaded.add(bytes.size());
        return incoming->append(std::as_bytes(std::span(bytes)));
      });
  if (!got) return got;
  return incoming->finish();
}

// A folder for each show, as in the farm's deliveries: shots of two shows may have one name. The farm knows the shot, so
// the show's name is one for a folder.
fs::path folder_of(const ExportOptions& options, const std::string& shot) {
  return fs::path(options.folder) / shot.substr(0, shot.find('/'));
}

Result<worker::Task> fetch_task(Client& farm, const std::string& shot, const ExportOptions& options) {
  std::string path =
      "/v1/shots/" + shot + "/delivery?kind=" + (options.kind.empty() ? "draft" : options.kind);
  if (options.take != 0) path += "&take=" + std::to_string(options.take);
  if (options.version >= 0) path += "&version=" + std::to_string(options.version);
  auto bytes = farm.get_bytes(path);
  if (!bytes) return tl::unexpected(bytes.error());
  auto task = worker::read_task(*bytes);
  if (!task) return with_context(task.error(), "the answer of " + farm.url() + path);
  return task;
}

int report(const Printer& print, Json json, const fs::path& folder, const std::vector<std::string>& files) {
  json["folder"] = folder.string();
  json["files"] = files;
  if (print.json)
    std::cout << body_text(json, 2) << "\n";
  else
    std::cout << files.size() << (files.size() == 1 ? " file in " : " files in ") << folder.string() << "\n";
  return 0;
}

Result<int> export_take(Client& farm, const std::string& shot, const ExportOptions& options,
                        const Printer& print) {
  auto task = fetch_task(farm, shot, options);
  if (!task) return tl::unexpected(task.error());
  const auto name = worker::export_name(*task);
  if (!name) return tl::unexpected(name.error());
  auto folder = worker::AtomicFolder::create(folder_of(options, shot),
                                             name_in_show(shot) + name->substr(task->shot.size()));
  if (!folder) return tl::unexpected(folder.error());

  const fs::path inputs = folder->path() / ".inputs";
  auto store = worker::LocalArtifacts::open_folder(inputs, 0);
  if (!store) return tl::unexpected(store.error());
  ProgressLine line(stderr, !print.json && is_live(STDERR_FILENO));
  Downloaded downloaded{line};
  for (const Input& input : task->inputs) downloaded.total += static_cast<double>(input.bytes);
  for (const Input& input : task->inputs)
    if (Status status = download_input(farm, input, *store, downloaded); !status)
      return tl::unexpected(status.error());
  const auto files = worker::export_take(*task, *store, folder->path(), [&](double done) {
    line.show(kDownload + (1 - kDownload) * done, "writes files");
    return still_wanted();
  });
  if (!files) return tl::unexpected(files.error());
  std::error_code code;
  fs::remove_all(inputs, code);
  if (Status status = folder->publish(); !status) return tl::unexpected(status.error());
  return report(print,
                {{"shot", shot},
                 {"kind", worker::export_kind(*task)},
                 {"take", task->take},
                 {"version", task->delivery.version}},
                folder->final_path(), *files);
}

Status download_file(Client& farm, const std::string& file, const fs::path& target) {
  std::ofstream out(target, std::ios::binary);
  const Status got = farm.download("/v1/files/" + file, [&](std::string_view bytes) -> Status {
    if (Status wanted = still_wanted(); !wanted) return wanted;
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!out) return not_written(target);
    return {};
  });
  out.close();
  if (got && !out) return not_written(target);
  return got;
}

Result<int> export_delivery(Client& farm, const std::string& shot, const ExportOptions& options,
                            const Printer& print) {
  auto answer = farm.get("/v1/shots/" + shot);
  if (!answer) return tl::unexpected(answer.error());
  const Json& deliveries = list(*answer, "deliveries");
  if (deliveries.empty())
    return fail(ErrorKind::kNotFound, "shot " + shot + ": nothing is delivered yet (it is " +
                                          word(*answer, "state") + "); --take N exports a take");
  const Json& delivery = newest_delivery(deliveries);
  const std::string name =
      name_in_show(shot) + "_" + word(delivery, "kind") + "_" + word(delivery, "version");
  if (name.find('/') != std::string::npos || name.front() == '.')
    return fail(ErrorKind::kCorrupt,
                "shot " + shot + ": its delivery \"" + name + "\" is no name for a folder");
  auto folder = worker::AtomicFolder::create(folder_of(options, shot), name);
  if (!folder) return tl::unexpected(folder.error());
  ProgressLine line(stderr, !print.json && is_live(STDERR_FILENO));
  std::vector<std::string> files;
  const Json& listed = list(delivery, "files");
  for (const Json& file : listed) {
    if (!file.is_string()) continue;
    files.push_back(fs::path(file.get<std::string>()).filename().string());
    line.show(static_cast<double>(files.size() - 1) / static_cast<double>(listed.size()), files.back());
    if (Status status = download_file(farm, file.get<std::string>(), folder->path() / files.back()); !status)
      return tl::unexpected(status.error());
  }
  if (Status status = folder->publish(); !status) return tl::unexpected(status.error());
  return report(print,
                {{"shot", shot},
                 {"kind", word(delivery, "kind")},
                 {"take", static_cast<int>(number(delivery, "take"))},
                 {"version", word(delivery, "version")}},
                folder->final_path(), files);
}

}  // namespace

Result<int> export_shot(Client& farm, const ExportOptions& options, const Printer& print) {
  config::watch_interrupts();
  auto shot = full_name(farm, options.shot);
  if (!shot) return tl::unexpected(shot.error());
  const bool newest = options.take == 0 && options.version < 0 && options.kind.empty();
  auto code =
      newest ? export_delivery(farm, *shot, options, print) : export_take(farm, *shot, options, print);
  if (config::interrupted() == 0 || code) return code;
  if (print.json)
    std::cerr << config::error_line(kind_word(code.error().kind), code.error().message) << "\n";
  else
    std::cerr << "rushes: " << code.error().message << "\n";
  return 128 + config::interrupted();
}

}  // namespace rushes::tools
