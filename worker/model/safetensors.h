// Safetensors: reading weights and artifacts, writing artifacts.
//
// Layout (https://github.com/huggingface/safetensors#format): 8-byte little-endian header length N, N bytes
// of JSON {"name": {"dtype", "shape", "data_offsets"}, "__metadata__": {string: string}}, then the data. Here
// a file is hostile until read: header length, JSON depth, every offset, shape product and dtype are checked,
// overlaps, holes and duplicates are refused, and nothing is read outside the file.
//
// A file is memory-mapped and never copied; a sharded checkpoint is opened through its index json
// ("weight_map": {name: file}). A file must not be truncated while it is mapped (weights are verified by
// digest first and never changed in place).
//
// Thread contract: an opened file is immutable; any number of threads may read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"

namespace rushes::worker {

// Element types as files name them. FP8 files are refused by name when opened.
enum class StoredType { kF32, kF16, kBF16, kF64, kI64, kI32, kU8, kBool };

std::size_t stored_size(StoredType type);       // bytes per element
std::string_view stored_name(StoredType type);  // "F32", ...

// One tensor inside an open file; `data` is valid while the file lives and may be unaligned.
struct StoredTensor {
  StoredType type = StoredType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
  std::size_t file = 0;  // index into TensorFile::files()

  std::int64_t count() const;  // product of the shape
};

std::string shape_text(std::span<const std::int64_t> shape);  // "[2, 3]"

class TensorFile {
 public:
  // A .safetensors file, or the .json index of a sharded checkpoint.
  // Errors: kNotFound, kCorrupt (with the file's name, what was expected and what was found).
  static Result<TensorFile> open(const std::string& path);
  // The same checks on bytes in memory (an artifact); `label` stands for the file name in messages.
  static Result<TensorFile> from_bytes(std::vector<std::byte> bytes, const std::string& label);
  // The same on bytes that the caller keeps for as long as this object lives (a mapped artifact): nothing is
  // copied, and only the header is touched.
  static Result<TensorFile> over(std::span<const std::byte> bytes, const std::string& label);

  const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }
  const std::vector<std::string>& files() const { return files_; }
  const std::string& path() const { return path_; }

  const StoredTensor* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  // kCorrupt with name and file when it is missing.
  Result<const StoredTensor*> get(std::string_view name) const;
  // Elements widened to float (F32, F16, BF16, F64, integers) or taken as int64 (integers and bool only).
  Result<std::vector<float>> floats(std::string_view name) const;
  Result<std::vector<std::int64_t>> integers(std::string_view name) const;
  // The elements where they lie, valid while the file's bytes are. kCorrupt unless they are aligned F32.
  Result<std::span<const float>> floats_in_place(std::string_view name) const;
  std::optional<std::string> meta(std::string_view key) const;

 private:
  struct Bytes;  // a mapping, an owned buffer or the caller's bytes
  Status add(std::shared_ptr<const Bytes> bytes, const std::string& label);
  static Result<TensorFile> open_index(const std::string& path);

  std::string path_;
  std::vector<std::string> files_;
  std::vector<std::shared_ptr<const Bytes>> bytes_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

// Widens any stored element type to float. `out` has tensor.count() elements.
void widen(const StoredTensor& tensor, std::span<float> out);

// What the writer takes. The bytes of a file depend on the content only: tensors are ordered by element size
// (largest first, which keeps every tensor aligned) and then by name, metadata by key.
struct TensorToWrite {
  std::string name;
  StoredType type = StoredType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
};
TensorToWrite float_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const float> data);
TensorToWrite integer_tensor(std::string name, std::vector<std::int64_t> shape,
                             std::span<const std::int64_t> data);

// kInvalid: a duplicate or reserved name, or a shape that does not fit the data.
Result<std::vector<std::byte>> write_tensors(std::vector<TensorToWrite> tensors,
                                             const std::map<std::string, std::string>& metadata);
// What a file of one tensor begins with; the tensor's data follows it. For writers that make the data piece by
// piece: the file is the one that write_tensors() makes.
Result<std::vector<std::byte>> write_header(const std::string& name, StoredType type,
                                            const std::vector<std::int64_t>& shape,
                                            const std::map<std::string, std::string>& metadata);
// Writes to a temporary name beside `path` and renames it. kExhausted when the disk does not take it.
Status write_tensor_file(const std::string& path, std::vector<TensorToWrite> tensors,
                         const std::map<std::string, std::string>& metadata);

}  // namespace rushes::worker
