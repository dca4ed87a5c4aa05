#include "worker/agent/attempt_log.h"

#include <algorithm>
#include <vector>

#include "storage/records/text.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

void remove_oldest(const fs::path& folder, std::size_t keep) {
  std::vector<std::pair<fs::file_time_type, fs::path>> logs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".log") logs.emplace_back(entry.last_write_time(error), entry.path());
  if (logs.size() <= keep) return;
  std::sort(logs.begin(), logs.end());
  for (std::size_t i = 0; i + keep < logs.size(); ++i) fs::remove(logs[i].second, error);
}

}  // namespace

void AttemptLog::begin(const fs::path& folder, const AttemptId& id) {
  end();
  std::error_code ignored;
  fs::create_directories(folder, ignored);
  remove_oldest(folder, kMaxFiles - 1);
  file_.open(folder / (std::to_string(id.task.number()) + "-" + std::to_string(id.attempt) + ".log"),
             std::ios::trunc);
}

void AttemptLog::append(std::string_view text) {
  const std::size_t room = kMaxFileBytes - written_;
  const std::string_view kept = text.substr(0, room);
  if (file_.is_open() && !kept.empty())
    file_.write(kept.data(), static_cast<std::streamsize>(kept.size())).flush();
  written_ += kept.size();
  dropped_ += text.size() - kept.size();
  tail_ += text;
  if (tail_.size() > 2 * kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
}

std::string AttemptLog::tail() const { return rushes::clean_text(tail_, kTailBytes, true); }

void AttemptLog::end() {
  if (file_.is_open() && dropped_ > 0) file_ << "\n[" << dropped_ << " more bytes were not kept]\n";
  file_.close();
  file_.clear();
  written_ = dropped_ = 0;
  tail_.clear();
}

}  // namespace rushes::worker
