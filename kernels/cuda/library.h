// A shared library that is opened at run time: CUDA's libraries come with a driver, a toolkit or a Python package, or
// are missing.
//
// Thread contract: any thread; a library stays open until the process ends.
#pragma once

#include <string>
#include <vector>

namespace rushes::kernels::cuda {

class Library {
 public:
  // Looks for `name` ("libcudnn.so.9") in the folder of the environment variable RUSHES_CUDA_LIBRARIES, where the
  // loader looks, in /usr/local/cuda/lib64, and in site-packages/nvidia/*/lib of Python's folders.
  static Library open(const std::string& name);

  bool found() const { return handle_ != nullptr; }
  const std::string& why() const { return why_; }  // what is missing, empty when nothing is

  // Sets `function` to the library's `symbol`; a missing symbol is noted in why().
  template <typename Function>
  Library& bind(Function& function, const char* symbol) {
    function = reinterpret_cast<Function>(find(symbol));
    return *this;
  }

 private:
  void* find(const char* symbol);

  std::string name_, why_;
  void* handle_ = nullptr;
};

}  // namespace rushes::kernels::cuda
