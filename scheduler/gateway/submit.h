// A batch's text becomes a SubmitBatch event, and its reply becomes the BATCH answer of gateway/api.h.
//
// Thread contract: pure functions of their arguments, the model roots and the vault; HTTP threads.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/farm.h"
#include "config/shot.h"
#include "scheduler/core/command.h"
#include "scheduler/core/event.h"
#include "scheduler/gateway/body.h"
#include "scheduler/gateway/json.h"
#include "scheduler/gateway/pictures.h"
#include "storage/vault.h"

namespace rushes::scheduler {

// The fields of the HTTP request, checked for length only.
struct BatchRequest {
  Submission sent;
  std::string idempotency_key;  // empty: none
  std::string by;               // token name
  bool dry_run = false;
  bool replace = false;    // shots of the same name are archived
  bool overrules = false;  // event::SubmitBatch
};

struct ReadBatch {
  config::Batch batch;
  event::SubmitBatch event;
  std::map<std::string, std::string> known_words;  // what a model knows whose shots have remarks
};

// The folders that this host reads from.
struct BatchRoots {
  const std::vector<std::filesystem::path>& models;
  const std::vector<std::filesystem::path>& pictures;
};

// Parses the batch, finds the models and pictures, and checks that they can make the shots. Pictures of a root are stored
// in the vault (not in a dry run). Error: kInvalid with one line per problem; a batch with any problem is refused whole.
Result<ReadBatch> read_batch_request(const BatchRequest& request, const BatchRoots& roots,
                                     const std::vector<config::SharedLimit>& shared_limits,
                                     storage::Vault& vault, PictureCheck& check);

// What the model of that name will not do as the prompt says, or that it could not be asked.
std::vector<std::string> prompt_remarks(const std::string& model, const std::string& prompt,
                                        const std::vector<std::filesystem::path>& model_roots);

Json batch_json(const ReadBatch& read, const command::Submitted& submitted, bool dry_run);

}  // namespace rushes::scheduler
