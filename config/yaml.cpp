#include "config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "config/file_kind.h"

namespace rushes::config {
namespace {

struct Stop {};  // leaves yaml-cpp once a limit is broken; caught in parse_yaml

// Builds the tree and refuses what configuration files have no use for.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Problems& problems) : problems_(problems) {}
  YamlNode take_root() { return std::move(root_); }
  bool has_root() const { return has_root_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    problems_.add(mark.line + 1, mark.column + 1, "", "anchors are not supported, found '&" + name + "'");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    problems_.add(mark.line + 1, mark.column + 1, "", "aliases are not supported; write the value out");
    throw Stop{};
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { place(make(YamlNode::Kind::kNull, mark)); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    YamlNode node = make(YamlNode::Kind::kScalar, mark);
    node.quoted = tag == "!";
    if (!tag.empty() && tag != "!" && tag != "?") refuse_tag(mark, tag);
    node.text = value;
    if (!node.quoted && (value == "~" || value == "null")) node.kind = YamlNode::Kind::kNull;
    place(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::kList, mark, tag);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::kMap, mark, tag);
  }
  void OnMapEnd() override {
    refuse_duplicates(open_.back().node);
    close();
  }

 private:
  struct Open {
    YamlNode node;
    YamlNode key;
    bool has_key = false;
  };

  YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark) {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    if (++nodes_ > kMaxYamlNodes) {
      problems_.add(node, "", "the file has more than " + std::to_string(kMaxYamlNodes) + " values");
      throw Stop{};
    }
    return node;
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!")
      problems_.add(mark.line + 1, mark.column + 1, "", "tags are not supported, found '" + tag + "'");
  }
  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag) {
    refuse_tag(mark, tag);
    open_.push_back({make(kind, mark), {}, false});
    if (static_cast<int>(open_.size()) > kMaxYamlDepth) {
      problems_.add(open_.back().node, "", "nested deeper than " + std::to_string(kMaxYamlDepth) + " levels");
      throw Stop{};
    }
  }
  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    place(std::move(node));
  }
  void place(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      has_root_ = true;
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::kList) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.has_key) {
      parent.key = std::move(node);
      parent.has_key = true;
    } else {
      if (node.kind == YamlNode::Kind::kNull) {  // yaml-cpp places a missing value at the next token
        node.line = parent.key.line;
        node.column = parent.key.column;
      }
      parent.node.entries.push_back({std::move(parent.key), std::move(node)});
      parent.has_key = false;
    }
  }
  void refuse_duplicates(const YamlNode& map) {
    std::set<std::string> seen;
    for (const auto& [key, value] : map.entries) {
      if (key.kind != YamlNode::Kind::kScalar)
        problems_.add(key, "", mismatch("a word as key", key));
      else if (!seen.insert(key.text).second)
        problems_.add(key, key.text, "the key is written twice in one map; keep one of them");
    }
  }

  Problems& problems_;
  YamlNode root_;
  bool has_root_ = false;
  std::vector<Open> open_;
  std::size_t nodes_ = 0;
};

// Position of the first byte that is no UTF-8 (RFC 3629) or a NUL; npos when all is well.
std::size_t first_bad_byte(std::string_view text) {
  const auto continuation = [&](std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char lead = static_cast<unsigned char>(text[i]);
    const std::size_t extra = lead < 0x80                   ? 0
                              : lead >= 0xC2 && lead < 0xE0 ? 1
                              : (lead & 0xF0) == 0xE0       ? 2
                              : lead >= 0xF0 && lead < 0xF5 ? 3
                                                            : 4;
    if (lead == 0 || extra == 4) return i;
    for (std::size_t k = 1; k <= extra; ++k)
      if (!continuation(i + k)) return i;
    const unsigned char second = extra != 0 ? static_cast<unsigned char>(text[i + 1]) : 0;
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
      return i;
    i += extra + 1;
  }
  return std::string_view::npos;
}

