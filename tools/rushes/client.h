// The farm's HTTP API for command line programs (scheduler/gateway/api.h says what is asked and answered).
//
// Thread contract: one thread at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "config/result.h"

namespace rushes::tools {

using Json = nlohmann::json;

// JSON as text, on one line or indented; bytes that are no UTF-8 become U+FFFD.
std::string body_text(const Json& json, int indent = -1);

// A value for a query: all but letters, digits and "-._~/@" as %XX.
std::string query_text(std::string_view value);

std::string_view kind_word(ErrorKind kind);  // as in the API: "invalid", "not_found", ...

// How the farm refused: its message for people, and the exit code that scripts see.
class Client {
 public:
  // url: "http://host:port". Error: kInvalid.
  // A body is JSON unless `headers` have a Content-Type.
  static Result<Client> connect(const std::string& url, const std::string& token);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // Errors: kUnreachable when nobody answers, else the kind of the farm's own error with its message.
  Result<Json> get(const std::string& path, int wait_seconds = 0);
  Result<Json> post(const std::string& path, const std::string& body,
                    const std::map<std::string, std::string>& headers = {}, int wait_seconds = 0);
  Result<std::string> get_bytes(const std::string& path);
  // The body piece by piece, as it comes. An error of `take` ends the download and is returned.
  Status download(const std::string& path, const std::function<Status(std::string_view)>& take);

  const std::string& url() const { return url_; }

 private:
  struct Impl;
  Client(std::string url, std::unique_ptr<Impl> impl);
  std::string url_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rushes::tools
