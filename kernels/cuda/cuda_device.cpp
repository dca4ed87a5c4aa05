#include "kernels/cuda/cuda_device.h"

#include <algorithm>
#include <map>

#include "kernels/cuda/convolutions.h"
#include "kernels/cuda/library_attention.h"
#include "kernels/cuda/products.h"

namespace rushes::kernels::cuda {

namespace {

constexpr std::size_t kPinnedBytes = std::size_t{4} << 20;
constexpr std::size_t kOldestBlas = 130000, kOldestDnn = 91500;

// 91900 -> "9.19.0"; both libraries count 10000, 100, 1.
std::string version_text(std::size_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

std::string too_old(const char* library, std::size_t version, std::size_t oldest) {
  if (version >= oldest) return "";
  return std::string(library) + " " + version_text(version) + " is older than " + version_text(oldest) +
         ", the first that computes rightly here; install a newer one";
}

std::string why_no_libraries(DeviceApi& api) {
  std::string why;
  const BlasApi* blas = api.blas(&why);
  if (!blas) return why;
  if (why = too_old("cuBLASLt", blas->version(), kOldestBlas); !why.empty()) return why;
  const DnnApi* dnn = api.dnn(&why);
  if (!dnn) return why;
  return too_old("cuDNN", dnn->version(), kOldestDnn);
}

std::string why_no_device(DeviceApi& api, int number) {
  int count = 0;
  const int error = api.device_count(&count);
  if (error == kOldDriver)
    return "no NVIDIA driver, or one older than CUDA 13, answers (cudaErrorInsufficientDriver); install "
           "driver 580 or "
           "later";
  if (error == kNoDevice || (error == kSuccess && count == 0))
    return "this machine has no NVIDIA GPU (cudaErrorNoDevice)";
  if (error != kSuccess) return std::string("cudaGetDeviceCount answered ") + api.error_name(error);
  if (number < 0 || number >= count)
    return "there is no device " + std::to_string(number) + ": this machine has devices 0 to " +
           std::to_string(count - 1) + "; choose one of them";
  DeviceInfo info;
  if (const int no_info = api.device_info(number, &info))
    return "device " + std::to_string(number) + " does not answer (" + api.error_name(no_info) + ")";
  if (info.major < 8)
    return info.name + " has compute capability " + std::to_string(info.major) + "." +
           std::to_string(info.minor) + ", and 8.0 or higher is needed";
  return "";
}

std::mutex registry_mutex;
std::map<std::pair<DeviceApi*, int>, std::weak_ptr<CudaDevice>>& registry() {
  static std::map<std::pair<DeviceApi*, int>, std::weak_ptr<CudaDevice>> devices;
  return devices;
}

}  // namespace

std::string CudaDevice::why_not(DeviceApi* api, int number) {
  std::string why =
      api ? why_no_device(*api, number) : "this build has no CUDA engine (it was built without nvcc)";
  if (why.empty()) why = why_no_libraries(*api);
  return why.empty() ? "" : "backend cuda: " + why + "; or use --backend cpu";
}

std::shared_ptr<CudaDevice> CudaDevice::open(DeviceApi* api, int number) {
  const std::lock_guard lock(registry_mutex);
  std::weak_ptr<CudaDevice>& known = registry()[{api, number}];
  if (auto device = known.lock()) return device;
  if (const std::string why = why_not(api, number); !why.empty()) throw DeviceFault(kNoDevice, why);
  const std::shared_ptr<CudaDevice> device(new CudaDevice(*api, number));
  known = device;
  return device;
}

std::string CudaDevice::engines() const {
  return "cuBLASLt " + version_text(products_->api().version()) + ", " + dnn_->version() + ", " +
         std::to_string(info_.multiprocessors) + " multiprocessors";
}

CudaDevice::CudaDevice(DeviceApi& api, int number) : api_(api), number_(number) {
  try {
    const auto entered = enter();
    check(api_, api_.device_info(number_, &info_), "cudaGetDeviceProperties");
    check(api_, api_.stream_create(&stream_), "cudaStreamCreateWithFlags");
    for (Event& event : paces_) check(api_, api_.event_create(&event), "cudaEventCreate");
    check(api_, api_.malloc_host(&pinned_, kPinnedBytes), "cudaMallocHost");
    arena_ = std::make_unique<Arena>(api_, number_, stream_);
    products_ = std::make_unique<Products>(*this);
    dnn_ = std::make_unique<Dnn>(*this);
    convolutions_ = std::make_unique<Convolutions>(*dnn_);
    library_attention_ = std::make_unique<LibraryAttention>(*dnn_);
  } catch (...) {
    close();
    throw;
  }
}

CudaDevice::~CudaDevice() { close(); }

// Errors have no address here: a device that is gone has nothing left to free.
void CudaDevice::close() noexcept {
  (void)api_.set_device(number_);
  if (stream_) (void)api_.stream_synchronize(stream_);
  library_attention_.reset();
  convolutions_.reset();
  dnn_.reset();
  products_.reset();
  arena_.reset();
  (void)api_.free_host(pinned_);
  for (const Event event : paces_)
    if (event) (void)api_.event_destroy(event);
  if (stream_) (void)api_.stream_destroy(stream_);
}

std::unique_lock<std::recursive_mutex> CudaDevice::enter() {
  std::unique_lock lock(mutex_);
  check(api_, api_.set_device(number_), "cudaSetDevice");
  return lock;
}

void CudaDevice::clear(void* start, std::size_t bytes) {
  if (bytes) check(api_, api_.memset_async(start, 0, bytes, stream_), "cudaMemsetAsync");
}

void CudaDevice::synchronize() {
  check(api_, api_.stream_synchronize(stream_), "cudaStreamSynchronize");
  pinned_used_ = 0;
}

void CudaDevice::pace() {
  check(api_, api_.event_record(paces_[turn_], stream_), "cudaEventRecord");
  turn_ = 1 - turn_;
  check(api_, api_.event_synchronize(paces_[turn_]), "cudaEventSynchronize");
}

void CudaDevice::upload(void* to, std::size_t bytes, const Write& write) {
  if (!api_.computes()) return;
  for (std::size_t done = 0; done < bytes;) {
    if (pinned_used_ == kPinnedBytes) synchronize();
    const std::size_t piece = std::min(bytes - done, kPinnedBytes - pinned_used_);
    std::byte* pinned = static_cast<std::byte*>(pinned_) + pinned_used_;
    write(pinned, done, piece);
    check(api_,
          api_.memcpy_async(static_cast<std::byte*>(to) + done, pinned, piece, CopyKind::kToDevice, stream_),
          "cudaMemcpyAsync");
    done += piece;
    pinned_used_ = std::min(kPinnedBytes, (pinned_used_ + piece + 63) / 64 * 64);
  }
}

void CudaDevice::download(const void* from, std::size_t bytes, const Read& read) {
  if (pinned_used_) synchronize();
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t piece = std::min(bytes - done, kPinnedBytes);
    check(api_,
          api_.memcpy_async(pinned_, static_cast<const std::byte*>(from) + done, piece, CopyKind::kToHost,
                            stream_),
          "cudaMemcpyAsync");
    synchronize();
    read(static_cast<const std::byte*>(pinned_), done, piece);
    done += piece;
  }
}

}  // namespace rushes::kernels::cuda
