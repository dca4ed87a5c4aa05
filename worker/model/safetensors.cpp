#include "worker/model/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "worker/model/safetensors_header.h"

namespace rushes::worker {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is read in place");

constexpr std::uint64_t kMaxHeader = 100'000'000;  // as the reference implementation

float widen_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float value = static_cast<float>(fraction) * 0x1p-24f;  // subnormal: exact in float
  return sign ? -value : value;
}

template <typename T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename T, typename Out>
void convert(std::span<const std::byte> data, std::span<Out> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<Out>(load<T>(data.data() + i * sizeof(T)));
}

// The data section must be covered exactly: no overlap, no hole, nothing behind the last tensor.
Status check_cover(const std::vector<HeaderEntry>& entries, std::uint64_t data_size) {
  std::vector<const HeaderEntry*> order;
  order.reserve(entries.size());
  for (const HeaderEntry& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const HeaderEntry* a, const HeaderEntry* b) {
    return std::tie(a->begin, a->end, a->name) < std::tie(b->begin, b->end, b->name);
  });
  std::uint64_t at = 0;
  for (const HeaderEntry* entry : order) {
    if (entry->begin != at)
      return fail(ErrorKind::kCorrupt, "tensor '" + entry->name + "': expected data to begin at " +
                                           std::to_string(at) + ", found " + std::to_string(entry->begin) +
                                           (entry->begin < at ? " (overlap)" : " (hole)"));
    at = entry->end;
  }
  if (at != data_size)
    return fail(ErrorKind::kCorrupt,
                "expected " + std::to_string(at) + " bytes of data, found " + std::to_string(data_size) +
                    (data_size < at ? " (truncated)" : " (bytes behind the last tensor)"));
  return {};
}

Status check_entry(const HeaderEntry& entry, std::uint64_t data_size) {
  std::uint64_t size = stored_size(entry.type);
  for (std::int64_t extent : entry.shape)
    if (__builtin_mul_overflow(size, static_cast<std::uint64_t>(extent), &size))
      return fail(ErrorKind::kCorrupt,
                  "tensor '" + entry.name + "': shape " + shape_text(entry.shape) + " overflows 64 bits");
  if (entry.begin > entry.end || entry.end > data_size)
    return fail(ErrorKind::kCorrupt, "tensor '" + entry.name + "': data_offsets [" +
                                         std::to_string(entry.begin) + ", " + std::to_string(entry.end) +
                                         "] outside the " + std::to_string(data_size) + " bytes of data");
  if (entry.end - entry.begin != size)
    return fail(ErrorKind::kCorrupt, "tensor '" + entry.name + "': shape " + shape_text(entry.shape) +
                                         " of " + std::string(stored_name(entry.type)) + " needs " +
                                         std::to_string(size) + " bytes, data_offsets give " +
                                         std::to_string(entry.end - entry.begin));
  return {};
}

}  // namespace

std::size_t stored_size(StoredType type) {
  switch (type) {
    case StoredType::kF64:
    case StoredType::kI64:
      return 8;
    case StoredType::kF32:
    case StoredType::kI32:
      return 4;
    case StoredType::kF16:
    case StoredType::kBF16:
      return 2;
    default:
      return 1;
  }
}

std::string_view stored_name(StoredType type) {
  switch (type) {
    case StoredType::kF32:
      return "F32";
    case StoredType::kF16:
      return "F16";
    case StoredType::kBF16:
      return "BF16";
    case StoredType::kF64:
      return "F64";
    case StoredType::kI64:
      return "I64";
    case StoredType::kI32:
      return "I32";
    case StoredType::kU8:
      return "U8";
    case StoredType::kBool:
      return "BOOL";
  }
  return "?";
}

