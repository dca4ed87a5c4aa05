// Prompts as token ids: text cleaning, then SentencePiece.
//
// Cleaning follows the intent of Wan2.1 wan/modules/tokenizers.py (ftfy, HTML unescaping twice, whitespace):
// HTML entities become characters, curly quotes straight ones, control characters go, runs of white space
// become one space. Unicode normalisation and case folding are the SentencePiece model's own. Ids follow
// UMT5: every text ends with </s>; what does not fit is cut before it.
//
// Thread contract: immutable after load; any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace rushes::config {

// kInvalid when `text` is not UTF-8.
Result<std::string> clean_text(std::string_view text);

struct Tokens {
  std::vector<std::int32_t> ids;  // 1...max_length, the last is </s>
  bool truncated = false;         // the text was longer
  std::int64_t needed = 0;        // tokens of the whole text, </s> among them
};

class Tokenizer {
 public:
  // A SentencePiece model file. kNotFound, kCorrupt.
  static Result<Tokenizer> load(const std::string& path);

  Result<Tokens> encode(std::string_view text, std::int64_t max_length) const;
  // The words that tokens stand for, as the model sees them: normalised, without </s>.
  std::string decode(const Tokens& tokens) const;
  std::int64_t vocabulary() const;

 private:
  std::shared_ptr<const sentencepiece::SentencePieceProcessor> model_;
};

}  // namespace rushes::config
