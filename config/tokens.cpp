#include "config/tokens.h"

#include <array>
#include <set>

#include "config/instant.h"
#include "config/worker_name.h"
#include "config/yaml.h"

namespace rushes::config {

namespace {

constexpr std::array<std::string_view, 5> kRoles{"viewer", "guest", "artist", "supervisor", "admin"};

bool is_plain_name(const std::string& text) {
  YamlNode node;
  node.kind = YamlNode::Kind::kScalar;
  node.text = text;
  std::string ignored;
  return read_name(node, ignored).ok;
}

bool is_shot_key(const std::string& text) {
  const auto slash = text.find('/');
  return slash != text.npos && is_plain_name(text.substr(0, slash)) && is_plain_name(text.substr(slash + 1));
}

Token read_token(Fields& fields) {
  Token token;
  int role = 0;
  for (const char* key : {"name", "role", "digest"}) fields.require(key, "a value");
  if (fields.text("name", token.name, kMaxWorkerName) && !is_worker_name(token.name))
    fields.problem("name",
                   "expected a name of letters, digits, '.', '_' and '-', such as ann or host.example.com");
  const bool has_role = fields.choice("role", role, {kRoles.begin(), kRoles.end()});
  if (has_role) token.role = static_cast<Role>(role);
  if (fields.text("digest", token.digest, 100) && !is_digest(token.digest))
    fields.problem("digest", "expected \"blake2b-256:\" and 64 lower-case hex digits of the token's text");
  fields.name("show", token.show);
  if (fields.text("shot", token.shot, 130) && !is_shot_key(token.shot))
    fields.problem("shot", "expected SHOW/SHOT, found '" + token.shot + "'");
  if (!token.shot.empty() && !token.show.empty())
    fields.problem("shot", "expected a show or a shot, found both; the shot names its show");
  if (has_role && token.role == Role::kGuest && token.shot.empty())
    fields.problem("shot", "expected SHOW/SHOT: a guest sees one shot");
  if (std::string text; fields.text("until", text, 40)) {
    if (const auto until = parse_instant(text))
      token.until = *until;
    else
      fields.problem("until", until.error().message);
  }
  fields.finish();
  return token;
}

}  // namespace

std::string_view to_string(Role role) { return kRoles[static_cast<std::size_t>(role)]; }

Result<std::vector<Token>> parse_tokens(std::string_view text, const std::filesystem::path& file) {
  Problems problems(file.string());
  const YamlNode node = parse_yaml(text, problems);
  if (!problems.empty()) return tl::unexpected(problems.error());
  std::vector<Token> tokens;
  std::set<std::string> names;
  Fields root(node, "", problems);
  root.find("version");
  root.require("tokens", "a list of {name, role, digest}");
  root.list("tokens", 10'000, "a list of {name, role, digest}",
            [&](const YamlNode& item, const std::string& path) {
              Fields fields(item, path, problems);
              if (item.kind != YamlNode::Kind::kMap) return;
              tokens.push_back(read_token(fields));
              const std::string& name = tokens.back().name;
              if (!name.empty() && !names.insert(name).second)
                fields.problem("name", "expected every name once, found '" + name + "' again");
            });
  root.finish();
  if (!problems.empty()) return tl::unexpected(problems.error());
  return tokens;
}

Result<std::vector<Token>> read_tokens(const std::filesystem::path& file) {
  const auto text = read_text(file);
  if (!text) return tl::unexpected(text.error());
  return parse_tokens(*text, file);
}

}  // namespace rushes::config
