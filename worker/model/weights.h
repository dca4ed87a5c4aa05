// Taking weights out of a file: every tensor is asked for by name and shape, once.
//
// A loader asks for what its architecture needs and then calls finish(). The first thing that is missing, has
// a wrong shape or a dtype that is no float is reported there, as is any tensor that nobody asked for: a file
// that is only partly understood is refused, never half used. Names that begin with "in.", "out." or "mid."
// are not weights (golden files carry them beside the weights).
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"
#include "kernels/backend.h"
#include "kernels/cuda/device_fault.h"
#include "worker/model/safetensors.h"

namespace rushes::worker {

class Weights {
 public:
  // `file` and `backend` must outlive this object. Names are looked up behind `prefix`.
  Weights(const TensorFile& file, kernels::Backend& backend, std::string prefix = "");

  kernels::Backend& backend() { return backend_; }
  bool has(std::string_view name) const { return file_.has(prefix_ + std::string(name)); }
  // Shape without taking it; an error is noted and an empty shape returned when missing or of another rank.
  kernels::Shape shape(std::string_view name, std::size_t rank);

  // The stored numbers; empty (and an error noted) when missing or different.
  kernels::HostTensor take(std::string_view name, const kernels::Shape& shape);
  // On the device as kF32, under another shape of the same count if given.
  kernels::Tensor tensor(std::string_view name, const kernels::Shape& shape, kernels::Shape as = {});
  // NAME.weight [out, in] and, with `bias`, NAME.bias [out].
  kernels::LinearPtr linear(std::string_view name, std::int64_t out, std::int64_t in, bool bias = true,
                            std::optional<kernels::Precision> precision = std::nullopt);
  // NAME.weight `shape` ([Cout, Cin, kt, kh, kw] or [Cout, Cin, kh, kw]) and NAME.bias [Cout].
  kernels::Conv3dPtr conv(std::string_view name, const kernels::Shape& shape, kernels::Strides strides = {});
  // Rows [begin, end) of a 1x1 convolution or linear NAME.weight `shape` as a linear layer of their own.
  kernels::LinearPtr rows(std::string_view name, const kernels::Shape& shape, std::int64_t begin,
                          std::int64_t end);

  // Notes an error of the loader's own; the first one noted is what finish() gives.
  void error(std::string message);
  bool failed() const { return error_.has_value(); }
  // kCorrupt: the first error, or the names that nobody asked for.
  Status finish() const;

 private:
  const TensorFile& file_;
  kernels::Backend& backend_;
  std::string prefix_;
  std::set<std::string, std::less<>> taken_;
  std::optional<std::string> error_;
};

// Runs `work`, turning a broken assumption that a backend throws into an Error. A lack of memory (std::bad_alloc) and a
// GPU's fault pass: neither lies in the work, and a process whose GPU failed has to end (worker/engine/process.h).
template <typename Work>
auto guarded(const std::string& context, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const kernels::cuda::DeviceFault& fault) {
    throw kernels::cuda::DeviceFault(fault.code(), context + ": " + fault.what());
  } catch (const std::exception& broken) {
    return fail(ErrorKind::kInternal, context + ": " + broken.what());
  }
}

// Makes room for a run that takes so many bytes beside what is held now. Throws std::bad_alloc where there is none.
inline void reserve(kernels::Backend& backend, std::uint64_t bytes) {
  backend.reserve(backend.memory().in_use_bytes + bytes);
}

}  // namespace rushes::worker
