#include "tools/rushes/send_batch.h"

#include <filesystem>
#include <fstream>
#include <set>

#include "config/digest.h"
#include "config/picture.h"
#include "config/shot.h"
#include "config/utf8.h"
#include "config/yaml.h"

namespace rushes::tools {
namespace {

namespace fs = std::filesystem;

Result<std::string> read_batch(const fs::path& file) {
  auto text = config::read_text(file);
  if (text && !config::is_utf8(*text))
    return fail(ErrorKind::kInvalid, file.string() + ": the file is not UTF-8");
  return text;
}

Result<std::string> read_picture(const fs::path& file) {
  std::error_code code;
  if (!fs::is_regular_file(file, code))  // before it is opened: a pipe would wait for its writer
    return fail(ErrorKind::kNotFound, "expected a PNG or EXR file at " + file.string());
  const auto size = fs::file_size(file, code);
  std::ifstream stream(file, std::ios::binary);
  if (code || !stream) return fail(ErrorKind::kNotFound, file.string() + ": cannot be read");
  std::string bytes(std::min<std::uint64_t>(size, config::kMaxPictureBytes), '\0');
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
    return fail(ErrorKind::kNotFound, file.string() + ": cannot be read");
  if (const auto good = config::check_picture(std::string_view(bytes).substr(0, config::kPictureBegin), size);
      !good)
    return tl::unexpected<Error>(good.error());
  return bytes;
}

// The pictures that the batch names, by their paths in it. A file that is wrong is the farm's to explain.
std::set<fs::path> pictures_of(const std::string& text, const fs::path& file) {
  std::set<fs::path> pictures;
  if (const auto batch = config::parse_batch(text, file.string(), {}))
    for (const auto& shot : batch->shots)
      for (const auto& key : shot.key_frames) pictures.insert(key.image);
  return pictures;
}

}  // namespace

Result<Json> send_batch(Client& farm, const SubmitOptions& options) {
  const fs::path file = options.file;
  auto text = read_batch(file);
  if (!text) return tl::unexpected<Error>(text.error());
  Json pictures = Json::object();
  for (const fs::path& picture : pictures_of(*text, file)) {
    const fs::path here = file.parent_path() / picture;
    std::error_code ignored;
    // It may lie on the farm's own disks, below its picture_roots.
    if (picture.is_absolute() && !fs::exists(here, ignored)) continue;
    const auto bytes = read_picture(here);
    if (!bytes) return with_context(bytes.error(), file.string() + ": picture " + picture.string());
    const std::string digest = to_hex(digest_of(*bytes));
    const auto sent =
        farm.post("/v1/pictures/" + digest, *bytes, {{"Content-Type", "application/octet-stream"}});
    if (!sent) return with_context(sent.error(), file.string() + ": picture " + picture.string());
    pictures[picture.generic_string()] = digest;
  }
  std::map<std::string, std::string> headers;
  if (!options.idempotency_key.empty()) headers["Idempotency-Key"] = options.idempotency_key;
  const std::string path = std::string("/v1/batches?dry_run=") + (options.dry_run ? "1" : "0");
  const Json body{{"yaml", *text}, {"file", fs::absolute(file).string()}, {"pictures", pictures}};
  return farm.post(path + (options.replace ? "&replace=1" : ""), body_text(body), headers);
}

}  // namespace rushes::tools
