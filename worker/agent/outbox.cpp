#include "worker/agent/outbox.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "config/log.h"
#include "scheduler/protocol/codec.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

Status sync(const fs::path& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) return fail(ErrorKind::kExhausted, path.string() + ": cannot open: " + std::strerror(errno));
  const bool synced = ::fsync(file) == 0;
  const std::string cause = std::strerror(errno);
  ::close(file);
  if (!synced) return fail(ErrorKind::kExhausted, path.string() + ": cannot sync: " + cause);
  return {};
}

// Why what was read is no result. A Completed whose result cannot be read comes as a Failed.
std::string reason_against(const Result<protocol::WorkerMessage>& read) {
  if (!read) return read.error().message;
  const auto* failed = std::get_if<protocol::Failed>(&*read);
  return failed != nullptr ? failed->message : "another message";
}

}  // namespace

Result<Outbox> Outbox::open(fs::path folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    return fail(ErrorKind::kExhausted, folder.string() + ": cannot create the outbox: " + error.message());
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    return fail(ErrorKind::kExhausted, folder.string() + ": cannot write: " + std::strerror(errno));
  return Outbox(std::move(folder));
}

fs::path Outbox::file_of(const AttemptId& id) const {
  return folder_ / (std::to_string(id.task.number()) + "-" + std::to_string(id.attempt) + ".result");
}

std::vector<protocol::Completed> Outbox::load() const {
  std::vector<protocol::Completed> results;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    if (entry.path().extension() == ".new") fs::remove(entry.path(), error);
    if (entry.path().extension() != ".result") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const auto message = protocol::decode_from_worker(bytes);
    if (const auto* completed = message ? std::get_if<protocol::Completed>(&*message) : nullptr) {
      results.push_back(*completed);
      continue;
    }
    log::error("{}: no readable result ({}); set aside", entry.path().string(), reason_against(message));
    fs::rename(entry.path(), fs::path(entry.path()) += ".broken", error);
  }
  std::sort(results.begin(), results.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return results;
}

Status Outbox::keep(const protocol::Completed& result) const {
  const auto bytes = protocol::encode(protocol::WorkerMessage(result));
  if (!bytes) return tl::unexpected(bytes.error());
  const fs::path file = file_of(result.id), fresh = fs::path(file) += ".new";
  {
    std::ofstream stream(fresh, std::ios::binary | std::ios::trunc);
    stream.write(bytes->data(), static_cast<std::streamsize>(bytes->size()));
    stream.flush();
    if (!stream)
      return fail(ErrorKind::kExhausted, fresh.string() + ": cannot write: " + std::strerror(errno));
  }
  if (auto synced = sync(fresh, O_RDONLY); !synced) return synced;
  if (::rename(fresh.c_str(), file.c_str()) != 0)
    return fail(ErrorKind::kExhausted, file.string() + ": cannot rename: " + std::strerror(errno));
  return sync(folder_, O_RDONLY | O_DIRECTORY);
}

void Outbox::forget(const AttemptId& id) const {
  std::error_code ignored;  // already gone is as good
  fs::remove(file_of(id), ignored);
}

}  // namespace rushes::worker
