#include "scheduler/gateway/request_head.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <nlohmann/json.hpp>

#include "scheduler/gateway/body.h"

namespace rushes::scheduler {
namespace {

using Refusal = std::optional<HeadRefusal>;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    const char letter = lower(c);
    return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool has_controls(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

bool starts_with_word(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && same_word(text.substr(0, word.size()), word);
}

std::string quoted(std::string_view text) { return "'" + shown_name(text.substr(0, 256)) + "'"; }

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

struct RequestLine {
  std::string_view method, target, version;
};

Refusal read_request_line(std::string_view line, RequestLine& out) {
  const auto wrong = [&] {
    return HeadRefusal{400, "the request line: expected METHOD /PATH HTTP/1.1, found " + quoted(line)};
  };
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == line.npos || first == last) return wrong();
  out = {line.substr(0, first), line.substr(first + 1, last - first - 1), line.substr(last + 1)};
  if (!is_token(out.method) || out.target.empty() || out.target.find(' ') != out.target.npos ||
      has_controls(line) || line.find('\t') != line.npos)
    return wrong();
  const bool is_version = out.version.size() == 8 && out.version.starts_with("HTTP/");
  if (!is_version) return wrong();
  if (out.version != "HTTP/1.1" && out.version != "HTTP/1.0")
    return HeadRefusal{505, "expected HTTP/1.1, found " + quoted(out.version)};
  constexpr std::array kKnown{"GET",     "HEAD",    "POST",  "PUT",   "DELETE",
                              "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"};
  if (std::find(kKnown.begin(), kKnown.end(), out.method) == kKnown.end())
    return HeadRefusal{501, "expected GET, HEAD or POST, found " + quoted(out.method)};
  return std::nullopt;
}

// A proxy, and a client that takes the farm for one, sends "http://HOST/PATH" (RFC 9112, 3.2.2).
Refusal read_target(const RequestLine& line, std::string& path) {
  path = line.target;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!starts_with_word(path, scheme)) continue;
    const std::size_t end = path.find_first_of("/?", scheme.size());
    path = end == path.npos ? "/" : path.substr(end);
    if (path.starts_with('?')) path.insert(0, "/");
    break;
  }
  if (path.find("%00") != path.npos)
    return HeadRefusal{400, "the path: expected no NUL byte, found " + quoted(line.target)};
  const bool no_path = line.method == "CONNECT" || (line.method == "OPTIONS" && path == "*");
  if (!path.starts_with('/') && !no_path)
    return HeadRefusal{400, "expected a path that begins with '/', found " + quoted(line.target)};
  return std::nullopt;
}

// What of the headers says where the request ends, who sends it, and what its sender waits for.
struct Framing {
  int hosts = 0, lengths = 0, codings = 0, tokens = 0;
  std::string_view length, coding, expected;
};

Refusal read_header(std::string_view line, Framing& framing) {
  const std::size_t colon = line.find(':');
  if (line.starts_with(' ') || line.starts_with('\t'))
    return HeadRefusal{400, "a header: expected one line, found one that is folded"};
  if (colon == line.npos || !is_token(line.substr(0, colon)))
    return HeadRefusal{400, "a header: expected NAME: VALUE, found " + quoted(line)};
  const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
  if (has_controls(value))
    return HeadRefusal{400, std::string(name) + ": expected text, found a control character"};
  if (same_word(name, "Host")) ++framing.hosts;
  if (same_word(name, "Authorization")) ++framing.tokens;
  if (same_word(name, "Expect")) framing.expected = value;
  if (same_word(name, "Content-Length")) ++framing.lengths, framing.length = value;
  if (same_word(name, "Transfer-Encoding")) ++framing.codings, framing.coding = value;
  return std::nullopt;
}

Refusal check_framing(const RequestLine& line, const Framing& framing) {
  const bool old = line.version == "HTTP/1.0";
  if (framing.hosts > 1 || (framing.hosts == 0 && !old))
    return HeadRefusal{
        400, framing.hosts == 0 ? "Host: expected one, found none" : "Host: expected one, found several"};
  if (framing.tokens > 1) return HeadRefusal{400, "Authorization: expected one, found several"};
  if (framing.lengths > 1) return HeadRefusal{400, "Content-Length: expected one, found several"};
  if (framing.lengths == 1 && !number_of(framing.length))
    return HeadRefusal{400, "Content-Length: expected one whole number, found " + quoted(framing.length)};
  if (framing.codings > 0 && framing.lengths > 0)
    return HeadRefusal{400, "expected a Content-Length or Transfer-Encoding: chunked, found both"};
  if (framing.codings > 0 && old)
    return HeadRefusal{400, "expected a Content-Length: HTTP/1.0 knows no Transfer-Encoding"};
  if (framing.codings > 1 || (framing.codings == 1 && !same_word(framing.coding, "chunked")))
    return HeadRefusal{501, "Transfer-Encoding: expected chunked, found " +
                                (framing.codings > 1 ? "several" : quoted(framing.coding))};
  if (!old && !framing.expected.empty() && !same_word(framing.expected, "100-continue"))
    return HeadRefusal{417, "Expect: expected 100-continue, found " + quoted(framing.expected)};
  return std::nullopt;
}

// The next line without its end, which `head` loses; nothing: it does not end with CR LF, or has others.
std::optional<std::string_view> take_line(std::string_view& head) {
  const std::size_t end = head.find('\n');
  if (end == head.npos || end == 0 || head[end - 1] != '\r') return std::nullopt;
  const std::string_view line = head.substr(0, end - 1);
  head.remove_prefix(end + 1);
  return line.find('\r') == line.npos ? std::optional(line) : std::nullopt;
}

const char* reason_of(int status) {
  switch (status) {
    case 408:
      return "Request Timeout";
    case 414:
      return "URI Too Long";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Bad Request";
  }
}

}  // namespace

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<HeadRefusal> check_head(std::string& bytes, std::size_t& length) {
  const HeadRefusal line_end{400, "the head: expected lines that end with CR LF"};
  const std::string limit = std::to_string(kMaxHeadLine) + " bytes";
  std::string_view head = std::string_view(bytes).substr(0, length);
  const auto first = take_line(head);
  if (!first) return line_end;
  if (first->size() + 2 > kMaxHeadLine)
    return HeadRefusal{414, "the request line is too long: at most " + limit};
  RequestLine request;
  std::string path;
  if (auto refusal = read_request_line(*first, request)) return refusal;
  if (auto refusal = read_target(request, path)) return refusal;
  Framing framing;
  while (true) {
    const auto line = take_line(head);
    if (!line) return line_end;
    if (line->empty()) break;
    if (line->size() + 2 > kMaxHeadLine)
      return HeadRefusal{431, "a header is too long: at most " + limit + " each"};
    if (auto refusal = read_header(*line, framing)) return refusal;
  }
  if (auto refusal = check_framing(request, framing)) return refusal;
  const std::size_t at = static_cast<std::size_t>(request.target.data() - bytes.data()),
                    size = request.target.size();
  if (path.size() == size) return std::nullopt;
  length = length - size + path.size();
  bytes.replace(at, size, path);
  return std::nullopt;
}

std::string answer_of(const HeadRefusal& refusal) {
  using Json = nlohmann::ordered_json;
  const char* kind = refusal.status == 503 ? "unreachable" : "invalid";
  const std::string body = Json{{"error", {{"kind", kind}, {"message", refusal.message}}}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
  return "HTTP/1.1 " + std::to_string(refusal.status) + " " + reason_of(refusal.status) +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace rushes::scheduler
