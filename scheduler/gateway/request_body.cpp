#include "scheduler/gateway/request_body.h"

#include "scheduler/gateway/body.h"

namespace rushes::scheduler {
namespace {

tl::unexpected<BodyRefusal> refused(int status, std::string message) {
  return tl::unexpected(BodyRefusal{status, std::move(message)});
}

tl::unexpected<BodyRefusal> too_large(std::uint64_t most) {
  return refused(
      413, "the request's body is too large: at most " + std::to_string(most) + " bytes are taken here");
}

// Bytes that the body says it has; nothing: it comes in chunks and does not say.
tl::expected<std::optional<std::uint64_t>, BodyRefusal> length_of(const httplib::Request& request) {
  const std::string encoding = request.get_header_value("Content-Encoding");
  if (!encoding.empty() && encoding != "identity")
    return refused(415, "compressed bodies are not taken: send it without Content-Encoding");
  if (request.is_multipart_form_data())
    return refused(415, "multipart/form-data is not taken: send the bytes as they are");
  if (request.has_header(kChunkedBody)) return std::nullopt;
  return request.get_header_value<std::uint64_t>("Content-Length");  // which was checked: request_head.h
}

BodyRefusal fault_of(const httplib::Request& request) {
  const std::string fault = request.get_header_value(kBodyFault);
  if (fault.size() < 4) return {503, "the farm stops; send it again"};
  return {std::stoi(fault.substr(0, 3)), fault.substr(4)};
}

}  // namespace

BodyStatus stream_body(const httplib::Request& request, const httplib::ContentReader& reader,
                       std::uint64_t most, const std::function<bool(std::string_view)>& take) {
  const auto length = length_of(request);
  if (!length) return tl::unexpected(length.error());
  if (*length && **length > most) return too_large(most);
  if (*length && **length == 0) return {};
  std::uint64_t taken = 0;
  bool wanted = true;
  const bool read = reader([&](const char* bytes, std::size_t count) {
    taken += count;
    wanted = taken <= most && take({bytes, count});
    return wanted;
  });
  if (taken > most) return too_large(most);
  if (wanted && !read) return tl::unexpected(fault_of(request));
  return {};
}

tl::expected<std::string, BodyRefusal> whole_body(const httplib::Request& request,
                                                  const httplib::ContentReader& reader, std::uint64_t most) {
  std::string body;
  const auto read = stream_body(request, reader, most, [&](std::string_view bytes) {
    body += bytes;
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  return body;
}

}  // namespace rushes::scheduler
