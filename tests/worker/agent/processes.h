// What the kernel says about processes.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace rushes::test {

// A zombie that is not reaped yet is not alive.
inline bool is_alive(pid_t process) {
  std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return false;
  const auto after_name = line.rfind(") ");
  return after_name != std::string::npos && line[after_name + 2] != 'Z' && line[after_name + 2] != 'X';
}

// Living processes that have `word` among their arguments.
inline int count_with_argument(const std::string& word) {
  int count = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    const std::string words{std::istreambuf_iterator<char>(file), {}};
    if (words.find(word) != std::string::npos && is_alive(std::atoi(entry.path().filename().c_str())))
      ++count;
  }
  return count;
}

}  // namespace rushes::test
