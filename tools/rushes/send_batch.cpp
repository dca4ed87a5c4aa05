#include "tools/rushes/send_batch.h"

#include <filesystem>
#include <fstream>
#include <map>

#include "config/digest.h"
#include "config/file_kind.h"
#include "config/picture.h"
#include "config/shot.h"
#include "config/utf8.h"
#include "config/whole_picture.h"
#include "config/yaml.h"

namespace rushes::tools {
namespace {

namespace fs = std::filesystem;

// As JSON can hold it, which has no other text than UTF-8: the reader of batches says where it is not.
Result<std::string> read_batch(const fs::path& file) {
  auto text = config::read_text(file);
  if (text && !config::is_utf8(*text))
    return tl::unexpected(config::parse_batch(*text, file.string(), {}).error());
  return text;
}

Result<std::string> read_picture(const fs::path& file) {
  std::error_code code;
  if (!fs::is_regular_file(file, code))  // before it is opened: a pipe would wait for its writer
    return fail(ErrorKind::kNotFound, "expected a PNG or EXR file, found " + config::kind_of_file(file) +
                                          ", '" + file.string() + "'");
  const auto size = fs::file_size(file, code);
  std::ifstream stream(file, std::ios::binary);
  if (code || !stream) return fail(ErrorKind::kNotFound, file.string() + ": cannot be read");
  std::string bytes(std::min<std::uint64_t>(size, config::kMaxPictureBytes), '\0');
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
    return fail(ErrorKind::kNotFound, file.string() + ": cannot be read");
  Status good;
  if (size > bytes.size())
    good = config::check_picture(std::string_view(bytes).substr(0, config::kPictureBegin), size);
  else if (const auto whole = config::check_whole_picture(bytes); !whole)
    good = tl::unexpected(whole.error());
  if (!good) return with_context(good.error(), "picture " + file.string());
  return bytes;
}

// Where the batch names a picture first.
struct Named {
  const config::Shot* shot = nullptr;
  std::string key;
};

// The pictures of the batch, by their paths in it.
std::map<fs::path, Named> pictures_of(const config::Batch& batch) {
  std::map<fs::path, Named> pictures;
  for (const auto& shot : batch.shots)
    for (std::size_t i = 0; i < shot.key_frames.size(); ++i)
      pictures.try_emplace(shot.key_frames[i].image, Named{&shot, config::key_frame_key(i, "image")});
  return pictures;
}

// Sends all of them; once one is wrong the others are looked at only, so that each is named.
Result<Json> send_pictures(Client& farm, const config::Batch& batch, const fs::path& folder) {
  Json sent = Json::object();
  std::string problems;
  for (const auto& [picture, named] : pictures_of(batch)) {
    const fs::path here = folder / picture;
    std::error_code ignored;
    // It may lie on the farm's own disks, below its picture_roots.
    if (picture.is_absolute() && !fs::exists(here, ignored)) continue;
    const auto bytes = read_picture(here);
    if (!bytes) {
      problems +=
          (problems.empty() ? "" : "\n") + config::problem_at(*named.shot, named.key, bytes.error().message);
      continue;
    }
    if (!problems.empty()) continue;
    const std::string digest = to_hex(digest_of(*bytes));
    const auto answer =
        farm.post("/v1/pictures/" + digest, *bytes, {{"Content-Type", "application/octet-stream"}});
    if (!answer)
      return fail(answer.error().kind,
                  config::problem_at(*named.shot, named.key,
                                     "picture " + picture.string() + ": " + answer.error().message));
    sent[picture.generic_string()] = digest;
  }
  if (!problems.empty()) return fail(ErrorKind::kInvalid, problems);
  return sent;
}

}  // namespace

Result<Json> send_batch(Client& farm, const SubmitOptions& options) {
  const fs::path file = options.file;
  auto text = read_batch(file);
  if (!text) return tl::unexpected<Error>(text.error());
  const std::string name = fs::absolute(file).string();
  Json pictures = Json::object();
  // A file that is wrong is the farm's to explain.
  if (const auto batch = config::parse_batch(*text, name, {})) {
    auto sent = send_pictures(farm, *batch, file.parent_path());
    if (!sent) return sent;
    pictures = std::move(*sent);
  }
  std::map<std::string, std::string> headers;
  if (!options.idempotency_key.empty()) headers["Idempotency-Key"] = options.idempotency_key;
  const std::string path = std::string("/v1/batches?dry_run=") + (options.dry_run ? "1" : "0");
  const Json body{{"yaml", *text}, {"file", name}, {"pictures", pictures}};
  return farm.post(path + (options.replace ? "&replace=1" : ""), body_text(body), headers);
}

}  // namespace rushes::tools