std::int64_t StoredTensor::count() const {
  std::int64_t product = 1;
  for (std::int64_t extent : shape) product *= extent;
  return product;
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

struct TensorFile::Bytes {
  std::span<const std::byte> view;
  std::vector<std::byte> owned;
  void* mapped = nullptr;

  Bytes() = default;
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes() {
    if (mapped) ::munmap(mapped, view.size());
  }

  static Result<std::shared_ptr<const Bytes>> map(const std::string& path) {
    const int file =
        ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // of a pipe: without its writer
    if (file < 0) return fail(ErrorKind::kNotFound, path + ": cannot open: " + std::strerror(errno));
    struct stat status {};
    if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
      ::close(file);
      return fail(ErrorKind::kInvalid, path + ": expected a regular file");
    }
    auto bytes = std::make_shared<Bytes>();
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size > 0) {
      void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
      if (at == MAP_FAILED) {
        ::close(file);
        return fail(ErrorKind::kExhausted, path + ": cannot map " + std::to_string(size) + " bytes");
      }
      bytes->mapped = at;
      bytes->view = {static_cast<const std::byte*>(at), size};
    }
    ::close(file);
    return bytes;
  }
};

Status TensorFile::add(std::shared_ptr<const Bytes> bytes, const std::string& label) {
  const std::span<const std::byte> view = bytes->view;
  if (view.size() < 8)
    return fail(ErrorKind::kCorrupt, label + ": expected at least 8 bytes, found " +
                                         std::to_string(view.size()) + "; the file is truncated");
  const auto length = load<std::uint64_t>(view.data());
  if (length > kMaxHeader || length > view.size() - 8)
    return fail(ErrorKind::kCorrupt,
                label + ": header length " + std::to_string(length) + " is larger than " +
                    (length > kMaxHeader ? "the limit of " + std::to_string(kMaxHeader)
                                         : "the rest of the file, " + std::to_string(view.size() - 8)) +
                    " bytes; not a safetensors file, or truncated");
  const auto* text = reinterpret_cast<const char*>(view.data() + 8);
  auto header = parse_header({text, static_cast<std::size_t>(length)});
  if (!header) return with_context(header.error(), label);

  const std::uint64_t data_size = view.size() - 8 - length;
  for (const HeaderEntry& entry : header->entries)
    if (auto ok = check_entry(entry, data_size); !ok) return with_context(ok.error(), label);
  if (auto ok = check_cover(header->entries, data_size); !ok) return with_context(ok.error(), label);

  for (HeaderEntry& entry : header->entries) {
    StoredTensor tensor{entry.type, std::move(entry.shape),
                        view.subspan(8 + length + entry.begin, entry.end - entry.begin), files_.size()};
    if (!tensors_.emplace(entry.name, std::move(tensor)).second)
      return fail(ErrorKind::kCorrupt, label + ": tensor '" + entry.name + "' is also in another file");
  }
  for (auto& [key, value] : header->metadata) metadata_.emplace(key, value);
  files_.push_back(label);
  bytes_.push_back(std::move(bytes));
  return {};
}

Result<TensorFile> TensorFile::open(const std::string& path) {
  if (path.ends_with(".json")) return open_index(path);
  auto bytes = Bytes::map(path);
  if (!bytes) return tl::unexpected(bytes.error());
  TensorFile file;
  file.path_ = path;
  if (auto ok = file.add(*bytes, path); !ok) return tl::unexpected(ok.error());
  return file;
}

Result<TensorFile> TensorFile::open_index(const std::string& path) {
  auto bytes = Bytes::map(path);
  if (!bytes) return tl::unexpected(bytes.error());
  const std::span<const std::byte> view = (*bytes)->view;
  if (view.size() > kMaxHeader) return fail(ErrorKind::kCorrupt, path + ": index larger than 100 MB");
  auto map = parse_index({reinterpret_cast<const char*>(view.data()), view.size()});
  if (!map) return with_context(map.error(), path);

  std::set<std::string> names;
  for (const auto& [tensor, shard] : *map) names.insert(shard);
  TensorFile file;
  file.path_ = path;
  for (const std::string& name : names) {
    const std::string shard = (std::filesystem::path(path).parent_path() / name).string();
    auto shard_bytes = Bytes::map(shard);
    if (!shard_bytes) return tl::unexpected(shard_bytes.error());
    if (auto ok = file.add(*shard_bytes, shard); !ok) return tl::unexpected(ok.error());
  }
  for (const auto& [tensor, shard] : *map) {
    const StoredTensor* found = file.find(tensor);
    if (!found || std::filesystem::path(file.files_[found->file]).filename() != shard)
      return fail(ErrorKind::kCorrupt, path + ": tensor '" + tensor + "' expected in '" + shard +
                                           "', found " +
                                           (found ? "'" + file.files_[found->file] + "'" : "nowhere"));
  }
  if (map->size() != file.tensors_.size())
    return fail(ErrorKind::kCorrupt, path + ": the index names " + std::to_string(map->size()) +
                                         " tensors, its files hold " + std::to_string(file.tensors_.size()));
  return file;
}

