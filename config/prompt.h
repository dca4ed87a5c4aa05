// What a model makes of the words of a prompt. It is said when a shot is submitted: a word that a model does not know, or
// that is cut off, cannot be seen missing before the pictures are paid for.
//
// Thread contract: immutable after open(); any number of threads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/model.h"
#include "config/result.h"
#include "config/shot.h"
#include "config/tokenizer.h"

namespace rushes::config {

class PromptReader {
 public:
  // Reads the model's tokenizer. kNotFound, kCorrupt.
  static Result<PromptReader> open(const ModelManifest& manifest);

  // One sentence for each thing about `text` that the model will not do as written: where it is cut, and words that
  // stand in none of the manifest's lists. `key` is its key in the shot file, "prompt" or "negative_prompt".
  // Error: kInvalid for text that is not UTF-8.
  Result<std::vector<std::string>> remarks(std::string_view key, std::string_view text) const;

  // "tabletop knows light: day, dusk, night; place: ..."; empty where the manifest has no lists.
  std::string known_words() const;

 private:
  PromptReader(const ModelManifest& manifest, Tokenizer tokenizer);
  std::string model_;
  std::int64_t text_len_;
  std::vector<WordList> knows_;
  Tokenizer tokenizer_;
};

// The remarks on all prompts of the shot, at most one list long; that they could not be compared where the reader is an
// error.
std::vector<std::string> prompt_remarks(const Shot& shot, const Result<PromptReader>& reader);

}  // namespace rushes::config
