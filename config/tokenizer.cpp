#include "config/tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

#include "config/file_kind.h"
#include "config/utf8.h"

namespace rushes::config {
namespace {

struct Entity {
  std::string_view name;
  char32_t code;
};
// Entities that prompts copied from web pages carry; others stay as they are written.
constexpr std::array<Entity, 24> kEntities = {
    {{"amp", U'&'},        {"lt", U'<'},       {"gt", U'>'},          {"quot", U'"'},
     {"apos", U'\''},      {"nbsp", U' '},     {"hellip", U'\x2026'}, {"mdash", U'\x2014'},
     {"ndash", U'\x2013'}, {"lsquo", U'\''},   {"rsquo", U'\''},      {"ldquo", U'"'},
     {"rdquo", U'"'},      {"laquo", U'\xab'}, {"raquo", U'\xbb'},    {"deg", U'\xb0'},
     {"times", U'\xd7'},   {"copy", U'\xa9'},  {"reg", U'\xae'},      {"eacute", U'\xe9'},
     {"egrave", U'\xe8'},  {"auml", U'\xe4'},  {"ouml", U'\xf6'},     {"uuml", U'\xfc'}}};

// The code point at `at`, which moves behind it; `text` is UTF-8.
char32_t next_code(std::string_view text, std::size_t& at) {
  const std::string_view character = text.substr(at, utf8_character(text.substr(at)));
  at += character.size();
  return utf8_code(character);
}

void append(std::string& text, char32_t code) {
  const auto put = [&](unsigned value) { text.push_back(static_cast<char>(value)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f)), put(0x80 | (code >> 6 & 0x3f)),
        put(0x80 | (code & 0x3f));
  }
}

// The character that "&BODY;" stands for.
std::optional<char32_t> entity(std::string_view body) {
  for (const Entity& known : kEntities)
    if (known.name == body) return known.code;
  if (body.size() < 2 || body[0] != '#') return std::nullopt;
  const bool hexadecimal = body[1] == 'x' || body[1] == 'X';
  const std::string digits(body.substr(hexadecimal ? 2 : 1));
  const auto is_digit = [&](unsigned char c) { return hexadecimal ? std::isxdigit(c) : std::isdigit(c); };
  if (digits.empty() || digits.size() > 7 || !std::all_of(digits.begin(), digits.end(), is_digit))
    return std::nullopt;
  const auto code = static_cast<char32_t>(std::stoul(digits, nullptr, hexadecimal ? 16 : 10));
  if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return std::nullopt;
  return code;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text[at] == '&' ? text.find(';', at) : std::string_view::npos;
    if (end != std::string_view::npos && end - at <= 10) {
      if (const auto code = entity(text.substr(at + 1, end - at - 1))) {
        append(out, *code);
        at = end + 1;
        continue;
      }
    }
    out.push_back(text[at++]);
  }
  return out;
}

bool is_space(char32_t c) {
  return c == ' ' || (c >= 0x09 && c <= 0x0d) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
         (c >= 0x206a && c <= 0x206f);
}

char32_t straight(char32_t c) {
  if (c >= 0x2018 && c <= 0x201b) return U'\'';
  if (c >= 0x201c && c <= 0x201f) return U'"';
  return c;
}

}  // namespace

Result<std::string> clean_text(std::string_view text) {
  for (std::size_t at = 0, length = 0; at < text.size(); at += length) {
    length = utf8_character(text.substr(at));
    if (length == 0) return fail(ErrorKind::kInvalid, "prompt: byte " + std::to_string(at) + " is not UTF-8");
  }
  const std::string plain = unescape(unescape(text));
  std::string out;
  bool space = false;
  for (std::size_t at = 0; at < plain.size();) {
    const char32_t code = next_code(plain, at);
    if (is_space(code)) {
      space = true;
    } else if (!is_control(code)) {
      if (space && !out.empty()) out.push_back(' ');
      space = false;
      append(out, straight(code));
    }
  }
  return out;
}

Result<Tokenizer> Tokenizer::load(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return fail(ErrorKind::kNotFound, path + ": expected a tokenizer file, found " + kind_of_file(path));
  auto model = std::make_shared<sentencepiece::SentencePieceProcessor>();
  const auto status = model->Load(path);
  if (!status.ok())
    return fail(ErrorKind::kCorrupt, path + ": not a SentencePiece model: " + status.ToString());
  if (model->eos_id() < 0)
    return fail(ErrorKind::kCorrupt, path + ": the SentencePiece model has no </s> piece");
  Tokenizer tokenizer;
  tokenizer.model_ = std::move(model);
  return tokenizer;
}

Result<Tokens> Tokenizer::encode(std::string_view text, std::int64_t max_length) const {
  if (max_length < 1) return fail(ErrorKind::kInvalid, "prompt: a text length of at least 1 is needed");
  auto clean = clean_text(text);
  if (!clean) return tl::unexpected(clean.error());
  std::vector<int> ids;
  if (const auto status = model_->Encode(*clean, &ids); !status.ok())
    return fail(ErrorKind::kInvalid, "prompt: cannot be tokenised: " + status.ToString());
  Tokens tokens;
  const auto room = static_cast<std::size_t>(max_length - 1);
  tokens.truncated = ids.size() > room;
  tokens.needed = static_cast<std::int64_t>(ids.size()) + 1;
  ids.resize(std::min(ids.size(), room));
  tokens.ids.assign(ids.begin(), ids.end());
  tokens.ids.push_back(model_->eos_id());
  return tokens;
}

std::string Tokenizer::decode(const Tokens& tokens) const {
  std::string text;
  const auto status =
      model_->Decode(std::vector<int>(tokens.ids.begin(), std::prev(tokens.ids.end())), &text);
  return status.ok() ? text : std::string();
}

std::int64_t Tokenizer::vocabulary() const { return model_->GetPieceSize(); }

}  // namespace rushes::config
