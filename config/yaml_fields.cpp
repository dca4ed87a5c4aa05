// Fields: typed access to one map of a YAML tree.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <sstream>

#include "config/yaml.h"

namespace rushes::config {
namespace {

using Units = std::vector<std::pair<std::string_view, double>>;
const Units kTimeUnits{{"ms", 1}, {"s", 1e3}, {"min", 6e4}, {"h", 3.6e6}, {"days", 8.64e7}, {"day", 8.64e7}};
const Units kSizeUnits{
    {"B", 1}, {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}};

template <typename Number>
bool whole_text(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

std::string plain(double value) {
  std::ostringstream out;
  out.precision(12);
  out << value;
  return out.str();
}

// "2.5 GiB" in the smallest unit; nothing when it is not a number and a unit.
std::optional<double> quantity(const YamlNode& node, const Units& units) {
  if (node.kind != YamlNode::Kind::kScalar || node.quoted) return std::nullopt;
  const std::string_view text = node.text;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  double value = 0;
  if (!whole_text(text.substr(0, digits), value)) return std::nullopt;
  std::string_view unit = text.substr(digits);
  unit.remove_prefix(std::min(unit.find_first_not_of(' '), unit.size()));
  for (const auto& [word, factor] : units)
    if (word == unit) return value * factor;
  return std::nullopt;
}

// A value in the largest unit that divides it: "64 KiB".
std::string in_units(double value, const Units& units) {
  auto best = units.front();
  for (const auto& unit : units)
    if (unit.first != "day" && value >= unit.second && std::fmod(value, unit.second) == 0) best = unit;
  return plain(value / best.second) + " " + std::string(best.first);
}

bool good_name(std::string_view text) {
  const auto alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  };
  return !text.empty() && text.size() <= 64 && alphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return alphanumeric(c) || c == '_' || c == '-'; });
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

Reading read_integer(const YamlNode& node, std::int64_t& out, std::int64_t min, std::int64_t max) {
  std::int64_t value = 0;
  if (node.kind == YamlNode::Kind::kScalar && !node.quoted &&
      whole_text(std::string_view(node.text), value) && value >= min && value <= max) {
    out = value;
    return {true, {}};
  }
  return {false, "a whole number from " + std::to_string(min) + " to " + std::to_string(max)};
}

Reading read_number(const YamlNode& node, double& out, double min, double max) {
  double value = 0;
  if (node.kind == YamlNode::Kind::kScalar && !node.quoted &&
      whole_text(std::string_view(node.text), value) && value >= min && value <= max) {
    out = value;
    return {true, {}};
  }
  return {false, "a number from " + plain(min) + " to " + plain(max)};
}

Reading read_name(const YamlNode& node, std::string& out) {
  if (node.kind == YamlNode::Kind::kScalar && good_name(node.text)) {
    out = node.text;
    return {true, {}};
  }
  return {false, "a name of at most 64 letters, digits, '_' and '-' that starts with a letter or digit"};
}

Reading read_text_value(const YamlNode& node, std::string& out, std::size_t max_bytes) {
  const bool printable = std::none_of(node.text.begin(), node.text.end(),
                                      [](unsigned char c) { return (c < 0x20 && c != '\n') || c == 0x7F; });
  if (node.kind == YamlNode::Kind::kScalar && node.text.size() <= max_bytes && printable) {
    out = node.text;
    return {true, {}};
  }
  return {false, "text of at most " + std::to_string(max_bytes) + " bytes without control characters"};
}

Fields::Fields(const YamlNode& node, std::string path, Problems& problems)
    : node_(node), path_(std::move(path)), problems_(problems) {
  if (node.kind != YamlNode::Kind::kMap) problems_.add(node, path_, mismatch("a map", node));
}

std::string Fields::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const YamlNode* Fields::find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  problems_.asked(path_of(key));
  for (const auto& [name, value] : node_.entries)
    if (name.text == key) return &value;
  return nullptr;
}

const YamlNode* Fields::require(std::string_view key, std::string_view expected) {
  const YamlNode* value = find(key);
  if (value == nullptr && node_.kind == YamlNode::Kind::kMap)
    problems_.add(node_, path_of(key), "expected " + std::string(expected) + ", found no such key");
  return value;
}

bool Fields::has(std::string_view key) const {
  return std::any_of(node_.entries.begin(), node_.entries.end(),
                     [&](const auto& entry) { return entry.key.text == key; });
}

void Fields::problem(std::string_view key, std::string_view message) {
  const YamlNode* value = find(key);
  problems_.add(value != nullptr ? *value : node_, path_of(key), message);
}

bool Fields::text(std::string_view key, std::string& out, std::size_t max_bytes) {
  const YamlNode* value = find(key);
  if (value == nullptr) return false;
  const Reading reading = read_text_value(*value, out, max_bytes);
  if (!reading.ok) problem(key, mismatch(reading.expected, *value));
  return reading.ok;
}

bool Fields::name(std::string_view key, std::string& out) {
  const YamlNode* value = find(key);
  if (value == nullptr) return false;
  const Reading reading = read_name(*value, out);
  if (!reading.ok) problem(key, mismatch(reading.expected, *value));
  return reading.ok;
}

