#include "config/prompt.h"

#include <algorithm>
#include <cctype>

namespace rushes::config {
namespace {

constexpr std::size_t kShownWords = 12;       // unknown ones, in one sentence
constexpr std::size_t kShownCharacters = 48;  // of what is read before the cut

// Lower-case words in their order, each once. Bytes beyond ASCII are letters of words.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto finish = [&] {
    if (!word.empty() && std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
    word.clear();
  };
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || std::isalnum(byte) != 0)
      word.push_back(static_cast<char>(std::tolower(byte)));
    else
      finish();
  }
  finish();
  return words;
}

// The end of `text`, from the beginning of a word.
std::string tail(const std::string& text) {
  if (text.size() <= kShownCharacters) return text;
  const std::size_t space = text.find(' ', text.size() - kShownCharacters);
  return space == std::string::npos ? text : "..." + text.substr(space);
}

std::string quoted_list(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < std::min(words.size(), kShownWords); ++i)
    text += (i == 0 ? "'" : ", '") + words[i] + "'";
  if (words.size() > kShownWords) text += " and " + std::to_string(words.size() - kShownWords) + " more";
  return text;
}

}  // namespace

PromptReader::PromptReader(const ModelManifest& manifest, Tokenizer tokenizer)
    : model_(manifest.name),
      text_len_(manifest.text_len),
      knows_(manifest.knows),
      tokenizer_(std::move(tokenizer)) {}

Result<PromptReader> PromptReader::open(const ModelManifest& manifest) {
  const auto file = manifest.files.find("tokenizer");
  if (file == manifest.files.end())
    return fail(ErrorKind::kNotFound, "model " + manifest.name + ": the manifest names no tokenizer");
  auto tokenizer = Tokenizer::load(file->second.path.string());
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  return PromptReader(manifest, std::move(*tokenizer));
}

Result<std::vector<std::string>> PromptReader::remarks(std::string_view key, std::string_view text) const {
  std::vector<std::string> all;
  const auto tokens = tokenizer_.encode(text, text_len_);
  if (!tokens) return tl::unexpected(tokens.error());
  const std::string begin = std::string(key) + ": ";
  if (tokens->truncated)
    all.push_back(begin + "too long: it has " + std::to_string(tokens->needed - 1) + " tokens, " + model_ +
                  " reads " + std::to_string(tokens->ids.size() - 1) + "; it is cut after \"" +
                  tail(tokenizer_.decode(*tokens)) + "\"");
  if (knows_.empty()) return all;
  std::vector<std::string> unknown = words_of(text);
  for (const WordList& list : knows_)
    std::erase_if(unknown, [&](const std::string& word) {
      return std::find(list.words.begin(), list.words.end(), word) != list.words.end();
    });
  if (!unknown.empty())
    all.push_back(begin + model_ + " was not trained on " + quoted_list(unknown) +
                  " and will not show what these words mean");
  return all;
}

std::string PromptReader::known_words() const {
  std::string text;
  for (const WordList& list : knows_) {
    text += text.empty() ? model_ + " knows " : "; ";
    text += list.name + ": ";
    for (const std::string& word : list.words) text += (&word == &list.words.front() ? "" : ", ") + word;
  }
  return text;
}

std::vector<std::string> prompt_remarks(const Shot& shot, const Result<PromptReader>& reader) {
  if (!reader) return {"prompt: not compared with what the model reads: " + reader.error().message};
  std::vector<std::string> all;
  const auto read = [&](const char* key, const std::string& text) {
    const auto found = reader->remarks(key, text);
    if (found) all.insert(all.end(), found->begin(), found->end());
  };
  read("prompt", shot.prompt);
  if (shot.negative_prompt) read("negative_prompt", *shot.negative_prompt);
  return all;
}

}  // namespace rushes::config
