#include "config/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "config/result.h"
#include "config/utf8.h"
#include "config/yaml.h"

namespace rushes::config {

Option Option::required() const {
  option_->required();
  return *this;
}

Option Option::between(int low, int high) const {
  option_->check(CLI::Range(low, high));
  return *this;
}

Option Option::between(double low, double high) const {
  option_->check(CLI::Range(low, high));
  return *this;
}

Option Option::one_of(std::vector<std::string> words) const {
  option_->check(CLI::IsMember(std::move(words)));
  return *this;
}

Option Option::not_blank() const {
  option_->check([](const std::string& value) {
    return value.find_first_not_of(' ') == std::string::npos ? std::string("expected words, found nothing")
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
    if (word.empty()) return refuse(error.what(), json);
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