bool Fields::flag(std::string_view key, bool& out) {
  const YamlNode* value = find(key);
  if (value == nullptr) return false;
  if (value->kind != YamlNode::Kind::kScalar || value->quoted ||
      (value->text != "true" && value->text != "false")) {
    problem(key, mismatch("true or false", *value));
    return false;
  }
  out = value->text == "true";
  return true;
}

bool Fields::integer(std::string_view key, std::int64_t& out, std::int64_t min, std::int64_t max) {
  const YamlNode* value = find(key);
  if (value == nullptr) return false;
  const Reading reading = read_integer(*value, out, min, max);
  if (!reading.ok) problem(key, mismatch(reading.expected, *value));
  return reading.ok;
}

bool Fields::integer(std::string_view key, int& out, int min, int max) {
  std::int64_t wide = 0;
  if (!integer(key, wide, std::int64_t{min}, std::int64_t{max})) return false;
  out = static_cast<int>(wide);
  return true;
}

bool Fields::number(std::string_view key, double& out, double min, double max) {
  const YamlNode* value = find(key);
  if (value == nullptr) return false;
  const Reading reading = read_number(*value, out, min, max);
  if (!reading.ok) problem(key, mismatch(reading.expected, *value));
  return reading.ok;
}

bool Fields::duration(std::string_view key, std::chrono::milliseconds& out, std::chrono::milliseconds min,
                      std::chrono::milliseconds max) {
  const YamlNode* value = find(key);
  if (value == nullptr) return false;
  const auto low = static_cast<double>(min.count()), high = static_cast<double>(max.count());
  const auto milliseconds = quantity(*value, kTimeUnits);
  if (!milliseconds || *milliseconds < low || *milliseconds > high) {
    problem(key, mismatch("a time from " + in_units(low, kTimeUnits) + " to " + in_units(high, kTimeUnits) +
                              " with its unit (ms, s, min, h, days)",
                          *value));
    return false;
  }
  out = std::chrono::milliseconds(std::llround(*milliseconds));
  return true;
}

bool Fields::size(std::string_view key, std::uint64_t& out, std::uint64_t min, std::uint64_t max) {
  const YamlNode* value = find(key);
  if (value == nullptr) return false;
  const auto low = static_cast<double>(min), high = static_cast<double>(max);
  const auto bytes = quantity(*value, kSizeUnits);
  if (!bytes || *bytes < low || *bytes > high) {
    problem(key, mismatch("a size from " + in_units(low, kSizeUnits) + " to " + in_units(high, kSizeUnits) +
                              " with its unit (B, KiB, MiB, GiB, TiB)",
                          *value));
    return false;
  }
  out = static_cast<std::uint64_t>(*bytes);
  return true;
}

bool Fields::path(std::string_view key, std::filesystem::path& out, const std::filesystem::path& folder) {
  std::string written;
  const YamlNode* value = find(key);
  if (value == nullptr) return false;
  if (!read_text_value(*value, written, 1024).ok || written.empty()) {
    problem(key, mismatch("a path", *value));
    return false;
  }
  out = (folder / written).lexically_normal();
  return true;
}

bool Fields::choice(std::string_view key, int& out, const std::vector<std::string>& words) {
  const YamlNode* value = find(key);
  if (value == nullptr) return false;
  const auto found = std::find(words.begin(), words.end(), value->text);
  if (value->kind == YamlNode::Kind::kScalar && found != words.end()) {
    out = static_cast<int>(found - words.begin());
    return true;
  }
  std::string message = mismatch((words.size() > 1 ? "one of " : "") + joined(words), *value);
  if (const std::string guess = nearest(value->text, words); !guess.empty())
    message += "; did you mean '" + guess + "'?";
  problem(key, message);
  return false;
}

void Fields::list(std::string_view key, std::size_t max_items, std::string_view expected,
                  const std::function<void(const YamlNode& item, const std::string& path)>& each) {
  const YamlNode* value = find(key);
  if (value == nullptr) return;
  if (value->kind != YamlNode::Kind::kList) {
    problem(key, mismatch(expected, *value));
    return;
  }
  if (value->items.size() > max_items) {
    problem(key, "expected at most " + std::to_string(max_items) + " entries, found " +
                     std::to_string(value->items.size()));
    return;
  }
  for (std::size_t i = 0; i < value->items.size(); ++i)
    each(value->items[i], path_of(key) + "[" + std::to_string(i) + "]");
}

void Fields::map(std::string_view key, const std::function<void(Fields& fields)>& read) {
  const YamlNode* value = find(key);
  if (value == nullptr) return;
  Fields fields(*value, path_of(key), problems_);
  if (value->kind != YamlNode::Kind::kMap) return;
  read(fields);
  fields.finish();
}

void Fields::finish() {
  for (const auto& [key, value] : node_.entries) {
    if (key.kind != YamlNode::Kind::kScalar) continue;
    if (std::find(known_.begin(), known_.end(), key.text) != known_.end()) continue;
    const std::string guess = nearest(key.text, known_);
    problems_.add(key, path_of(key.text),
                  guess.empty() ? "unknown key; the keys here are " + joined(known_)
                                : "unknown key; did you mean '" + guess + "'?");
  }
}

}  // namespace rushes::config
