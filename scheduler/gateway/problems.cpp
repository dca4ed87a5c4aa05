// "file:line:column: key: message" lines of config/ readers as JSON.
#include <charconv>

#include "scheduler/gateway/json.h"

namespace rushes::scheduler {
namespace {

// Takes "NUMBER:" off the front of `rest`; 0 and nothing taken when there is none.
int take_number(std::string_view& rest) {
  int number = 0;
  const auto end = std::from_chars(rest.data(), rest.data() + rest.size(), number).ptr;
  const auto length = static_cast<std::size_t>(end - rest.data());
  if (length == 0 || length >= rest.size() || rest[length] != ':') return 0;
  rest.remove_prefix(length + 1);
  return number;
}

Json problem_json(std::string_view line) {
  Json problem{{"file", ""}, {"line", 0}, {"column", 0}, {"key", ""}, {"message", line}};
  // The file's name may hold colons: it ends where ":NUMBER:" begins.
  for (std::size_t colon = line.find(':'); colon != line.npos; colon = line.find(':', colon + 1)) {
    std::string_view rest = line.substr(colon + 1);
    const int number = take_number(rest);
    if (number == 0) continue;
    problem["file"] = line.substr(0, colon);
    problem["line"] = number;
    problem["column"] = take_number(rest);
    if (rest.starts_with(' ')) rest.remove_prefix(1);
    const std::size_t end = rest.find(": ");
    const std::string_view key = rest.substr(0, end == rest.npos ? 0 : end);
    if (!key.empty() && key.find(' ') == key.npos) {
      problem["key"] = key;
      rest.remove_prefix(end + 2);
    }
    problem["message"] = rest;
    break;
  }
  return problem;
}

}  // namespace

Json problems_json(const std::string& lines) {
  Json problems = Json::array();
  std::string_view rest = lines;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    if (end > 0) problems.push_back(problem_json(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {{"errors", std::move(problems)}};
}

}  // namespace rushes::scheduler
