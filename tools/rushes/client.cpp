#include "tools/rushes/client.h"

#include <httplib.h>

namespace rushes::tools {
namespace {

constexpr std::size_t kMaxRefusal = 64 << 10;  // bytes of a refusal's body

ErrorKind kind_of(const std::string& word, int status) {
  static const std::map<std::string, ErrorKind> kinds{
      {"invalid", ErrorKind::kInvalid},         {"not_found", ErrorKind::kNotFound},
      {"conflict", ErrorKind::kConflict},       {"denied", ErrorKind::kDenied},
      {"unreachable", ErrorKind::kUnreachable}, {"exhausted", ErrorKind::kExhausted},
      {"corrupt", ErrorKind::kCorrupt},         {"internal", ErrorKind::kInternal}};
  if (auto found = kinds.find(word); found != kinds.end()) return found->second;
  if (status == 401 || status == 403) return ErrorKind::kDenied;
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
  explicit Impl(const std::string& url) : http(url) {}
  httplib::Client http;
};

Client::Client(std::string url, std::unique_ptr<Impl> impl) : url_(std::move(url)), impl_(std::move(impl)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<Client> Client::connect(const std::string& url, const std::string& token) {
  if (url.rfind("http://", 0) != 0 && url.rfind("https://", 0) != 0)
    return fail(ErrorKind::kInvalid, "--url: expected http://HOST:PORT, found \"" + url + "\"");
  auto impl = std::make_unique<Impl>(url);
  if (!impl->http.is_valid())
    return fail(ErrorKind::kInvalid, "--url: expected http://HOST:PORT, found \"" + url + "\"");
  impl->http.set_connection_timeout(5);
  impl->http.set_read_timeout(60);
  impl->http.set_keep_alive(true);
  if (!token.empty()) impl->http.set_bearer_token_auth(token.c_str());
  return Client(url, std::move(impl));
}

namespace {

Result<std::string> body_of(const httplib::Result& result, const std::string& url) {
  if (!result)
    return fail(ErrorKind::kUnreachable, "cannot reach the farm at " + url + " (" +
                                             httplib::to_string(result.error()) +
                                             "); is rushes-scheduler running, and is --url right?");
  if (result->status < 200 || result->status > 299) return refusal(*result);
  return result->body;
}

Result<Json> json_of(const httplib::Result& result, const std::string& url) {
  auto body = body_of(result, url);
  if (!body) return tl::unexpected(body.error());
  Json json = Json::parse(*body, nullptr, false);
  if (json.is_discarded())
    return fail(ErrorKind::kCorrupt, "the answer of " + url + " is not JSON; is it a Rushes farm?");
  return json;
}

}  // namespace

Result<Json> Client::get(const std::string& path, int wait_seconds) {
  impl_->http.set_read_timeout(60 + wait_seconds);
  return json_of(impl_->http.Get(path), url_);
}

Result<Json> Client::post(const std::string& path, const std::string& body,
                          const std::map<std::string, std::string>& headers, int wait_seconds) {
  impl_->http.set_read_timeout(60 + wait_seconds);
  httplib::Headers list(headers.begin(), headers.end());
  return json_of(impl_->http.Post(path, list, body, "application/json"), url_);
}

Result<std::string> Client::get_bytes(const std::string& path) {
  return body_of(impl_->http.Get(path), url_);
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
  if (const auto body = body_of(result, url_); !body) return tl::unexpected(body.error());
  return {};
}

}  // namespace rushes::tools
