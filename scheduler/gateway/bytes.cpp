// Handlers that answer with bytes: artifacts, delivered files, the task that would deliver a take.
#include <fstream>

#include "scheduler/gateway/body.h"
#include "scheduler/gateway/byte_range.h"
#include "scheduler/gateway/handlers.h"
#include "storage/records/words_codec.h"

namespace rushes::scheduler {
namespace {

constexpr const char* kBytesType = "application/octet-stream";

// The bytes of an artifact or a file, or the part of them that the request asks for.
using ReadBytes = std::function<Result<std::string>(std::uint64_t offset, std::uint64_t length)>;
void send_bytes(const httplib::Request& request, httplib::Response& response, std::uint64_t size,
                const char* type, ReadBytes read, std::shared_ptr<void> place) {
  const BytePart part = part_of(request.get_header_value("Range"), size);
  response.set_header("Accept-Ranges", "bytes");
  if (!part.content_range.empty()) response.set_header("Content-Range", part.content_range);
  if (part.status == 416)
    return send(response, error_json({ErrorKind::kInvalid, "Range: it begins behind the end"}), part.status);
  response.status = part.status;
  if (part.length == 0) return response.set_content("", type);
  // The caller's place is taken until the last byte has left.
  response.set_content_provider(part.length, type,
                                [read = std::move(read), begin = part.offset, place = std::move(place)](
                                    std::size_t offset, std::size_t length, httplib::DataSink& sink) {
                                  const auto bytes = read(
                                      begin + offset, std::min<std::size_t>(length, storage::kChunkBytes));
                                  return bytes && sink.write(bytes->data(), bytes->size());
                                });
}

// A browser plays what it knows the type of; artifacts are known by their first bytes.
const char* type_of(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG")) return "image/png";
  if (bytes.size() >= 8 && bytes.substr(4, 4) == "ftyp") return "video/mp4";
  return bytes.starts_with('{') ? "application/json" : kBytesType;
}

// SHOW/SHOT of SHOW/SHOT/..., which is how deliveries lie.
std::string shot_of(const std::filesystem::path& delivered) {
  const auto show = delivered.begin();
  return show->string() + "/" + (std::next(show) == delivered.end() ? "" : std::next(show)->string());
}

}  // namespace

// A digest is known to those who were told it; a token with a limit sees those of its own shots only.
bool Handlers::sees_artifact(const Call& call, const Digest& digest) {
  if (!call.caller.limited()) return true;
  const auto owners = parts_.vault->owners(digest);
  return owners && std::any_of(owners->begin(), owners->end(), [&](const std::string& owner) {
           return call.caller.sees(owner.substr(0, owner.rfind('/')));
         });
}

void Handlers::artifact(Call& call) {
  const auto digest = digest_from_hex(call.at(1));
  if (!digest) return refuse(call.response, digest.error());
  const auto found = parts_.vault->find(*digest);
  if (!found) return refuse(call.response, found.error());
  if (!*found || !sees_artifact(call, *digest))
    return refuse(call.response, {ErrorKind::kNotFound, "artifact " + call.at(1) + ": there is none"});
  const auto begin = parts_.vault->read(*digest, 0, 16);
  if (!begin) return refuse(call.response, begin.error());
  call.response.set_header("Cache-Control", "private, max-age=31536000, immutable");
  send_bytes(
      call.request, call.response, (*found)->bytes, type_of(*begin),
      [vault = parts_.vault, id = *digest](std::uint64_t offset, std::uint64_t length) {
        return vault->read(id, offset, length);
      },
      call.caller.place);
}

void Handlers::delivery(Call& call) {
  const auto& query = call.request;
  const auto choice = read_take_choice(query.get_param_value("kind"), query.get_param_value("take"),
                                       query.get_param_value("version"));
  if (!choice) return refuse(call.response, choice.error());
  auto spec = parts_.loop->query([key = call.shot(), choice = *choice](const State& state, Now) {
    return delivery_of(state, key, choice);
  });
  if (!spec) return refuse(call.response, spec.error());
  if (!*spec) return refuse(call.response, spec->error());
  call.response.set_content(encode_task(**spec), kBytesType);
}

// A delivered file. The resolved path must lie below the deliveries folder, links and dots included.
void Handlers::file(Call& call) {
  const Error missing{ErrorKind::kNotFound,
                      "file " + call.at(1) + ": there is none below the deliveries folder"};
  std::error_code code;
  const auto root = std::filesystem::canonical(parts_.deliveries, code);
  if (code) return refuse(call.response, missing);
  const auto path =
      std::filesystem::canonical(root / std::filesystem::path(call.at(1)).relative_path(), code);
  if (code || !std::filesystem::is_regular_file(path, code) ||
      std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first != root.end() ||
      !call.caller.sees(shot_of(path.lexically_relative(root))))
    return refuse(call.response, missing);
  auto stream = std::make_shared<std::ifstream>(path, std::ios::binary);
  const auto size = std::filesystem::file_size(path, code);
  if (code || !*stream) return refuse(call.response, missing);
  send_bytes(
      call.request, call.response, size, kBytesType,
      [stream](std::uint64_t offset, std::uint64_t length) -> Result<std::string> {
        std::string bytes(length, '\0');
        stream->seekg(static_cast<std::streamoff>(offset));
        stream->read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        bytes.resize(static_cast<std::size_t>(stream->gcount()));
        if (bytes.empty()) return fail(ErrorKind::kNotFound, "the file got shorter");
        return bytes;
      },
      call.caller.place);
}

}  // namespace rushes::scheduler
