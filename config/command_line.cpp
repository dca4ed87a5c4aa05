#include "config/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <type_traits>

#include "config/result.h"
#include "config/utf8.h"
#include "config/yaml.h"

namespace rushes::config {

Option Option::required() const {
  option_->required();
  return *this;
}

namespace {

// Of the check that a number's own type asks for; a range says more and takes its place.
constexpr const char* kNumber = "number";

std::string found(const std::string& value) {
  constexpr std::size_t kShown = 40;
  if (value.size() <= kShown) return ", found '" + value + "'";
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xC0) == 0x80) --end;  // never half a character
  return ", found '" + value.substr(0, end) + "...'";
}

template <typename Number>
std::optional<Number> number_of(const std::string& text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  if constexpr (std::is_floating_point_v<Number>)
    if (!std::isfinite(number)) return std::nullopt;
  return number;
}

// The library's own words for a number that it cannot read are those of its parser, and a number that is too large for
// the type may end as the largest one.
template <typename Number>
std::string wrong_number(const std::string& text) {
  if (number_of<Number>(text)) return "";
  if constexpr (std::is_floating_point_v<Number>) return "expected a number" + found(text);
  constexpr auto kLow = std::numeric_limits<Number>::min(), kHigh = std::numeric_limits<Number>::max();
  const bool digits =
      !text.empty() && text.find_first_not_of("0123456789", text[0] == '-' ? 1 : 0) == text.npos;
  if (!digits) return "expected a whole number" + found(text);
  return "expected a whole number from " + std::to_string(kLow) + " to " + std::to_string(kHigh) +
         found(text);
}

template <typename Number>
std::string outside(const std::string& text, Number low, Number high, const std::string& range) {
  const auto number = number_of<Number>(text);
  return number && *number >= low && *number <= high ? "" : "expected " + range + found(text);
}

void check_range(CLI::Option* option, std::function<std::string(const std::string&)> check,
                 const std::string& range) {
  option->get_validator(kNumber)->active(false);
  option->check(std::move(check), range);
}

// 0.5, not 0.500000
std::string plain(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", number);
  return text;
}

// "add, list or remove"
std::string choice_of(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  return text;
}

}  // namespace

Option Option::between(int low, int high) const {
  const std::string range = std::to_string(low) + " to " + std::to_string(high);
  check_range(
      option_,
      [=](const std::string& text) { return outside(text, low, high, "a whole number from " + range); },
      range);
  return *this;
}

Option Option::between(double low, double high) const {
  const std::string range = plain(low) + " to " + plain(high);
  check_range(
      option_, [=](const std::string& text) { return outside(text, low, high, "a number from " + range); },
      range);
  return *this;
}

Option Option::one_of(std::vector<std::string> words) const {
  const std::string choice = choice_of(words);
  option_->check(
      [words = std::move(words), choice](const std::string& text) {
        const bool known = std::find(words.begin(), words.end(), text) != words.end();
        return known ? "" : "expected " + choice + found(text);
      },
      choice);
  return *this;
}

Option Option::not_blank() const {
  option_->check([](const std::string& value) {
    return value.find_first_not_of(' ') == std::string::npos ? std::string("expected a value, found nothing")
                                                             : "";
  });
  return *this;
}

Option Option::comma_separated() const {
  option_->delimiter(',');
  return *this;
}

Option Option::shows_default() const {
  option_->capture_default_str();
  return *this;
}

Option Option::hidden() const {
  option_->group("");
  return *this;
}

Option Option::needs(Option other) const {
  option_->needs(other.option_);
  return *this;
}

Option Option::excludes(Option other) const {
  option_->excludes(other.option_);
  return *this;
}

namespace {

// `--note --dry-run` means the flag: taken as a note it would start what only a look was asked for.
std::string names_an_option(const CLI::App* app, const std::string& value) {
  if (value.size() < 2 || value[0] != '-') return "";
  for (; app != nullptr; app = app->get_parent())
    if (app->get_option_no_throw(value) != nullptr) return "expected a value, found the option " + value;
  return "";
}

}  // namespace

template <typename Value>
Option Verb::option(const std::string& name, Value& value, const std::string& help) const {
  auto* option = app_->add_option(name, value, help);
  // A list takes one value a mention: what stands behind it is the next word of the line.
  if (name.starts_with('-')) {
    option->allow_extra_args(false);
    option->check([app = app_](const std::string& text) { return names_an_option(app, text); });
  }
  if constexpr (std::is_arithmetic_v<Value>) option->check(wrong_number<Value>, "", kNumber);
  return Option(option);
}
template Option Verb::option(const std::string&, int&, const std::string&) const;
template Option Verb::option(const std::string&, long&, const std::string&) const;
template Option Verb::option(const std::string&, unsigned&, const std::string&) const;
template Option Verb::option(const std::string&, unsigned long&, const std::string&) const;
template Option Verb::option(const std::string&, float&, const std::string&) const;
template Option Verb::option(const std::string&, double&, const std::string&) const;
template Option Verb::option(const std::string&, std::string&, const std::string&) const;
template Option Verb::option(const std::string&, std::filesystem::path&, const std::string&) const;
template Option Verb::option(const std::string&, std::vector<std::string>&, const std::string&) const;
template Option Verb::option(const std::string&, std::vector<std::filesystem::path>&,
                             const std::string&) const;

