// `rushes export`: a take's frames, movie and sheet, or the shot's newest delivery, from the farm into a new folder.
//
// Thread contract: one thread.
#pragma once

#include <string>

#include "tools/rushes/verbs.h"

namespace rushes::tools {

struct ExportOptions {
  std::string shot, folder;
  int take = 0;      // from 1; 0: not said
  int version = -1;  // from 0; -1: the current one
  std::string kind;  // "draft", "master", "proxy"; empty: not said
};

// Writes the folder FOLDER/SHOW/SHOT_KIND_VERSION, which must not exist; it appears when it is complete. With neither take,
// version nor kind it is the newest delivery, else the take ("draft" unless said).
Result<int> export_shot(Client& farm, const ExportOptions& options, const Printer& print);

}  // namespace rushes::tools
