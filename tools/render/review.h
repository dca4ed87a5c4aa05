// What a person needs who is to choose a take: every take of a shot that waits for one, as files.
//
// Thread contract: one thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tools/render/local_farm.h"
#include "worker/engine/take_export.h"

namespace rushes::tools {

struct ReviewedTake {
  int take = 0;
  std::string folder;  // below Review::folder
  std::vector<std::string> files;
};

struct Review {
  std::string shot;              // "SHOW/SHOT"
  std::filesystem::path folder;  // OUT/SHOW/SHOT/review/v001, or the next version that is free
  std::vector<ReviewedTake> takes;
  std::uint64_t best_seed = 0;  // of the best ranked take, else of the first that is there
  std::uint32_t best = 0;       // its number
  // Critics that its current version did not pass, by their names in a shot file; its version is another one than the
  // first where critics had windows rendered again.
  std::vector<std::string> failed_critics;
  bool revised = false;
};

// Writes movie, contact sheet and EXR frames of the current version of every take that was rendered, of the shots that
// are in review or need attention. A folder appears when it is complete. Errors: as AtomicFolder (worker/picture), and
// what `progress` returns.
Result<std::vector<Review>> write_reviews(const LocalFarm& farm, const std::filesystem::path& out,
                                          const worker::ExportProgress& progress);

// "test/sh010 waits for a person: look at FOLDER; to deliver take 2, ..."
std::string review_line(const Review& review);

// Why a shot that rests is work that failed, in words of who has no farm; empty: it is delivered, or waits as its file asks.
std::string why_in_vain(const scheduler::Shot& shot);

}  // namespace rushes::tools
