#include "scheduler/gateway/body.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>

#include "config/shot.h"
#include "storage/records/text.h"

namespace rushes::scheduler {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kMaxShown = 64;  // bytes of a wrong value in a message

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kMaxShown) return text;
  std::size_t end = kMaxShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // never half a character
  return text.substr(0, end) + "...";
}

// A whole number 0..2^32-1.
Result<std::uint32_t> small_number(const Json& value, const std::string& key) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 0xffffffffu)
    return fail(ErrorKind::kInvalid, key + ": expected a whole number, found " + shown(value));
  return value.get<std::uint32_t>();
}

// Text of one line, without control characters: other people's terminals show it.
bool is_line(const Json& value, std::size_t most) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return text.size() <= most && is_clean_text(text) && text.find_first_of("\n\t") == text.npos;
}

bool is_prompt(const Json& value) {
  return is_line(value, config::kMaxPrompt) &&
         value.get_ref<const std::string&>().find_first_not_of(' ') != std::string::npos;
}

}  // namespace

Result<Json> read_body(std::string_view body) {
  if (body.empty()) return Json::object();
  bool deep = false;
  const auto shallow = [&deep](int depth, Json::parse_event_t, const Json&) {
    deep = deep || depth > kMaxBodyDepth;
    return !deep;  // what lies deeper is dropped while it is read
  };
  Json json = Json::parse(body, shallow, false);
  if (deep)
    return fail(ErrorKind::kInvalid, "the body: expected at most " + std::to_string(kMaxBodyDepth) +
                                         " levels of lists and objects");
  if (json.is_discarded() || !json.is_object())
    return fail(ErrorKind::kInvalid, "the body: expected a JSON object");
  return json;
}

Result<std::uint32_t> read_approve(std::string_view body) {
  const auto json = read_body(body);
  if (!json) return tl::unexpected<Error>(json.error());
  return small_number(json->value("take", Json(nullptr)), "take");
}

Result<bool> read_dry_run(std::string_view body) {
  const auto json = read_body(body);
  if (!json) return tl::unexpected<Error>(json.error());
  bool dry_run = false;
  for (const auto& [key, value] : json->items()) {
    if (key != "dry_run")
      return fail(ErrorKind::kInvalid, "unknown key " + shown(Json(key)) + "; expected dry_run");
    if (!value.is_boolean())
      return fail(ErrorKind::kInvalid, "dry_run: expected true or false, found " + shown(value));
    dry_run = value.get<bool>();
  }
  return dry_run;
}

