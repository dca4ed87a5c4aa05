#include "worker/engine/take_export.h"

#include <algorithm>

#include "worker/engine/delivery.h"
#include "worker/engine/take_frames.h"
#include "worker/picture/atomic_file.h"

namespace rushes::worker {
namespace {

bool has(const Task& task, Role role) { return !inputs_of(task, role).empty(); }

Result<std::vector<std::string>> export_frames(const Task& task, const LocalArtifacts& artifacts,
                                               const std::filesystem::path& folder,
                                               const ExportProgress& progress) {
  auto frames = TakeFrames::delivered(task, artifacts, task.take);
  if (!frames) return tl::unexpected(frames.error());
  const auto critique = critique_of(task, artifacts, task.take);
  if (!critique) return tl::unexpected(critique.error());
  const auto sequence = FrameFiles::create(task, folder, *critique);
  if (!sequence) return tl::unexpected(sequence.error());
  std::vector<std::string> files;
  for (int t = 0; t < frames->frames(); ++t) {
    if (Status wanted = progress(static_cast<double>(t) / frames->frames()); !wanted)
      return tl::unexpected(wanted.error());
    auto picture = frames->read({t, t + 1});
    if (!picture) return tl::unexpected(picture.error());
    picture->fps = task.delivery.fps;
    if (Status written = sequence->write(*picture, t); !written) return tl::unexpected(written.error());
    files.push_back(sequence->name(t));
  }
  return files;
}

// The bytes of each input as they are.
Result<std::vector<std::string>> export_pictures(const Task& task, const LocalArtifacts& artifacts,
                                                 const std::filesystem::path& folder,
                                                 const std::string& name) {
  std::vector<std::string> files;
  for (const Input& input : task.inputs) {
    if (input.role != Role::kProxy && input.role != Role::kSheet) continue;
    auto mapped = artifacts.open(input.digest);
    if (!mapped) return tl::unexpected(mapped.error());
    files.push_back(name + (input.role == Role::kProxy ? ".mp4" : "_contact.png"));
    const auto bytes = mapped->bytes();
    if (Status written = write_file((folder / files.back()).string(),
                                    {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        !written)
      return tl::unexpected(written.error());
  }
  return files;
}

}  // namespace

const char* export_kind(const Task& task) {
  if (has(task, Role::kProxy) || has(task, Role::kSheet)) return "proxy";
  return task.delivery.master ? "master" : "draft";
}

Result<std::string> export_name(const Task& task) {
  std::string name = task.shot + "_" + export_kind(task) + "_" + task.delivery.version;
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.'; };
  if (name.front() == '.' || !std::all_of(name.begin(), name.end(), plain))
    return fail(ErrorKind::kInvalid,
                "\"" + name + "\": expected letters, digits, '-', '_' and '.' in a name");
  return name;
}

Result<std::vector<std::string>> export_take(const Task& task, const LocalArtifacts& artifacts,
                                             const std::filesystem::path& folder,
                                             const ExportProgress& progress) {
  const auto name = export_name(task);
  if (!name) return tl::unexpected(name.error());
  if (has(task, Role::kFrames)) return export_frames(task, artifacts, folder, progress);
  return export_pictures(task, artifacts, folder, *name);
}

}  // namespace rushes::worker
