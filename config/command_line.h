// The command line of a program: options, flags and verbs, with --help, over CLI11.
//
// CLI11 is a header that takes ten seconds to compile; only command_line.cpp includes it. What a person wrote
// is checked here: types, ranges and words; words that are no UTF-8 are refused. A wrong line is explained on stderr, as
// JSON where the line has --json. Every program has --version, and names the nearest verb to one that it does not have.
//
// Thread contract: main() only. The values must outlive the CommandLine.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace rushes::config {

// An option that was added; it is narrowed by its methods.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option required() const;
  Option between(int low, int high) const;  // inclusive
  Option between(double low, double high) const;
  Option one_of(std::vector<std::string> words) const;
  Option not_blank() const;  // has words
  Option comma_separated() const;
  Option shows_default() const;  // in --help
  Option hidden() const;         // from --help
  Option needs(Option other) const;
  Option excludes(Option other) const;

 private:
  CLI::Option* option_;
};

class Verb {
 public:
  explicit Verb(CLI::App* app) : app_(app) {}

  // "--name" takes a value, "NAME" is a place on the line. The value's type is one of int, long, unsigned,
  // unsigned long, float, double, std::string, std::filesystem::path and vectors of the last two.
  template <typename Value>
  Option option(const std::string& name, Value& value, const std::string& help = "") const;
  Option flag(const std::string& name, bool& value, const std::string& help) const;
  void then(std::function<void()> work) const;  // called when the line holds this verb

 protected:
  CLI::App* app_;
};

class CommandLine : public Verb {
 public:
  // `program` is the name in --help; empty: as it was called.
  explicit CommandLine(const std::string& summary, const std::string& program = "");
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // A line with verbs holds one of them; options of the program may stand behind it.
  Verb verb(const std::string& name, const std::string& help) const;

  // Fills the values. The exit code to end with after --help or a wrong line; nothing: go on.
  std::optional<int> parse(int count, const char* const* words) const;

 private:
  int refuse(const std::string& message, bool json) const;
  std::string unknown_verb(int count, const char* const* words) const;

  std::unique_ptr<CLI::App> owned_;
};

std::string version();  // of all programs: they are built together
// "Bad request" in the form of an error of the farm, for programs that were asked for JSON: {"error": {...}} on one line.
std::string error_line(std::string_view kind, std::string_view message);

}  // namespace rushes::config
