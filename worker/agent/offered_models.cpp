#include "worker/agent/offered_models.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "config/digest.h"
#include "config/log.h"
#include "config/model.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

struct Seen {
  std::uint64_t bytes = 0;
  std::int64_t changed_ns = 0;
  std::string digest;
};

// One line a file: digest, size, modification time, path. A line that does not read is forgotten.
std::map<std::string, Seen> read_memory(const fs::path& file) {
  std::map<std::string, Seen> memory;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    Seen seen;
    std::string path;
    if (words >> seen.digest >> seen.bytes >> seen.changed_ns && std::getline(words >> std::ws, path) &&
        seen.digest.starts_with(config::kDigestPrefix))
      memory[path] = seen;
  }
  return memory;
}

void write_memory(const fs::path& file, const std::map<std::string, Seen>& memory) {
  const fs::path fresh = fs::path(file) += ".new";
  std::ofstream stream(fresh, std::ios::trunc);
  for (const auto& [path, seen] : memory)
    stream << seen.digest << ' ' << seen.bytes << ' ' << seen.changed_ns << ' ' << path << '\n';
  stream.close();
  std::error_code ignored;  // without it the next start reads the weights again
  if (stream) fs::rename(fresh, file, ignored);
}

Result<std::string> digest_of(const fs::path& file, std::map<std::string, Seen>& memory) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0)
    return fail(ErrorKind::kNotFound, file.string() + ": the weight file is missing");
  const auto bytes = static_cast<std::uint64_t>(info.st_size);
  const std::int64_t changed = info.st_mtim.tv_sec * 1'000'000'000ll + info.st_mtim.tv_nsec;
  const std::string path = fs::absolute(file).lexically_normal().string();
  const auto known = memory.find(path);
  if (known != memory.end() && known->second.bytes == bytes && known->second.changed_ns == changed)
    return known->second.digest;
  auto digest = config::file_digest(file);
  if (digest) memory[path] = {bytes, changed, *digest};
  return digest;
}

Status verify(const config::ModelManifest& manifest, std::map<std::string, Seen>& memory) {
  for (const auto& [role, file] : manifest.files) {
    const auto digest = digest_of(file.path, memory);
    if (!digest) return with_context(digest.error(), "model " + manifest.name);
    if (*digest != file.digest)
      return fail(ErrorKind::kCorrupt, "model " + manifest.name + ": " + file.path.string() +
                                           ": expected digest " + file.digest + ", found " + *digest +
                                           "; fetch the file again");
  }
  return {};
}

std::string mebibytes(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

Result<Digest> digest_of(const config::ModelManifest& manifest) {
  const std::string text = config::model_digest(manifest);
  return digest_from_hex(std::string_view(text).substr(config::kDigestPrefix.size()));
}

}  // namespace

Result<OfferedModels> offered_models(const std::vector<fs::path>& roots, const fs::path& memory_file,
                                     std::uint64_t gpu_bytes) {
  std::map<std::string, Seen> memory = read_memory(memory_file);
  OfferedModels found;
  std::optional<Error> first;
  const auto leave_out = [&](const Error& error) {
    log::error("{}", error.message);
    found.left_out.push_back(error.message);
    if (!first) first = error;
  };
  for (const std::string& name : config::list_models(roots)) {
    const auto manifest = config::find_model(name, roots);
    if (!manifest) {
      leave_out(manifest.error());
    } else if (const std::uint64_t weights = manifest->memory.weights;
               gpu_bytes > 0 && weights >= gpu_bytes) {
      leave_out({ErrorKind::kExhausted, "model " + name + ": its weights take " + mebibytes(weights) +
                                            " of a GPU, which has " + mebibytes(gpu_bytes) + " here"});
    } else if (auto verified = verify(*manifest, memory); !verified) {
      leave_out(verified.error());
    } else if (const auto digest = digest_of(*manifest); !digest) {
      leave_out(digest.error());
    } else {
      found.models.push_back({name, *digest});
      found.most_weights = std::max(found.most_weights, manifest->memory.weights);
    }
  }
  write_memory(memory_file, memory);
  if (!found.models.empty()) return found;
  if (first) return tl::unexpected(*first);
  std::string where;
  for (const fs::path& root : roots) where += (where.empty() ? "" : ", ") + root.string();
  return fail(ErrorKind::kNotFound,
              "model_roots: expected at least one NAME/model.yaml in " + where + ", found none");
}

}  // namespace rushes::worker
