#include "config/endpoint.h"

#include <algorithm>
#include <charconv>

namespace rushes::config {

bool is_endpoint(std::string_view text) {
  constexpr std::string_view kScheme = "tcp://";
  const std::size_t colon = text.rfind(':');
  if (!text.starts_with(kScheme) || colon == std::string_view::npos || colon < kScheme.size() + 1)
    return false;
  const std::string_view host = text.substr(kScheme.size(), colon - kScheme.size());
  const std::string_view port = text.substr(colon + 1);
  int number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool bracketed = host.front() == '[' && host.back() == ']' && host.size() > 2;
  const bool good_host = std::all_of(host.begin(), host.end(), [&](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || (host == "*") ||
           (bracketed && (c == ':' || c == '[' || c == ']'));
  });
  return good_host && error == std::errc{} && end == port.data() + port.size() && number >= 1 &&
         number <= 65535;
}

void read_endpoint(Fields& fields, std::string_view key, std::string& out) {
  std::string text;
  if (!fields.text(key, text, 300)) return;
  if (is_endpoint(text))
    out = text;
  else
    fields.problem(key, "expected tcp://HOST:PORT such as tcp://127.0.0.1:7401, found '" + text + "'");
}

void read_paths(Fields& fields, std::string_view key, std::vector<std::filesystem::path>& out,
                const std::filesystem::path& folder) {
  fields.list(key, 64, "a list of folders", [&](const YamlNode& item, const std::string& path) {
    std::string written;
    if (!read_text_value(item, written, 1024).ok || written.empty())
      fields.problems().add(item, path, mismatch("a folder", item));
    else
      out.push_back((folder / written).lexically_normal());
  });
  const YamlNode* node = fields.find(key);
  if (node != nullptr && node->kind == YamlNode::Kind::kList && node->items.empty())
    fields.problem(key, "expected at least one folder, found an empty list");
}

}  // namespace rushes::config