Result<event::Retry> read_retry(std::string_view body) {
  const auto json = read_body(body);
  if (!json) return tl::unexpected<Error>(json.error());
  event::Retry retry;
  for (const auto& [key, value] : json->items()) {
    if (key == "take") {
      const auto take = small_number(value, key);
      if (!take) return tl::unexpected<Error>(take.error());
      retry.take = *take;
    } else if (key == "note") {
      if (!is_line(value, kMaxNote))
        return fail(ErrorKind::kInvalid, "note: expected one line of words, at most " +
                                             std::to_string(kMaxNote) + " bytes of text");
      retry.note = value.get<std::string>();
    } else if (key == "seed") {
      if (!value.is_number_unsigned() || value.get<std::uint64_t>() > std::uint64_t{config::kMaxSeed})
        return fail(ErrorKind::kInvalid, "seed: expected a whole number up to " +
                                             std::to_string(config::kMaxSeed) + ", found " + shown(value));
      retry.seed = value.get<std::uint64_t>();
    } else if (key == "prompt") {
      if (!is_prompt(value))
        return fail(ErrorKind::kInvalid, "prompt: expected one line of words, at most " +
                                             std::to_string(config::kMaxPrompt) + " bytes of text");
      retry.prompt = value.get<std::string>();
    } else if (key == "dry_run") {
      if (!value.is_boolean())
        return fail(ErrorKind::kInvalid, "dry_run: expected true or false, found " + shown(value));
      retry.dry_run = value.get<bool>();
    } else if (key == "windows") {
      if (!value.is_array() || value.size() > 10'000)
        return fail(ErrorKind::kInvalid, "windows: expected a list of window numbers");
      for (const auto& entry : value) {
        const auto window = small_number(entry, key);
        if (!window) return tl::unexpected<Error>(window.error());
        retry.windows.push_back(*window);
      }
    } else {
      return fail(ErrorKind::kInvalid, "unknown key " + shown(Json(key)) +
                                           "; known are windows, take, seed, prompt, note and dry_run");
    }
  }
  return retry;
}

Result<Submission> read_submission(std::string_view body, bool json) {
  if (!json) return Submission{std::string(body), {}, {}};
  const auto fields = read_body(body);
  if (!fields) return tl::unexpected<Error>(fields.error());
  Submission sent;
  for (const auto& [key, value] : fields->items()) {
    if (key == "pictures" && value.is_object()) {
      for (const auto& [path, name] : value.items()) {
        const auto digest = digest_from_hex(name.is_string() ? name.get_ref<const std::string&>() : "");
        if (!digest) return fail(ErrorKind::kInvalid, "pictures: expected {\"PATH\": \"64 hex digits\"}");
        sent.pictures[std::filesystem::path(path).lexically_normal().generic_string()] = *digest;
      }
    } else if ((key == "yaml" || key == "file") && value.is_string()) {
      (key == "yaml" ? sent.text : sent.file) = value.get<std::string>();
    } else {
      return fail(ErrorKind::kInvalid,
                  shown(Json(key)) + ": expected the texts yaml and file, and the map pictures");
    }
  }
  return sent;
}

std::string shown_name(std::string_view name) {
  constexpr std::size_t kMost = 120;
  std::string shown = one_line(clean_text(name, kMost, true), kMost);
  return name.size() > kMost ? "…" + shown : shown;
}

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'                           ? c - '0'
           : std::isxdigit(static_cast<unsigned char>(c)) ? (c | 0x20) - 'a' + 10
                                                          : -1;
  };
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool coded =
        text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    decoded += coded ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
    if (coded) i += 2;
  }
  return decoded;
}

Result<TakeChoice> read_take_choice(const std::string& kind, const std::string& take,
                                    const std::string& version) {
  constexpr std::uint64_t kMost = 1u << 20;
  TakeChoice choice;
  if (kind == "master")
    choice.kind = TakeKind::kMaster;
  else if (kind == "proxy")
    choice.kind = TakeKind::kProxy;
  else if (!kind.empty() && kind != "draft")
    return fail(ErrorKind::kInvalid, "kind: expected draft, master or proxy");
  const auto number = number_of(take.empty() ? "0" : take),
             wanted = number_of(version.empty() ? "0" : version);
  if (!number || *number > kMost || (!take.empty() && *number == 0))
    return fail(ErrorKind::kInvalid, "take: expected a number from 1");
  if (!wanted || *wanted > kMost) return fail(ErrorKind::kInvalid, "version: expected a number from 0");
  choice.take = static_cast<std::uint32_t>(*number);
  if (!version.empty()) choice.version = static_cast<std::uint32_t>(*wanted);
  return choice;
}

Result<VersionChoice> read_choice(std::string_view body) {
  const auto json = read_body(body);
  if (!json) return tl::unexpected<Error>(json.error());
  const auto take = small_number(json->value("take", Json(nullptr)), "take");
  if (!take) return tl::unexpected<Error>(take.error());
  VersionChoice choice{*take, {}};
  if (!json->contains("version")) return choice;
  const auto version = small_number(json->at("version"), "version");
  if (!version) return tl::unexpected<Error>(version.error());
  choice.version = *version;
  return choice;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::string> plain_text(std::string value, std::size_t most) {
  if (value.size() > most) return std::nullopt;
  for (const char c : value)
    if (c < 0x20 || c > 0x7e) return std::nullopt;
  return value;
}

}  // namespace rushes::scheduler
