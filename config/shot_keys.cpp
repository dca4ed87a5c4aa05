#include "config/shot_keys.h"

namespace rushes::config {

std::string shot_keys_table() {
  std::string table = "| key | value | without it | what it does |\n| --- | --- | --- | --- |\n";
  for (const ShotKey& row : kShotKeys) {
    const bool of_file = row.key.front() == '/';
    table += "| `" + std::string(of_file ? row.key.substr(1) : row.key) + "`" + (of_file ? " (file)" : "") +
             " | " + std::string(row.value) + " | " +
             (row.standard.empty() ? "needed" : std::string(row.standard)) + " | " +
             std::string(row.meaning) + " |\n";
  }
  return table;
}

}  // namespace rushes::config
