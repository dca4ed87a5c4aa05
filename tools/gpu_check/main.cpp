// What tools/gpu-check measures with: reads one request a line, answers each with one line of JSON, until its input ends.
//
// --emulate: on the software device. --portable: without the kernels of Hopper's own. A verb that fails answers {"error": ...}; after a fault of the device it adds
// "ends" and the process ends with 1, for nothing on that device can be used any more.
//
// Thread contract: one thread.
#include <cstring>
#include <exception>
#include <functional>
#include <iostream>
#include <map>

#include "kernels/cuda/device_fault.h"
#include "tools/gpu_check/verbs.h"

namespace rushes::gpu_check {
namespace {

std::vector<Reply> listed(const std::vector<std::string>& names) {
  std::vector<Reply> list(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) list[i].add("name", names[i]);
  return list;
}

using Verb = std::function<Reply(const Request&)>;

std::map<std::string, Verb> verbs(Machine& machine, std::unique_ptr<AttentionBench>& bench) {
  const auto on = [&](Reply (*verb)(Machine&, const Request&)) {
    return [&machine, verb](const Request& request) { return verb(machine, request); };
  };
  const auto opened = [&bench]() -> AttentionBench& {
    if (!bench) throw std::invalid_argument("attention_open comes first");
    return *bench;
  };
  return {
      {"info",
       [&](const Request&) {
         return device_info(machine)
             .add("operations", listed(operation_names()))
             .add("row_kernels", listed(row_names()));
       }},
      {"operation", on(check_operation)},
      {"attention_case", on(check_attention)},
      {"fragments", on(compare_fragments)},
      {"rows", on(time_rows)},
      {"product", on(time_product)},
      {"rounded_product", on(time_rounded_product)},
      {"transformer", on(time_transformer)},
      {"vae", on(time_vae)},
      {"draft", on(time_draft)},
      {"tabletop", on(time_tabletop)},
      {"attention_open",
       [&](const Request& request) {
         bench.reset();
         bench = std::make_unique<AttentionBench>(machine, request);
         return bench->describe();
       }},
      {"attention_time", [opened](const Request& request) { return opened().time(request); }},
      {"attention_compare", [opened](const Request& request) { return opened().compare(request); }},
      {"attention_close",
       [&](const Request&) {
         bench.reset();
         return Reply().add("ok", true);
       }},
  };
}

int serve(bool emulate, bool portable, std::uint64_t seed) {
  Machine machine(emulate, portable, seed);
  std::unique_ptr<AttentionBench> bench;
  const auto known = verbs(machine, bench);
  for (std::string line; std::getline(std::cin, line);) {
    bool broken = false;
    Reply reply;
    try {
      const Request request = Request::parse(line);
      const auto verb = known.find(request.verb());
      if (verb == known.end()) throw std::invalid_argument("there is no verb '" + request.verb() + "'");
      reply = verb->second(request);
    } catch (const kernels::cuda::DeviceFault& fault) {
      reply = Reply().add("error", fault.what());
      broken = true;
    } catch (const std::bad_alloc&) {
      reply = Reply().add("error", "the device, or this process, has no memory left");
    } catch (const std::exception& error) {
      reply = Reply().add("error", error.what());
    }
    if (const std::string fault = machine.fault(); !fault.empty()) {
      reply = Reply().add("error", "software device: " + fault);
      broken = true;
    }
    if (broken) reply.add("ends", true);
    std::cout << reply.text() << std::endl;
    if (broken) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace rushes::gpu_check

int main(int argc, char** argv) {
  bool emulate = false, portable = false;
  std::uint64_t seed = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--emulate") == 0) {
      emulate = true;
    } else if (std::strcmp(argv[i], "--portable") == 0) {
      portable = true;
    } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      std::cerr << "usage: rushes-gpu-check [--emulate] [--portable] [--seed N] < requests\n";
      return 2;
    }
  }
  try {
    return rushes::gpu_check::serve(emulate, portable, seed);
  } catch (const std::exception& error) {
    std::cout << rushes::gpu_check::Reply().add("error", error.what()).text() << std::endl;
    return 4;
  }
}
