// Handlers that answer with bytes: artifacts, delivered files, the task that would deliver a take.
#include <algorithm>
#include <fstream>

#include "config/path_map.h"
#include "config/picture.h"
#include "scheduler/gateway/body.h"
#include "scheduler/gateway/byte_range.h"
#include "scheduler/gateway/handlers.h"
#include "storage/records/words_codec.h"

namespace rushes::scheduler {
namespace {

// Of all pictures that are being received: they lie in memory until they are checked.
constexpr std::uint64_t kMaxPictureMemory = 2 * config::kMaxPictureBytes;

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

// What is taken of a number while it is there.
struct Taken {
  Taken(std::atomic<std::uint64_t>& of, std::uint64_t amount)
      : total(of), count(amount), all(total += count) {}
  ~Taken() { total -= count; }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  std::atomic<std::uint64_t>& total;
  const std::uint64_t count, all;  // all: with it
};

// SHOW/SHOT of SHOW/SHOT/..., which is how deliveries lie.
std::string shot_of(const std::filesystem::path& delivered) {
  const auto show = delivered.begin();
  return show->string() + "/" + (std::next(show) == delivered.end() ? "" : std::next(show)->string());
}

}  // namespace

// A picture of a shot that will be submitted. It is decoded before it is kept; like any upload that nothing references it
// is swept after a day.
void Handlers::picture(Call& call) {
  const auto digest = digest_from_hex(call.at(1));
  const auto bytes = number_of(call.request.get_header_value("Content-Length"));
  if (!digest || !bytes)
    return send(call.response,
                error_json({ErrorKind::kInvalid, "Content-Length: expected the picture's bytes"}), 411);
  if (const auto may = parts_.may_submit ? parts_.may_submit() : Status{}; !may)
    return refuse(call.response, may.error());
  if (*bytes > config::kMaxPictureBytes)
    return send(call.response, error_json(config::check_picture("", *bytes).error()), 413);
  const Taken place(pictures_, 1), memory(picture_bytes_, *bytes);
  if (place.all > std::uint64_t{Gateway::kMaxPictures} || memory.all > kMaxPictureMemory)
    return send(call.response,
                {{"error", {{"kind", "too_many"}, {"message", "too many pictures at once; send it again"}}}},
                429);

  std::string picture;
  Status status;
  const auto read = stream_body(call.request, *call.reader, *bytes, [&](std::string_view more) {
    const bool begins = picture.size() < config::kPictureBegin;
    picture += more;
    if (begins && (picture.size() >= config::kPictureBegin || picture.size() == *bytes))
      status = config::check_picture(std::string_view(picture).substr(0, config::kPictureBegin), *bytes);
    return status.has_value();
  });
  if (!read)
    return send(call.response, error_json({ErrorKind::kInvalid, read.error().message}), read.error().status);
  if (!status) return refuse(call.response, status.error());
  if (digest_of(picture) != *digest)
    return refuse(call.response,
                  {ErrorKind::kInvalid, "the picture's bytes have another digest than " + call.at(1)});
  if (const auto good = picture_check_.check(*digest, picture); !good)
    return refuse(call.response, good.error());
  if (const auto kept = parts_.vault->put(picture); !kept) return refuse(call.response, kept.error());
  send(call.response, Json{{"digest", call.at(1)}, {"bytes", *bytes}}, 201);
}

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
  if (code || !std::filesystem::is_regular_file(path, code) || !config::lies_below(path, root) ||
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