Result<TensorFile> TensorFile::from_bytes(std::vector<std::byte> buffer, const std::string& label) {
  auto bytes = std::make_shared<Bytes>();
  bytes->owned = std::move(buffer);
  bytes->view = bytes->owned;
  TensorFile file;
  file.path_ = label;
  if (auto ok = file.add(std::move(bytes), label); !ok) return tl::unexpected(ok.error());
  return file;
}

Result<TensorFile> TensorFile::over(std::span<const std::byte> borrowed, const std::string& label) {
  auto bytes = std::make_shared<Bytes>();
  bytes->view = borrowed;
  TensorFile file;
  file.path_ = label;
  if (auto ok = file.add(std::move(bytes), label); !ok) return tl::unexpected(ok.error());
  return file;
}

const StoredTensor* TensorFile::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

Result<const StoredTensor*> TensorFile::get(std::string_view name) const {
  if (const StoredTensor* found = find(name)) return found;
  return fail(ErrorKind::kCorrupt, path_ + ": tensor '" + std::string(name) + "' is missing");
}

Result<std::vector<float>> TensorFile::floats(std::string_view name) const {
  auto tensor = get(name);
  if (!tensor) return tl::unexpected(tensor.error());
  std::vector<float> values(static_cast<std::size_t>((*tensor)->count()));
  widen(**tensor, values);
  return values;
}

Result<std::span<const float>> TensorFile::floats_in_place(std::string_view name) const {
  auto tensor = get(name);
  if (!tensor) return tl::unexpected(tensor.error());
  const std::byte* at = (*tensor)->data.data();
  if ((*tensor)->type != StoredType::kF32 || reinterpret_cast<std::uintptr_t>(at) % alignof(float) != 0)
    return fail(ErrorKind::kCorrupt, path_ + ": tensor '" + std::string(name) +
                                         "': expected aligned F32, found " +
                                         std::string(stored_name((*tensor)->type)));
  return std::span(reinterpret_cast<const float*>(at), static_cast<std::size_t>((*tensor)->count()));
}

Result<std::vector<std::int64_t>> TensorFile::integers(std::string_view name) const {
  auto tensor = get(name);
  if (!tensor) return tl::unexpected(tensor.error());
  std::vector<std::int64_t> values(static_cast<std::size_t>((*tensor)->count()));
  const std::span<std::int64_t> out(values);
  switch ((*tensor)->type) {
    case StoredType::kI64:
      convert<std::int64_t>((*tensor)->data, out);
      break;
    case StoredType::kI32:
      convert<std::int32_t>((*tensor)->data, out);
      break;
    case StoredType::kU8:
    case StoredType::kBool:
      convert<std::uint8_t>((*tensor)->data, out);
      break;
    default:
      return fail(ErrorKind::kCorrupt, path_ + ": tensor '" + std::string(name) +
                                           "': expected integers, found " +
                                           std::string(stored_name((*tensor)->type)));
  }
  return values;
}

std::optional<std::string> TensorFile::meta(std::string_view key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) return std::nullopt;
  return found->second;
}

