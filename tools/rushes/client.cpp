#include "tools/rushes/client.h"

#include <httplib.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>

namespace rushes::tools {
namespace {

constexpr std::size_t kMaxRefusal = 64 << 10;  // bytes of a refusal's body

const std::map<std::string_view, ErrorKind>& kinds() {
  static const std::map<std::string_view, ErrorKind> kinds{
      {"invalid", ErrorKind::kInvalid},         {"not_found", ErrorKind::kNotFound},
      {"conflict", ErrorKind::kConflict},       {"denied", ErrorKind::kDenied},
      {"unreachable", ErrorKind::kUnreachable}, {"exhausted", ErrorKind::kExhausted},
      {"corrupt", ErrorKind::kCorrupt},         {"internal", ErrorKind::kInternal}};
  return kinds;
}

ErrorKind kind_of(const std::string& word, int status) {
  if (const auto found = kinds().find(word); found != kinds().end()) return found->second;
  if (status == 401 || status == 403 || status == 429) return ErrorKind::kDenied;
  return status == 404 ? ErrorKind::kNotFound : status < 500 ? ErrorKind::kInvalid : ErrorKind::kInternal;
}

// "shots.yaml:7:5: fps: ..." for each problem of a refused batch.
std::string problems(const Json& errors) {
  std::string text;
  for (const Json& error : errors) {
    if (!text.empty()) text += "\n";
    const std::string file = error.value("file", "");
    if (!file.empty()) text += file + ":";
    if (error.contains("line") && error["line"].is_number())
      text += std::to_string(error["line"].get<int>()) + ":";
    if (error.contains("column") && error["column"].is_number())
      text += std::to_string(error["column"].get<int>()) + ":";
    if (!text.empty() && text.back() == ':') text += " ";
    const std::string key = error.value("key", "");
    if (!key.empty()) text += key + ": ";
    text += error.value("message", "");
  }
  return text;
}

tl::unexpected<Error> refusal(const httplib::Response& response) {
  const Json body = Json::parse(response.body, nullptr, false);
  if (body.is_object() && body.contains("errors") && body["errors"].is_array())
    return fail(ErrorKind::kInvalid, problems(body["errors"]));
  if (body.is_object() && body.contains("error") && body["error"].is_object())
    return fail(kind_of(body["error"].value("kind", ""), response.status),
                body["error"].value("message", ""));
  return fail(kind_of("", response.status),
              "the farm answered with HTTP status " + std::to_string(response.status));
}

}  // namespace

struct Client::Impl {
  Impl(const std::string& url, bool token) : http(url), has_token(token) {}
  httplib::Client http;
  bool has_token;
};

Client::Client(std::string url, std::unique_ptr<Impl> impl) : url_(std::move(url)), impl_(std::move(impl)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

std::string_view kind_word(ErrorKind kind) {
  for (const auto& [word, known] : kinds())
    if (known == kind) return word;
  return "internal";
}

std::string query_text(std::string_view value) {
  std::string text;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    char escaped[4];
    std::snprintf(escaped, sizeof escaped, "%%%02X", byte);
    const bool plain = byte < 0x80 && std::isalnum(byte) != 0;
    text +=
        plain || std::string_view("-._~/@").find(c) != std::string_view::npos ? std::string(1, c) : escaped;
  }
  return text;
}

std::string body_text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

namespace {

// "http://HOST[:PORT][/]", HOST a name, an IPv4 address or [IPv6]: what the library reads without surprises.
bool is_url(std::string_view url) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) return false;
  url.remove_prefix(url.find("//") + 2);
  const auto bracket = url.find(']');
  const auto colon = url.find(':', bracket == url.npos ? 0 : bracket);
  const std::string_view host = url.substr(0, colon);
  const auto is_host = [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("-._[]:").find(c) != std::string_view::npos;
  };
  if (host.empty() || !std::all_of(host.begin(), host.end(), is_host)) return false;
  if (colon == url.npos) return true;
  const std::string_view port = url.substr(colon + 1);
  int number = 0;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), number);
  return read.ec == std::errc() && read.ptr == port.data() + port.size() && number >= 1 && number <= 65535;
}

}  // namespace

