#include "config/command_line.h"

#include <CLI/CLI.hpp>

#include "config/result.h"

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

template <typename Value>
Option Verb::option(const std::string& name, Value& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
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
}

CommandLine::~CommandLine() = default;

void CommandLine::version(const std::string& text) const { app_->set_version_flag("--version", text); }

Verb CommandLine::verb(const std::string& name, const std::string& help) const {
  app_->require_subcommand(1);
  app_->fallthrough();
  return Verb(app_->add_subcommand(name, help));
}

std::optional<int> CommandLine::parse(int count, const char* const* words) const {
  try {
    app_->parse(count, words);
  } catch (const CLI::ParseError& error) {
    return static_cast<int>(app_->exit(error) == 0 ? ExitCode::kOk : ExitCode::kUsage);
  }
  return std::nullopt;
}

}  // namespace rushes::config