void widen(const StoredTensor& tensor, std::span<float> out) {
  const std::byte* at = tensor.data.data();
  switch (tensor.type) {
    case StoredType::kF32:
      if (!out.empty()) std::memcpy(out.data(), at, out.size_bytes());
      break;
    case StoredType::kBF16:
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(at + 2 * i)) << 16);
      break;
    case StoredType::kF16:
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = widen_half(load<std::uint16_t>(at + 2 * i));
      break;
    case StoredType::kF64:
      convert<double>(tensor.data, out);
      break;
    case StoredType::kI64:
      convert<std::int64_t>(tensor.data, out);
      break;
    case StoredType::kI32:
      convert<std::int32_t>(tensor.data, out);
      break;
    case StoredType::kU8:
    case StoredType::kBool:
      convert<std::uint8_t>(tensor.data, out);
      break;
  }
}

TensorToWrite float_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const float> data) {
  return {std::move(name), StoredType::kF32, std::move(shape), std::as_bytes(data)};
}

TensorToWrite integer_tensor(std::string name, std::vector<std::int64_t> shape,
                             std::span<const std::int64_t> data) {
  return {std::move(name), StoredType::kI64, std::move(shape), std::as_bytes(data)};
}

namespace {

// The length of the header, and the header, padded so that the data behind it is aligned.
std::vector<std::byte> header_bytes(const std::vector<HeaderEntry>& entries,
                                    const std::map<std::string, std::string>& metadata) {
  std::string header = format_header(entries, metadata);
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::vector<std::byte> bytes(8 + header.size());
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

}  // namespace

Result<std::vector<std::byte>> write_header(const std::string& name, StoredType type,
                                            const std::vector<std::int64_t>& shape,
                                            const std::map<std::string, std::string>& metadata) {
  std::uint64_t size = stored_size(type);
  for (const std::int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(size, static_cast<std::uint64_t>(extent), &size))
      return fail(ErrorKind::kInvalid, "tensor '" + name + "': shape " + shape_text(shape) + " has no size");
  return header_bytes({{name, type, shape, 0, size}}, metadata);
}

Result<std::vector<std::byte>> write_tensors(std::vector<TensorToWrite> tensors,
                                             const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorToWrite& a, const TensorToWrite& b) {
    const std::size_t size_a = stored_size(a.type), size_b = stored_size(b.type);
    return size_a != size_b ? size_a > size_b : a.name < b.name;
  });
  std::set<std::string_view> names;
  std::uint64_t at = 0;
  std::vector<HeaderEntry> entries;
  for (const TensorToWrite& tensor : tensors) {
    HeaderEntry entry{tensor.name, tensor.type, tensor.shape, at, at + tensor.data.size()};
    if (!names.insert(tensor.name).second || tensor.name == kMetadataKey)
      return fail(ErrorKind::kInvalid, "tensor '" + tensor.name + "': name used twice or reserved");
    if (auto ok = check_entry(entry, entry.end); !ok) return fail(ErrorKind::kInvalid, ok.error().message);
    at = entry.end;
    entries.push_back(std::move(entry));
  }
  std::vector<std::byte> bytes = header_bytes(entries, metadata);
  const std::size_t begin = bytes.size();
  bytes.resize(begin + at);
  std::byte* out = bytes.data() + begin;
  for (const TensorToWrite& tensor : tensors) {
    if (!tensor.data.empty()) std::memcpy(out, tensor.data.data(), tensor.data.size());
    out += tensor.data.size();
  }
  return bytes;
}

Status write_tensor_file(const std::string& path, std::vector<TensorToWrite> tensors,
                         const std::map<std::string, std::string>& metadata) {
  auto bytes = write_tensors(std::move(tensors), metadata);
  if (!bytes) return with_context(bytes.error(), path);
  const std::string temporary = path + ".part";
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
    out.close();
    if (!out) {
      std::error_code ignored;
      std::filesystem::remove(temporary, ignored);
      return fail(ErrorKind::kExhausted, path + ": cannot write " + std::to_string(bytes->size()) + " bytes");
    }
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) return fail(ErrorKind::kExhausted, path + ": cannot rename: " + error.message());
  return {};
}

}  // namespace rushes::worker
