// A task as the engine sees it: a TaskSpec and its recipe, checked.
//
// The bytes come over the wire and are hostile until read here. The reader of records bounds what they may hold
// (storage/records/reader.h), check_indices() what they may mean.
//
// Thread contract: plain values and pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "config/result.h"
#include "storage/records/words.h"

namespace rushes::worker {

struct Task : TaskSpec {
  Recipe recipe;         // of recipe_bytes; with a master where level is 1
  Digest recipe_hash{};  // what file headers and sidecars name

  // Of the task's level.
  const Sampling& sampling() const { return level == 0 ? recipe.draft : recipe.master.sampling; }
  const std::vector<Range>& windows() const { return level == 0 ? recipe.windows : recipe.master.windows; }
  // Empty: the whole frame is one tile.
  const std::vector<Rect>& decode_tiles() const {
    return level == 0 ? recipe.decode_tiles : recipe.master.decode_tiles;
  }
  int scale() const { return level == 0 ? 1 : recipe.master.scale; }
};

// Whether every index can be used without another check: runs lie inside the take, tiles inside the largest
// picture, and what the task names is in its recipe. Error: kInvalid, says which field.
Status check_indices(const Task& task);

// The task with its recipe. A delivery without a rate gets the recipe's. Error: kInvalid or kExhausted, says which
// field; check_indices() holds otherwise.
Result<Task> check_task(TaskSpec spec);
// `bytes` is a flat Cap'n Proto message with a TaskSpec root.
Result<Task> read_task(std::string_view bytes);

}  // namespace rushes::worker
