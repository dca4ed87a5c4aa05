#include "worker/agent/gpus.h"

#include <gmock/gmock.h>

#include <unistd.h>

namespace rushes::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(VisibleDevices, AreCountedWithoutTheVariable) {
  EXPECT_THAT(*visible_devices(2, nullptr), ElementsAre("0", "1"));
}

TEST(VisibleDevices, AreTheFirstOfTheVariable) {
  EXPECT_THAT(*visible_devices(2, "3, 1,0"), ElementsAre("3", "1"));
  EXPECT_THAT(*visible_devices(1, "MIG-1b2c"), ElementsAre("MIG-1b2c"));
}

TEST(VisibleDevices, MustBeEnough) {
  for (const char* variable : {"", "0", ",,"}) {
    const auto devices = visible_devices(2, variable);
    ASSERT_FALSE(devices) << variable;
    EXPECT_THAT(devices.error().message, HasSubstr("each of the 2 GPU slots needs one"));
  }
}

TEST(VisibleDevices, AreDifferentOnes) {
  const auto devices = visible_devices(2, "1,1");
  ASSERT_FALSE(devices);
  EXPECT_THAT(devices.error().message, HasSubstr("names 1 twice"));
}

// A driver with two devices, of which the second one is lost.
kernels::cuda::NvmlApi played_driver() {
  kernels::cuda::NvmlApi nvml;
  nvml.init = [] { return 0; };
  nvml.error_text = [](int status) { return status == 15 ? "GPU is lost" : "Unknown Error"; };
  nvml.driver_version = [](char* text, unsigned bytes) {
    return std::snprintf(text, bytes, "580.95.05") > 0 ? 0 : 1;
  };
  nvml.device_by_index = [](unsigned index, void** device) {
    static int devices[2];
    if (index > 1) return 2;
    *device = &devices[index];
    return index == 1 ? 15 : 0;
  };
  nvml.device_by_uuid = [](const char*, void**) { return 6; };
  nvml.uuid = [](void*, char* text, unsigned bytes) {
    return std::snprintf(text, bytes, "GPU-of-test-%d", static_cast<int>(::getpid())) > 0 ? 0 : 1;
  };
  nvml.name = [](void*, char* text, unsigned bytes) {
    return std::snprintf(text, bytes, "NVIDIA H200") > 0 ? 0 : 1;
  };
  nvml.capability = [](void*, int* major, int* minor) { return *major = 9, *minor = 0, 0; };
  nvml.memory = [](void*, kernels::cuda::NvmlMemory* memory) { return *memory = {100, 60, 40}, 0; };
  nvml.temperature = [](void*, int, unsigned* celsius) { return *celsius = 54, 0; };
  nvml.ecc_errors = [](void*, int, int, unsigned long long*) { return 3; };  // not supported
  return nvml;
}

TEST(Gpus, TellWhatTheDriverTells) {
  const auto nvml = played_driver();
  const auto gpus = Gpus::open(&nvml, "", {"0", "1"});
  ASSERT_TRUE(gpus) << gpus.error().message;
  const auto states = (*gpus)->latest();
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0], (DeviceState{"NVIDIA H200", "9.0", "580.95.05", 100, 60, 54, 0, ""}));
  EXPECT_EQ(states[1].name, "GPU 1");
  EXPECT_EQ(states[1].trouble, "NVML: GPU is lost");
}

TEST(Gpus, AreOfOneWorker) {
  const auto nvml = played_driver();
  auto first = Gpus::open(&nvml, "", {"0"});
  ASSERT_TRUE(first);
  const auto second = Gpus::open(&nvml, "", {"0"});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
  EXPECT_THAT(second.error().message, HasSubstr("another worker on this host has it"));
  first->reset();
  EXPECT_TRUE(Gpus::open(&nvml, "", {"0"})) << "the claim ends with the worker";
}

TEST(Gpus, AreClaimedWithoutADriver) {
  const std::string device = "GPU-" + std::to_string(::getpid());
  const auto gpus = Gpus::open(nullptr, "libnvidia-ml.so.1 was not found", {device});
  ASSERT_TRUE(gpus);
  EXPECT_EQ((*gpus)->latest()[0].trouble, "libnvidia-ml.so.1 was not found");
  EXPECT_FALSE(Gpus::open(nullptr, "", {device}));
  const auto odd = Gpus::open(nullptr, "", {device + std::string(300, '\xff')});
  ASSERT_TRUE(odd);
  EXPECT_LE((*odd)->latest()[0].name.size(), 128u) << "a heartbeat with more is refused";
}

}  // namespace
}  // namespace rushes::worker
