#include "tools/gpu_check/weights.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tools/gpu_check/numbers.h"

namespace rushes::gpu_check {

namespace {

constexpr std::size_t kPage = 4096;
constexpr float kDeviation = 0.02f;

struct Entry {
  std::string name;
  bool gain = false;
  std::vector<std::int64_t> shape;
  std::size_t bytes() const {
    std::size_t count = 2;
    for (const std::int64_t n : shape) count *= static_cast<std::size_t>(n);
    return count;
  }
};

// Weights first: gains are few, and lie in memory of their own.
std::vector<Entry> read_shapes(const std::string& file) {
  std::vector<Entry> entries;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    Entry entry;
    std::string kind;
    words >> entry.name >> kind;
    entry.gain = kind == "gain";
    for (std::int64_t n = 0; words >> n;) entry.shape.push_back(n);
    if (entry.shape.empty()) throw std::runtime_error(file + ": no shape in '" + line + "'");
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) throw std::runtime_error(file + " is missing or empty");
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.gain < b.gain; });
  return entries;
}

// As safetensors has it, filled with spaces so that the data begins with a page.
std::string header_of(const std::vector<Entry>& entries) {
  std::string json = "{";
  std::size_t at = 0;
  for (const Entry& entry : entries) {
    json += (json.size() > 1 ? ",\"" : "\"") + entry.name + "\":{\"dtype\":\"BF16\",\"shape\":[";
    for (std::size_t i = 0; i < entry.shape.size(); ++i)
      json += (i ? "," : "") + std::to_string(entry.shape[i]);
    json += "],\"data_offsets\":[" + std::to_string(at) + "," + std::to_string(at + entry.bytes()) + "]}";
    at += entry.bytes();
  }
  json += "}";
  json.resize((8 + json.size() + kPage - 1) / kPage * kPage - 8, ' ');
  std::string header(8, '\0');
  const std::uint64_t length = json.size();
  std::memcpy(header.data(), &length, 8);
  return header + json;
}

void* map(void* at, std::size_t bytes, int flags, int file) {
  void* mapped = mmap(at, bytes, PROT_READ | (file < 0 ? PROT_WRITE : 0), flags, file, 0);
  if (mapped == MAP_FAILED)
    throw std::runtime_error("no address space for " + std::to_string(bytes) + " bytes");
  return mapped;
}

// A file in memory with `block`'s numbers.
int block_file(const RandomBlock& block) {
  const int file = memfd_create("weights", 0);
  const std::size_t bytes = block.bits().size() * 2;
  if (file < 0 || write(file, block.bits().data(), bytes) != static_cast<ssize_t>(bytes))
    throw std::runtime_error("no memory for random weights");
  return file;
}

}  // namespace

RandomWeights::RandomWeights(const std::string& shapes_file, bool small) {
  const std::vector<Entry> entries = read_shapes(shapes_file);
  const std::string header = header_of(entries);
  std::size_t weights = 0, gains = 0;
  for (const Entry& entry : entries) (entry.gain ? gains : weights) += entry.bytes();
  bytes_ = header.size() + weights + gains;
  const RandomBlock block(31, (small ? kPage : kPage * 4096) / 2, kDeviation);
  const std::size_t period = block.bits().size() * 2, shared = weights / kPage * kPage;

  start_ = static_cast<std::byte*>(map(nullptr, bytes_, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1));
  std::byte* data = start_ + header.size();
  std::memcpy(start_, header.data(), header.size());
  const int file = block_file(block);
  for (std::size_t at = 0; at < shared; at += period)
    (void)map(data + at, std::min(period, shared - at), MAP_SHARED | MAP_FIXED, file);
  (void)close(file);
  for (std::size_t at = shared; at < weights + gains; at += 2) {
    const float value = block.at(0, at / 2);
    const std::uint16_t bits = kernels::float_to_bf16(at < weights ? value : 1.0f + 5.0f * value);
    std::memcpy(data + at, &bits, 2);
  }
  file_ = must(worker::TensorFile::over({start_, bytes_}, shapes_file));
}

RandomWeights::~RandomWeights() {
  file_.reset();
  (void)munmap(start_, bytes_);
}

}  // namespace rushes::gpu_check
