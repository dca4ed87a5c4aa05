#include "worker/agent/gpus.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>

#include "storage/records/text.h"

namespace rushes::worker {
namespace {

constexpr std::chrono::seconds kAskEvery{2};
constexpr std::size_t kMaxNameBytes = 128;  // of a message (wire.capnp, Device)
constexpr int kUncorrected = 1, kSinceDriver = 0, kGpuSensor = 0;

bool is_index(const std::string& device, unsigned& index) {
  const char* end = device.data() + device.size();
  return std::from_chars(device.data(), end, index).ptr == end && !device.empty();
}

}  // namespace

Result<std::vector<std::string>> visible_devices(std::size_t slots, const char* variable) {
  std::vector<std::string> devices;
  if (variable == nullptr) {
    for (std::size_t i = 0; i < slots; ++i) devices.push_back(std::to_string(i));
    return devices;
  }
  std::string word;
  for (const char* at = variable;; ++at) {
    if (*at != ',' && *at != '\0') {
      if (*at != ' ') word += *at;
      continue;
    }
    if (!word.empty()) devices.push_back(std::exchange(word, {}));
    if (*at == '\0') break;
  }
  if (devices.size() < slots)
    return fail(ErrorKind::kExhausted, "CUDA_VISIBLE_DEVICES names " + std::to_string(devices.size()) +
                                           " devices, and each of the " + std::to_string(slots) +
                                           " GPU slots needs one; set slots to " +
                                           std::to_string(devices.size()) + ", or name more");
  devices.resize(slots);
  for (auto it = devices.begin(); it != devices.end(); ++it)
    if (std::find(devices.begin(), it, *it) != it)
      return fail(ErrorKind::kExhausted,
                  "CUDA_VISIBLE_DEVICES names " + *it + " twice; a slot needs a GPU of its own");
  return devices;
}

Gpus::Gpus(const kernels::cuda::NvmlApi* nvml, std::string why, std::vector<std::string> visible)
    : nvml_(nvml), why_(std::move(why)), visible_(std::move(visible)) {}

Result<std::unique_ptr<Gpus>> Gpus::open(const kernels::cuda::NvmlApi* nvml, std::string why,
                                         std::vector<std::string> visible) {
  if (nvml != nullptr)
    if (const int status = nvml->init()) {
      why = std::string("NVML: ") + nvml->error_text(status);
      nvml = nullptr;
    }
  std::unique_ptr<Gpus> gpus(new Gpus(nvml, std::move(why), std::move(visible)));
  for (const std::string& device : gpus->visible_)
    if (Status status = gpus->claim(device); !status) return tl::unexpected(status.error());
  for (const std::string& device : gpus->visible_) gpus->latest_.push_back(gpus->ask(device));
  if (nvml != nullptr) gpus->thread_ = std::thread([watched = gpus.get()] { watched->watch(); });
  return gpus;
}

Gpus::~Gpus() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (const int claim : claims_) ::close(claim);
}

// A socket with an abstract name: one process of the host can have it, and it ends with the process.
Status Gpus::claim(const std::string& device) {
  std::string identity = device;
  if (nvml_ != nullptr) {
    int status = 0;
    std::array<char, 96> uuid{};
    void* handle = find(device, status);
    if (handle != nullptr && nvml_->uuid(handle, uuid.data(), uuid.size()) == 0) identity = uuid.data();
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = ("rushes-gpu-" + identity).substr(0, sizeof address.sun_path - 1);
  std::copy(name.begin(), name.end(), address.sun_path + 1);
  const int file = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (file < 0) return fail(ErrorKind::kExhausted, std::string("no socket: ") + std::strerror(errno));
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(file, reinterpret_cast<const sockaddr*>(&address), bytes) == 0) {
    claims_.push_back(file);
    return {};
  }
  ::close(file);
  return fail(ErrorKind::kConflict, "GPU " + device + (identity == device ? "" : " (" + identity + ")") +
                                        ": another worker on this host has it; give each worker its own with "
                                        "CUDA_VISIBLE_DEVICES");
}

void* Gpus::find(const std::string& device, int& status) const {
  void* handle = nullptr;
  unsigned index = 0;
  status = is_index(device, index) ? nvml_->device_by_index(index, &handle)
                                   : nvml_->device_by_uuid(device.c_str(), &handle);
  return status == 0 ? handle : nullptr;
}

DeviceState Gpus::ask(const std::string& device) const {
  DeviceState state;
  state.name = clean_text("GPU " + device, kMaxNameBytes);  // the words of an environment variable
  state.trouble = clean_text(why_);
  if (nvml_ == nullptr) return state;
  int status = 0;
  void* handle = find(device, status);
  kernels::cuda::NvmlMemory memory{};
  if (handle != nullptr) status = nvml_->memory(handle, &memory);
  if (status != 0) {
    state.trouble = clean_text(std::string("NVML: ") + nvml_->error_text(status));
    return state;
  }
  state.total_bytes = memory.total;
  state.free_bytes = memory.free;
  std::array<char, 96> text{};
  if (nvml_->name(handle, text.data(), text.size()) == 0) state.name = clean_text(text.data());
  if (nvml_->driver_version(text.data(), text.size()) == 0) state.driver = clean_text(text.data());
  int major = 0, minor = 0;
  if (nvml_->capability(handle, &major, &minor) == 0)
    state.capability = std::to_string(major) + "." + std::to_string(minor);
  unsigned celsius = 0;
  if (nvml_->temperature(handle, kGpuSensor, &celsius) == 0 && celsius < 1000)
    state.celsius = static_cast<std::int32_t>(celsius);
  unsigned long long errors = 0;
  if (nvml_->ecc_errors(handle, kUncorrected, kSinceDriver, &errors) == 0) state.memory_errors = errors;
  return state;
}

void Gpus::watch() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kAskEvery, [this] { return stop_; })) {
    lock.unlock();
    std::vector<DeviceState> states;
    for (const std::string& device : visible_) states.push_back(ask(device));
    lock.lock();
    latest_ = std::move(states);
  }
}

std::vector<DeviceState> Gpus::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

}  // namespace rushes::worker
