#include "worker/engine/host_check.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "worker/picture/colour.h"

namespace rushes::worker {
namespace {

// Empty: a file can be written there.
std::string write_problem(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return "cannot be created (" + error.message() + ")";
  std::string name = (folder / ".rushes-probe-XXXXXX").string();
  const int file = ::mkstemp(name.data());
  if (file < 0) return std::string("takes no files (") + std::strerror(errno) + ")";
  const bool wrote = ::write(file, "probe", 5) == 5 && ::fsync(file) == 0;
  const std::string why = std::strerror(errno);
  ::close(file);
  ::unlink(name.c_str());
  return wrote ? "" : "takes no files (" + why + ")";
}

}  // namespace

Status check_host(const std::filesystem::path& deliveries, const std::filesystem::path& colour) {
  std::string problems;
  const auto add = [&](const std::string& line) { problems += (problems.empty() ? "" : "\n") + line; };
  if (const auto view = DisplayView::sdr(colour.string()); !view)
    add("colour: " + view.error().message + "; movies and contact sheets need it");
  if (const std::string problem = write_problem(deliveries); !problem.empty())
    add("deliveries: " + deliveries.string() + ": " + problem + "; finished frames are written there");
  if (problems.empty()) return {};
  return fail(ErrorKind::kExhausted, problems);
}

}  // namespace rushes::worker
