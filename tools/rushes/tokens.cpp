#include "tools/rushes/tokens.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>

#include "config/digest.h"
#include "config/exclusive_lock.h"
#include "config/instant.h"
#include "tools/rushes/client.h"
#include "tools/rushes/text.h"

namespace rushes::tools {
namespace {

namespace fs = std::filesystem;
using config::Token;

fs::path file_of(const TokenOptions& options) { return options.keys / "tokens.yaml"; }

Result<std::string> fresh_secret() {
  if (sodium_init() < 0) return fail(ErrorKind::kInternal, "libsodium: no randomness");
  unsigned char bytes[24];
  randombytes_buf(bytes, sizeof bytes);
  std::string token(sodium_base64_ENCODED_LEN(sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
  sodium_bin2base64(token.data(), token.size(), bytes, sizeof bytes,
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  token.resize(token.find('\0'));
  return token;
}

// One `rushes token` at a time.
config::ExclusiveLock lock_of(const TokenOptions& options) {
  return config::ExclusiveLock(::open(options.keys.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

Result<std::vector<Token>> read(const TokenOptions& options) {
  auto tokens = config::read_tokens(file_of(options));
  if (!tokens && tokens.error().kind == ErrorKind::kNotFound)
    return fail(
        ErrorKind::kNotFound,
        tokens.error().message + "; --keys names the folder that `rushes keygen` wrote for the scheduler");
  return tokens;
}

std::int64_t wall_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

Json token_json(const Token& token) {
  Json json{{"name", token.name}, {"role", std::string(config::to_string(token.role))}};
  if (!token.show.empty()) json["show"] = token.show;
  if (!token.shot.empty()) json["shot"] = token.shot;
  if (!token.until) return json;
  json["until"] = config::instant_text(*token.until);
  json["ended"] = *token.until <= wall_ms();
  return json;
}

// The options as an entry of the file, by the file's own reader: one place knows what is right.
Result<Token> wanted(const TokenOptions& options, const std::string& digest) {
  Token token{options.name, config::Role::kViewer, digest};
  token.shot = options.shot;
  token.show = options.show;
  const auto role = config::parse_role(options.role);
  if (!role) return fail(ErrorKind::kInvalid, "--" + role.error().message);
  token.role = *role;
  if (!options.until.empty()) {
    const auto until = config::parse_instant(options.until);
    if (!until) return with_context(until.error(), "--until");
    token.until = *until;
    using namespace std::chrono;
    if (*until <= duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count())
      return fail(ErrorKind::kInvalid, "--until: expected a time to come, found '" + options.until + "'");
  }
  const auto read = config::parse_tokens(config::tokens_text({token}), "token " + options.name);
  if (!read) {
    // "token ann:5:12: tokens[0].shot: expected ...": the place is in a file that nobody wrote.
    constexpr std::string_view kPlace = "tokens[0].";
    std::string words = read.error().message.substr(0, read.error().message.find('\n'));
    if (const std::size_t at = words.find(kPlace); at != words.npos) words.erase(0, at + kPlace.size());
    return fail(ErrorKind::kInvalid, words.starts_with("name:") ? "NAME" + words.substr(4) : "--" + words);
  }
  return read->front();
}

}  // namespace

Result<int> add_token(const TokenOptions& options, const Printer& print) {
  const auto lock = lock_of(options);
  auto tokens = read(options);
  if (!tokens) return tl::unexpected<Error>(tokens.error());
  const auto secret = fresh_secret();
  if (!secret) return tl::unexpected<Error>(secret.error());
  const auto token = wanted(options, config::text_digest(*secret));
  if (!token) return tl::unexpected<Error>(token.error());
  if (std::any_of(tokens->begin(), tokens->end(),
                  [&](const Token& other) { return other.name == token->name; }))
    return fail(ErrorKind::kConflict, "token " + token->name + " is there already; `rushes token remove " +
                                          token->name + "` takes it out");
  tokens->push_back(*token);
  if (const auto written = config::write_tokens(file_of(options), *tokens); !written)
    return tl::unexpected<Error>(written.error());
  if (print.json) {
    Json json = token_json(*token);
    json["token"] = *secret;
    std::cout << body_text(json, 2) << "\n";
  } else {
    std::cout << *secret << "\n";
    std::cerr << "token of " << token->name << ", " << options.role
              << "; it is shown this once: RUSHES_TOKEN=...\n";
  }
  return 0;
}

Result<int> list_tokens(const TokenOptions& options, const Printer& print) {
  const auto tokens = read(options);
  if (!tokens) return tl::unexpected<Error>(tokens.error());
  Json rows = Json::array();
  for (const Token& token : *tokens) rows.push_back(token_json(token));
  if (print.json) {
    std::cout << body_text(Json{{"tokens", rows}}, 2) << "\n";
    return 0;
  }
  for (const Json& row : rows) {
    std::string limits;
    for (const char* key : {"show", "shot", "until"})
      if (row.contains(key)) limits += std::string("  ") + key + " " + word(row, key);
    if (member(row, "ended") == true) limits += " (ended)";
    std::cout << padded(word(row, "name"), 24) << padded(word(row, "role"), 11) << limits << "\n";
  }
  return 0;
}

Result<int> remove_token(const TokenOptions& options, const Printer& print) {
  const auto lock = lock_of(options);
  auto tokens = read(options);
  if (!tokens) return tl::unexpected<Error>(tokens.error());
  const auto taken = std::erase_if(*tokens, [&](const Token& token) { return token.name == options.name; });
  if (taken == 0)
    return fail(ErrorKind::kNotFound,
                "token " + options.name + ": there is none; `rushes token list` shows all");
  if (const auto written = config::write_tokens(file_of(options), *tokens); !written)
    return tl::unexpected<Error>(written.error());
  if (print.json)
    std::cout << body_text(Json{{"removed", options.name}}, 2) << "\n";
  else
    std::cout << "token " << options.name << " is out\n";
  if (!print.json && std::none_of(tokens->begin(), tokens->end(),
                                  [](const Token& token) { return token.role == config::Role::kAdmin; }))
    std::cerr << "no token has the role admin now: rushes token add NAME --role admin\n";
  return 0;
}

Result<std::vector<fs::path>> write_first_token(const fs::path& folder) {
  const fs::path file = folder / "tokens.yaml", secret_file = folder / "admin.token";
  if (fs::exists(file) || fs::exists(secret_file))
    return fail(ErrorKind::kConflict,
                file.string() + " or " + secret_file.string() + " exists; move it away first");
  const auto secret = fresh_secret();
  if (!secret) return tl::unexpected<Error>(secret.error());
  const auto old_mask = umask(0077);
  std::ofstream(secret_file) << *secret << "\n";
  umask(old_mask);
  const std::vector<Token> tokens{{"admin", config::Role::kAdmin, config::text_digest(*secret)}};
  if (const auto written = config::write_tokens(file, tokens); !written)
    return tl::unexpected<Error>(written.error());
  return std::vector{file, secret_file};
}

}  // namespace rushes::tools
