#include "kernels/cuda/library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

namespace rushes::kernels::cuda {

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> subfolders(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.is_directory(error)) found.push_back(entry.path());
  return found;
}

// PREFIX/lib/python3*/{site,dist}-packages/nvidia/*/lib
std::vector<fs::path> python_folders() {
  std::vector<fs::path> prefixes = {"/usr", "/usr/local", "/opt/conda"};
  if (const char* environment = std::getenv("VIRTUAL_ENV")) prefixes.insert(prefixes.begin(), environment);
  std::vector<fs::path> folders;
  for (const fs::path& prefix : prefixes)
    for (const fs::path& python : subfolders(prefix / "lib"))
      if (python.filename().string().starts_with("python3"))
        for (const char* packages : {"site-packages", "dist-packages"})
          for (const fs::path& package : subfolders(python / packages / "nvidia"))
            folders.push_back(package / "lib");
  return folders;
}

void* try_open(const fs::path& file) { return dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL); }

}  // namespace

Library Library::open(const std::string& name) {
  Library library;
  library.name_ = name;
  if (const char* folder = std::getenv("RUSHES_CUDA_LIBRARIES")) {
    library.handle_ = try_open(fs::path(folder) / name);
  } else {
    library.handle_ = try_open(name);
    if (!library.handle_) library.handle_ = try_open(fs::path("/usr/local/cuda/lib64") / name);
    if (!library.handle_)
      for (const fs::path& at : python_folders())
        if ((library.handle_ = try_open(at / name))) break;
  }
  if (!library.handle_)
    library.why_ = name + " was not found; install it, or set RUSHES_CUDA_LIBRARIES to its folder";
  return library;
}

void* Library::find(const char* symbol) {
  if (!handle_) return nullptr;
  void* address = dlsym(handle_, symbol);
  if (!address && why_.empty()) why_ = name_ + " has no " + symbol + "; install a newer one";
  return address;
}

}  // namespace rushes::kernels::cuda
