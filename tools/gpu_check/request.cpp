#include "tools/gpu_check/request.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <stdexcept>

namespace rushes::gpu_check {

namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

std::string written(double value) {
  if (!std::isfinite(value)) return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

template <typename Number>
Number parsed(const std::string& name, const std::string& text) {
  Number value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size())
    throw std::invalid_argument(name + ": expected a number, found '" + text + "'");
  return value;
}

}  // namespace

Request Request::parse(const std::string& line) {
  Request request;
  std::istringstream words(line);
  words >> request.verb_;
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) throw std::invalid_argument("expected name=value, found '" + word + "'");
    request.fields_[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return request;
}

const std::string& Request::text(const std::string& name) const {
  const auto found = fields_.find(name);
  if (found == fields_.end()) throw std::invalid_argument(verb_ + ": " + name + "= is missing");
  return found->second;
}

std::string Request::text(const std::string& name, const std::string& otherwise) const {
  return fields_.contains(name) ? fields_.at(name) : otherwise;
}

std::int64_t Request::number(const std::string& name) const { return parsed<std::int64_t>(name, text(name)); }

std::int64_t Request::number(const std::string& name, std::int64_t otherwise) const {
  return fields_.contains(name) ? number(name) : otherwise;
}

double Request::real(const std::string& name) const { return parsed<double>(name, text(name)); }

std::vector<double> Request::reals(const std::string& name) const {
  std::vector<double> values;
  std::istringstream parts(text(name));
  for (std::string part; std::getline(parts, part, ',');) values.push_back(parsed<double>(name, part));
  return values;
}

Reply& Reply::put(const std::string& name, const std::string& value) {
  text_ += (text_.empty() ? "{" : ", ") + quoted(name) + ": " + value;
  return *this;
}

Reply& Reply::add(const std::string& name, double value) { return put(name, written(value)); }
Reply& Reply::add(const std::string& name, std::int64_t value) { return put(name, std::to_string(value)); }
Reply& Reply::add(const std::string& name, bool value) { return put(name, value ? "true" : "false"); }
Reply& Reply::add(const std::string& name, const std::string& value) { return put(name, quoted(value)); }
Reply& Reply::add(const std::string& name, const Reply& value) { return put(name, value.text()); }

Reply& Reply::add(const std::string& name, const std::vector<double>& values) {
  std::string list;
  for (const double value : values) list += (list.empty() ? "" : ", ") + written(value);
  return put(name, "[" + list + "]");
}

Reply& Reply::add(const std::string& name, const std::vector<Reply>& values) {
  std::string list;
  for (const Reply& value : values) list += (list.empty() ? "" : ", ") + value.text();
  return put(name, "[" + list + "]");
}

}  // namespace rushes::gpu_check