Option Verb::flag(const std::string& name, bool& value, const std::string& help) const {
  return Option(app_->add_flag(name, value, help));
}

void Verb::then(std::function<void()> work) const { app_->callback(std::move(work)); }

CommandLine::CommandLine(const std::string& summary, const std::string& program)
    : Verb(nullptr), owned_(std::make_unique<CLI::App>(summary, program)) {
  app_ = owned_.get();
  app_->set_version_flag("--version", config::version());
}

CommandLine::~CommandLine() = default;

Verb CommandLine::verb(const std::string& name, const std::string& help) const {
  app_->require_subcommand(1);
  app_->fallthrough();
  return Verb(app_->add_subcommand(name, help));
}

// The first word that should be a verb and is none; empty: there is no such word.
std::string CommandLine::unknown_verb(int count, const char* const* words) const {
  const auto verbs = app_->get_subcommands([](CLI::App*) { return true; });
  for (int i = 1; i < count && !verbs.empty(); ++i) {
    const std::string word = words[i];
    if (word.starts_with('-')) {
      const auto* option = app_->get_option_no_throw(word);
      if (option != nullptr && option->get_expected_min() > 0) ++i;  // its value
      continue;
    }
    const bool known =
        std::any_of(verbs.begin(), verbs.end(), [&](CLI::App* verb) { return verb->check_name(word); });
    return known ? "" : word;
  }
  return "";
}

int CommandLine::refuse(const std::string& message, bool json) const {
  std::string line = message;
  std::replace(line.begin(), line.end(), '\n', ' ');
  if (json)
    std::fprintf(stderr, "%s\n", error_line("invalid", line).c_str());
  else
    std::fprintf(stderr, "%s: %s; --help says more\n", app_->get_name().c_str(), line.c_str());
  return static_cast<int>(ExitCode::kUsage);
}

namespace {

// The library's errors about how many values an option has, in words for people.
std::string plain_words(const CLI::ParseError& error) {
  const std::string text = error.what();
  const auto about = [&](const std::string& mark, const std::string& words) {
    const std::size_t at = text.find(mark);
    return at == text.npos ? std::string() : text.substr(0, at) + words;
  };
  for (const auto& [mark, words] :
       {std::pair(": At Most 1 required", ": expected one value, found several"),
        std::pair(": 1 required ", ": expected a value, found none"),
        std::pair(" was given a disallowed flag override", ": expected no value behind it")})
    if (std::string plain = about(mark, words); !plain.empty()) return plain;
  constexpr std::string_view kConvert =
      "Could not convert: ";  // of a flag: numbers have a check of their own
  if (text.starts_with(kConvert))
    return text.substr(kConvert.size(), text.find(" = ") - kConvert.size()) + ": expected no value behind it";
  return text;
}

}  // namespace

std::optional<int> CommandLine::parse(int count, const char* const* words) const {
  if (app_->get_name().empty() && count > 0) app_->name(std::filesystem::path(words[0]).filename().string());
  bool json = false;
  for (int i = 1; i < count; ++i) json = json || std::string_view(words[i]) == "--json";
  for (int i = 1; i < count; ++i)
    if (!is_utf8(words[i]))
      return refuse("word " + std::to_string(i) + " of the command line is not UTF-8", json);
  try {
    app_->parse(count, words);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app_->exit(error);
      return static_cast<int>(ExitCode::kOk);
    }
    const std::string word = unknown_verb(count, words);
    if (word.empty()) return refuse(plain_words(error), json);
    std::vector<std::string> verbs;
    for (const auto* verb : app_->get_subcommands([](const CLI::App*) { return true; }))
      verbs.push_back(verb->get_name());
    const std::string near = nearest(word, verbs);
    return refuse("there is no verb '" + word + "'" + (near.empty() ? "" : "; did you mean '" + near + "'?"),
                  json);
  } catch (const std::exception& error) {  // of a conversion
    return refuse(error.what(), json);
  }
  return std::nullopt;
}

std::string version() { return RUSHES_VERSION; }

std::string error_line(std::string_view kind, std::string_view message) {
  std::string text = "{\"error\": {\"kind\": \"" + std::string(kind) + "\", \"message\": \"";
  for (const char c : message) {
    if (c == '"' || c == '\\') text += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) {
      text += c;
      continue;
    }
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
    text += escaped;
  }
  return text + "\"}}";
}

}  // namespace rushes::config
