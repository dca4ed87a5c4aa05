#include "config/write_tokens.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "config/instant.h"
#include "config/yaml.h"

namespace rushes::config {

Result<Role> parse_role(std::string_view word) {
  std::vector<std::string> words;
  for (int i = 0; i <= static_cast<int>(Role::kAdmin); ++i) {
    words.emplace_back(to_string(static_cast<Role>(i)));
    if (words.back() == word) return static_cast<Role>(i);
  }
  const std::string near = nearest(word, words);
  return fail(ErrorKind::kInvalid, "role: expected viewer, guest, artist, supervisor or admin, found '" +
                                       std::string(word) + "'" +
                                       (near.empty() ? "" : "; did you mean '" + near + "'?"));
}

std::string tokens_text(const std::vector<Token>& tokens) {
  std::string text =
      "# Who may use the HTTP API; `rushes token` writes this file, and what changes here counts at once.\n"
      "# Digests only: reading this file gives no access.\n"
      "version: 1\ntokens:\n";
  for (const Token& token : tokens) {
    text += "  - {name: \"" + token.name + "\", role: " + std::string(to_string(token.role));
    if (!token.show.empty()) text += ", show: \"" + token.show + "\"";
    if (!token.shot.empty()) text += ", shot: \"" + token.shot + "\"";
    if (token.until) text += ", until: \"" + instant_text(*token.until) + "\"";
    text += ", digest: \"" + token.digest + "\"}\n";
  }
  return tokens.empty() ? text.replace(text.rfind("tokens:"), 7, "tokens: []") : text;
}

namespace {

// The scheduler reads the file as the user whose it is, whoever writes it.
bool keeps_owner(int file, const struct stat& before) {
  struct stat now {};
  if (::fstat(file, &now) != 0 || ::fchmod(file, before.st_mode & 07777) != 0) return false;
  if (now.st_uid == before.st_uid && now.st_gid == before.st_gid) return true;
  return ::fchown(file, before.st_uid, before.st_gid) == 0;
}

}  // namespace

Status write_tokens(const std::filesystem::path& file, const std::vector<Token>& tokens) {
  const std::string text = tokens_text(tokens), next = file.string() + ".next";
  const auto failed = [&] {
    const std::string why = std::strerror(errno);
    ::unlink(next.c_str());
    return fail(ErrorKind::kExhausted, file.string() + ": cannot be written: " + why);
  };
  const int target = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
  if (target < 0) return failed();
  struct stat before {};
  if (::stat(file.c_str(), &before) == 0 && !keeps_owner(target, before)) return failed();
  const bool written =
      ::write(target, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(target) == 0;
  ::close(target);
  if (!written || std::rename(next.c_str(), file.c_str()) != 0) return failed();
  return {};
}

}  // namespace rushes::config