void build(std::string_view text, TreeBuilder& builder, Problems& problems) {
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return;
    TreeBuilder rest(problems);
    if (parser.HandleNextDocument(rest))
      problems.add(1, 1, "", "expected one document, found several ('---')");
  } catch (const YAML::Exception& error) {
    problems.add(error.mark.line + 1, error.mark.column + 1, "", "not valid YAML: " + error.msg);
  } catch (const Stop&) {
  }
}

void check_version(const YamlNode& root, Problems& problems) {
  for (const auto& [key, value] : root.entries) {
    if (key.text != "version") continue;
    if (value.kind != YamlNode::Kind::kScalar || value.text != "1" || value.quoted)
      problems.add(value, "version", mismatch("1, the only version there is", value));
    return;
  }
  problems.add(root, "version", "expected 'version: 1', found no such key");
}

}  // namespace

void Problems::add(int line, int column, std::string_view key, std::string_view message) {
  if (++count_ > kMaxProblems) return;
  std::string text = file_ + ":" + std::to_string(line) + ":" + std::to_string(column) + ": ";
  if (!key.empty()) text += std::string(key) + ": ";
  text += message;
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  problems_.push_back({line, column, std::move(text)});
}

Error Problems::error() const {
  std::vector<Problem> sorted = problems_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Problem& a, const Problem& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  std::string message;
  for (const Problem& problem : sorted) message += (message.empty() ? "" : "\n") + problem.text;
  if (count_ > kMaxProblems)
    message += "\n" + file_ + ": and " + std::to_string(count_ - kMaxProblems) + " more problems";
  return {ErrorKind::kInvalid, std::move(message)};
}

Result<std::string> read_text(const std::filesystem::path& file, std::size_t limit) {
  std::error_code code;
  const auto status = std::filesystem::status(file, code);
  if (status.type() == std::filesystem::file_type::not_found)
    return fail(ErrorKind::kNotFound, file.string() + ": no such file");
  if (!std::filesystem::is_regular_file(status))
    return fail(ErrorKind::kInvalid, file.string() + ": expected a file, found " + kind_of_file(file));
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorKind::kInvalid, file.string() + ": cannot be read; check its permissions");
  std::string text(limit + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > limit)
    return fail(ErrorKind::kInvalid,
                file.string() + ": expected at most " + std::to_string(limit) + " bytes");
  return text;
}

YamlNode parse_yaml(std::string_view text, Problems& problems) {
  if (text.size() > kMaxYamlBytes) {
    problems.add(
        1, 1, "",
        "expected at most " + std::to_string(kMaxYamlBytes) + " bytes, found " + std::to_string(text.size()));
    return {};
  }
  if (const std::size_t bad = first_bad_byte(text); bad != std::string_view::npos) {
    const std::string_view before = text.substr(0, bad);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto column = bad - (before.find_last_of('\n') + 1) + 1;
    problems.add(static_cast<int>(line), static_cast<int>(column), "",
                 "expected UTF-8 text, found another byte");
    return {};
  }
  TreeBuilder builder(problems);
  build(text, builder, problems);
  YamlNode root = builder.take_root();
  if (!problems.empty()) return root;
  if (!builder.has_root() || root.kind == YamlNode::Kind::kNull)
    problems.add(1, 1, "", "expected a map with 'version: 1', found an empty file");
  else if (root.kind != YamlNode::Kind::kMap)
    problems.add(root, "", mismatch("a map with 'version: 1'", root));
  else
    check_version(root, problems);
  return root;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& words) {
  if (word.size() > 64) return {};
  std::string best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : words) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < least && distance < candidate.size()) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
    case YamlNode::Kind::kScalar:
      break;
  }
  return (node.quoted ? "the text '" : "'") +
         (node.text.size() > 60 ? node.text.substr(0, 60) + "..." : node.text) + "'";
}

std::string mismatch(std::string_view expected, const YamlNode& node) {
  return "expected " + std::string(expected) + ", found " + describe(node);
}

}  // namespace rushes::config
