#include "kernels/cuda/attention_timing.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/library_attention.h"

namespace rushes::kernels::cuda {

namespace {

class Stopwatch {
 public:
  explicit Stopwatch(CudaDevice& device) : device_(device) {
    const auto entered = device_.enter();
    for (Event& event : events_) check(device_.api(), device_.api().event_create(&event), "cudaEventCreate");
  }
  ~Stopwatch() {
    for (const Event event : events_)
      if (event) (void)device_.api().event_destroy(event);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  void begin() { record(events_[0]); }
  double end_ms() {
    record(events_[1]);
    float ms = 0;
    check(device_.api(), device_.api().event_synchronize(events_[1]), "cudaEventSynchronize");
    check(device_.api(), device_.api().event_milliseconds(&ms, events_[0], events_[1]),
          "cudaEventElapsedTime");
    return static_cast<double>(ms);
  }

 private:
  void record(Event event) {
    const auto entered = device_.enter();
    check(device_.api(), device_.api().event_record(event, device_.stream()), "cudaEventRecord");
  }
  CudaDevice& device_;
  std::array<Event, 2> events_{};
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Speed depends on the numbers: zeros take less power, and a device clocks higher.
Tensor random_operand(Backend& backend, const AttentionShape& s, std::int64_t length, std::uint64_t seed) {
  const Tensor noise = backend.empty(DType::kF32, {1, 1, length, s.heads * s.width}),
               operand = backend.empty(DType::kBf16, {1, length, s.heads, s.width});
  NoiseSource source;
  source.seed = seed;
  backend.fill_noise(noise, {source}, {});
  backend.copy_box(noise, {0, 0, 0, 0}, operand.reshape(noise.shape()), {0, 0, 0, 0}, noise.shape());
  return operand;
}

AttentionTime time_shape(CudaDevice& device, Backend& own, Backend& library, const AttentionShape& s) {
  AttentionArguments a;
  a.heads = static_cast<int>(s.heads), a.lq = static_cast<int>(s.lq), a.lk = static_cast<int>(s.lk);
  AttentionTime time{s};
  {
    const auto entered = device.enter();
    time.library_takes = device.library_attention().takes(a, 1, static_cast<int>(s.width));
  }
  if (!time.library_takes) return time;
  const Tensor q = random_operand(own, s, s.lq, 1), k = random_operand(own, s, s.lk, 2),
               v = random_operand(own, s, s.lk, 3), y = own.empty(DType::kBf16, q.shape());
  AttentionOptions options;
  options.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(s.width)));
  // Cleared before each call: the device is busy while the host queues the call, and its cache holds none of the operands.
  const std::size_t busy_bytes = std::max(2 * device.info().l2_bytes, std::size_t{1} << 20);
  const Scratch busy(device, busy_bytes);
  Stopwatch stopwatch(device);
  std::array<std::vector<double>, 2> ms;
  for (int round = 0; round <= kTimingRounds; ++round)
    for (std::size_t form = 0; form < 2; ++form) {
      {
        const auto entered = device.enter();
        device.clear(busy.data(), busy_bytes);
      }
      stopwatch.begin();
      (form == 0 ? own : library).attention(q, k, v, y, options);
      const double taken = stopwatch.end_ms();
      if (round > 0) ms[form].push_back(taken);
    }
  time.own_ms = median(std::move(ms[0]));
  time.library_ms = median(std::move(ms[1]));
  return time;
}

}  // namespace

std::string to_string(const AttentionShape& s) {
  return std::to_string(s.heads) + "x" + std::to_string(s.width) + " " + std::to_string(s.lq) + ":" +
         std::to_string(s.lk);
}

std::vector<AttentionTime> time_attention(DeviceApi* api, int number,
                                          const std::vector<AttentionShape>& shapes) {
  CudaOptions options;
  options.device = number;
  const std::shared_ptr<CudaDevice> device = CudaDevice::open(api, number);
  const auto own = make_cuda_backend(api, options);
  options.library_attention = true;
  const auto library = make_cuda_backend(api, options);
  std::vector<AttentionTime> times;
  times.reserve(shapes.size());
  for (const AttentionShape& shape : shapes) times.push_back(time_shape(*device, *own, *library, shape));
  return times;
}

AttentionTotals totals(const std::vector<AttentionTime>& times) {
  AttentionTotals sum;
  for (const AttentionTime& time : times) {
    if (!time.library_takes) continue;
    sum.own_ms += time.own_ms;
    sum.library_ms += time.library_ms;
  }
  return sum;
}

}  // namespace rushes::kernels::cuda
