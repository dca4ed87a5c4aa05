#include "worker/picture/manifest.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "config/digest.h"
#include "config/file_kind.h"

namespace rushes::worker {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kHexDigits = 64;
constexpr int kSealedSince = 2;

tl::unexpected<Error> bad(const std::string& what) { return fail(ErrorKind::kCorrupt, what); }

bool is_digest(const Json& value) {
  return value.is_string() && value.get_ref<const std::string&>().size() == kHexDigits &&
         value.get_ref<const std::string&>().find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Where the digits of the seal stand: the last string of the text that has its key.
std::size_t place_of_seal(const std::string& text) {
  constexpr std::string_view kKey = "\"seal\": \"";
  const auto key = text.rfind(kKey);
  return key == std::string::npos ? key : key + kKey.size();
}

std::string seal_of_text(std::string text, std::size_t place) {
  text.replace(place, kHexDigits, kHexDigits, '0');
  return to_hex(digest_of(text));
}

Result<ManifestFile> read_file_entry(const Json& entry) {
  if (!entry.is_object() || !entry.contains("file") || !entry["file"].is_string() ||
      !entry.contains("bytes") || !entry["bytes"].is_number_unsigned() || !entry.contains("blake2b_256") ||
      !is_digest(entry["blake2b_256"]))
    return bad("expected files with \"file\", \"bytes\" and \"blake2b_256\"");
  ManifestFile file{entry["file"].get<std::string>(),
                    {entry["blake2b_256"].get<std::string>(), entry["bytes"].get<std::uint64_t>()}};
  if (file.name.empty() || file.name.front() == '.' || file.name.find('/') != std::string::npos)
    return bad("expected the plain name of a file, found \"" + file.name + "\"");
  return file;
}

}  // namespace

Result<FileSeal> seal_of(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path,
                                        ignored))  // before it is opened: a pipe would wait for its writer
    return fail(ErrorKind::kNotFound,
                path + ": expected a delivered file, found " + config::kind_of_file(path));
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorKind::kNotFound, path + ": the delivered file cannot be opened");
  std::vector<char> piece(std::size_t{1} << 20);
  DigestStream digest;
  FileSeal seal;
  do {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto got = static_cast<std::size_t>(file.gcount());
    digest.update({piece.data(), got});
    seal.bytes += got;
  } while (file);
  if (!file.eof()) return fail(ErrorKind::kCorrupt, path + ": the delivered file cannot be read to its end");
  seal.digest = to_hex(digest.finish());
  return seal;
}

std::string sealed(const Json& manifest) {
  Json whole = manifest;
  whole["seal"] = std::string(kHexDigits, '0');
  std::string text = whole.dump(2) + "\n";
  const std::size_t place = place_of_seal(text);
  text.replace(place, kHexDigits, seal_of_text(text, place));
  return text;
}

bool is_manifest(const std::string& text) {
  return text.find("\"blake2b_256\"") != std::string::npos || place_of_seal(text) != std::string::npos;
}

Result<Manifest> read_manifest(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return bad("expected a JSON object; the file is damaged");
  if (!json.contains("version") || !json["version"].is_number_integer() || !json.contains("files") ||
      !json["files"].is_array())
    return bad("expected \"version\" and \"files\"; the file is damaged");
  Manifest manifest;
  manifest.version = json["version"].get<int>();
  if (manifest.version >= kSealedSince || json.contains("seal")) {
    const std::size_t place = place_of_seal(text);
    if (!json.contains("seal") || !is_digest(json["seal"]) || place == std::string::npos ||
        place + kHexDigits > text.size())
      return bad("expected a \"seal\" of 64 hex digits; the file is damaged");
    if (seal_of_text(text, place) != json["seal"])
      return bad("the manifest's own \"seal\" does not fit; the file was changed");
  }
  if (json.contains("id") && json["id"].is_string()) manifest.id = json["id"].get<std::string>();
  std::set<std::string> seen;
  for (const Json& entry : json["files"]) {
    auto file = read_file_entry(entry);
    if (!file) return tl::unexpected(file.error());
    if (!seen.insert(file->name).second) return bad("\"" + file->name + "\" is listed twice");
    manifest.files.push_back(std::move(*file));
  }
  return manifest;
}

}  // namespace rushes::worker
