// A small strict YAML reader over yaml-cpp: the one way in which configuration files are read.
//
// The text becomes a tree of nodes that know their line and column; anchors, aliases, tags, duplicate keys,
// several documents, too much depth or too many nodes are errors. Readers then ask a `Fields` for keys one by
// one; what was never asked for is an unknown key, and the error names the nearest key that was. All problems
// of a file are collected in `Problems`; a file with any problem is refused whole.
//
// Every problem is one line: FILE:LINE:COLUMN: KEY: expected WHAT, found WHAT; HINT
//
// Thread contract: plain values and pure functions; one file is read by one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/result.h"

namespace rushes::config {

inline constexpr std::size_t kMaxYamlBytes = 1024 * 1024;
inline constexpr int kMaxYamlDepth = 16;
inline constexpr std::size_t kMaxYamlNodes = 200'000;
inline constexpr std::size_t kMaxProblems = 50;  // further ones are counted, not listed

struct YamlEntry;  // of a map

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  bool quoted = false;             // a quoted scalar is text, never a number
  int line = 0, column = 0;        // 1-based
  std::string text;                // of a scalar
  std::vector<YamlNode> items;     // of a list
  std::vector<YamlEntry> entries;  // of a map, in the file's order
};

struct YamlEntry {
  YamlNode key, value;
};

class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}
  void add(int line, int column, std::string_view key, std::string_view message);
  void add(const YamlNode& node, std::string_view key, std::string_view message) {
    add(node.line, node.column, key, message);
  }
  bool empty() const { return count_ == 0; }
  std::size_t count() const { return count_; }
  const std::string& file() const { return file_; }
  // From now on the paths of all keys that readers ask for are added to `keys`: what a file may hold.
  void collect_keys(std::set<std::string>* keys) { keys_ = keys; }
  void asked(const std::string& path) {
    if (keys_ != nullptr) keys_->insert(path);
  }
  Error error() const;  // kInvalid; the problems in the order of lines, one per line

 private:
  struct Problem {
    int line, column;
    std::string text;
  };
  std::string file_;
  std::vector<Problem> problems_;
  std::size_t count_ = 0;
  std::set<std::string>* keys_ = nullptr;
};

// The file's text, at most `limit` bytes. Error: kNotFound, kInvalid (too large, a folder, unreadable).
Result<std::string> read_text(const std::filesystem::path& file, std::size_t limit = kMaxYamlBytes);

// The document's root, which must be a map that holds `version: 1`. Syntax errors and everything the top of
// this file forbids go into `problems`; then the root may be incomplete and must not be used.
YamlNode parse_yaml(std::string_view text, Problems& problems);

// Of the words, the one nearest to `word` by edit distance, if it is near enough to be a slip (<= 1/3 of its
// length, at least 2); otherwise empty.
std::string nearest(std::string_view word, const std::vector<std::string>& words);
std::size_t edit_distance(std::string_view a, std::string_view b);

// "text 'abc'", "a list", "a map", "nothing": how messages name what was found.
std::string describe(const YamlNode& node);

// One map of the document. Ask for every key it may have, then call finish().
class Fields {
 public:
  // `path` is the key path in messages ("shots[2].upgrade"), empty at the root. A node that is no map is a
  // problem.
  Fields(const YamlNode& node, std::string path, Problems& problems);

  // The value, or nullptr when the key is absent. require() makes absence a problem.
  const YamlNode* find(std::string_view key);
  const YamlNode* require(std::string_view key, std::string_view expected);

  // Each reads KEY into `out` when it is there and right; a wrong value is a problem and leaves `out` alone.
  // They return whether `out` was set.
  bool text(std::string_view key, std::string& out, std::size_t max_bytes = 4096);
  bool name(std::string_view key, std::string& out);  // [A-Za-z0-9][A-Za-z0-9_-]{0,63}
  bool flag(std::string_view key, bool& out);         // true | false
  bool integer(std::string_view key, std::int64_t& out, std::int64_t min, std::int64_t max);
  bool integer(std::string_view key, int& out, int min, int max);
  bool number(std::string_view key, double& out, double min, double max);
  bool duration(std::string_view key, std::chrono::milliseconds& out, std::chrono::milliseconds min,
                std::chrono::milliseconds max);  // "2 s", "250 ms", "5 min", "1 h", "7 days"
  bool size(std::string_view key, std::uint64_t& out, std::uint64_t min,
            std::uint64_t max);  // "64 KiB", "2 GiB"
  bool path(std::string_view key, std::filesystem::path& out, const std::filesystem::path& folder);
  // The index into `words` of the value.
  bool choice(std::string_view key, int& out, const std::vector<std::string>& words);

  // Calls `each` for every item of the list KEY; a value that is no list, or a longer one, is a problem.
  void list(std::string_view key, std::size_t max_items, std::string_view expected,
            const std::function<void(const YamlNode& item, const std::string& path)>& each);
  // Calls `read` with the fields of the map KEY, then finishes it.
  void map(std::string_view key, const std::function<void(Fields& fields)>& read);

  bool has(std::string_view key) const;
  void problem(std::string_view key,
               std::string_view message);  // at KEY's value, or at the map if it is absent
  void finish();                           // unknown keys become problems

  const std::string& path() const { return path_; }
  std::string path_of(std::string_view key) const;
  const YamlNode& node() const { return node_; }
  Problems& problems() { return problems_; }

 private:
  const YamlNode* scalar(std::string_view key, std::string_view expected);
  const YamlNode& node_;
  std::string path_;
  Problems& problems_;
  std::vector<std::string> known_;
};

// Readers of single scalars, shared by Fields and by lists of scalars. Empty message = right.
struct Reading {
  bool ok = false;
  std::string expected;  // when not ok
};
Reading read_integer(const YamlNode& node, std::int64_t& out, std::int64_t min, std::int64_t max);
Reading read_number(const YamlNode& node, double& out, double min, double max);
Reading read_name(const YamlNode& node, std::string& out);
Reading read_text_value(const YamlNode& node, std::string& out, std::size_t max_bytes);

// "expected EXPECTED, found FOUND".
std::string mismatch(std::string_view expected, const YamlNode& node);

}  // namespace rushes::config