Result<Client> Client::connect(const std::string& given, const std::string& token) {
  const std::string url = given.ends_with('/') ? given.substr(0, given.size() - 1) : given;
  if (!is_url(url))
    return fail(ErrorKind::kInvalid, "--url: expected http://HOST:PORT, found \"" + given + "\"");
  if (std::any_of(token.begin(), token.end(), [](char c) { return c <= ' ' || c > '~'; }))
    return fail(ErrorKind::kInvalid, "--token: expected printable ASCII without spaces");
  if (url.starts_with("https://"))
    return fail(
        ErrorKind::kInvalid,
        "--url: expected http://HOST:PORT, found \"" + given +
            "\"; Rushes speaks no TLS: reach a farm behind TLS through a tunnel, or a proxy on this host");
  auto impl = std::make_unique<Impl>(url, !token.empty());
  if (!impl->http.is_valid())
    return fail(ErrorKind::kInvalid, "--url: expected http://HOST:PORT, found \"" + url + "\"");
  impl->http.set_connection_timeout(5);
  impl->http.set_read_timeout(60);
  impl->http.set_keep_alive(true);
  if (!token.empty()) impl->http.set_bearer_token_auth(token.c_str());
  return Client(url, std::move(impl));
}

namespace {

Result<std::string> body_of(const httplib::Result& result, const std::string& url, bool has_token) {
  if (!result)
    return fail(ErrorKind::kUnreachable, "cannot reach the farm at " + url + " (" +
                                             httplib::to_string(result.error()) +
                                             "); is rushes-scheduler running, and is --url right?");
  if (result->status == 401 && !has_token)
    return fail(ErrorKind::kDenied,
                "the farm at " + url + " asks for a token: --token TOKEN, or the environment's RUSHES_TOKEN");
  if (result->status < 200 || result->status > 299) return refusal(*result);
  return result->body;
}

Result<Json> json_of(const httplib::Result& result, const std::string& url, bool has_token) {
  auto body = body_of(result, url, has_token);
  if (!body) return tl::unexpected(body.error());
  Json json = Json::parse(*body, nullptr, false);
  if (json.is_discarded())
    return fail(ErrorKind::kCorrupt, "the answer of " + url + " is not JSON; is it a Rushes farm?");
  return json;
}

}  // namespace

Result<Json> Client::get(const std::string& path, int wait_seconds) {
  impl_->http.set_read_timeout(60 + wait_seconds);
  return json_of(impl_->http.Get(path), url_, impl_->has_token);
}

Result<Json> Client::post(const std::string& path, const std::string& body,
                          const std::map<std::string, std::string>& headers, int wait_seconds) {
  impl_->http.set_read_timeout(60 + wait_seconds);
  httplib::Headers list(headers.begin(), headers.end());
  const auto type = headers.find("Content-Type");
  list.erase("Content-Type");
  return json_of(
      impl_->http.Post(path, list, body, type == headers.end() ? "application/json" : type->second.c_str()),
      url_, impl_->has_token);
}

Result<std::string> Client::get_bytes(const std::string& path) {
  return body_of(impl_->http.Get(path), url_, impl_->has_token);
}

Status Client::download(const std::string& path, const std::function<Status(std::string_view)>& take) {
  Status taken;
  std::string refused;  // the body of an answer that is no success
  bool good = false;
  auto result = impl_->http.Get(
      path,
      [&](const httplib::Response& response) {
        good = response.status == 200;
        return true;
      },
      [&](const char* bytes, std::size_t count) {
        if (good)
          taken = take({bytes, count});
        else if (refused.size() + count <= kMaxRefusal)
          refused.append(bytes, count);
        return taken.has_value();
      });
  if (!taken) return taken;
  if (result && !good) result->body = std::move(refused);
  if (const auto body = body_of(result, url_, impl_->has_token); !body) return tl::unexpected(body.error());
  return {};
}

}  // namespace rushes::tools
