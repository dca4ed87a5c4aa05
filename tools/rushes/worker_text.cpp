// Workers, what they run and how their devices are.
#include <cstdio>

#include "tools/rushes/text.h"

namespace rushes::tools {
namespace {

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

// "1/2 cpu 1.5 GiB/16.0 GiB, 1/1 gpu 20.0 GiB/72.0 GiB": what is taken, of what is offered.
std::string resources_text(const Json& taken, const Json& offered) {
  std::string text;
  for (const auto& [kind, bytes] : {std::pair("cpu", "host_bytes"), std::pair("gpu", "device_bytes")}) {
    const std::string slots = std::string(kind) + "_slots";
    if (number(offered, slots.c_str()) == 0 && number(offered, bytes) == 0) continue;
    text += (text.empty() ? "" : ", ") + format("%.0f", number(taken, slots.c_str())) +
            format("/%.0f ", number(offered, slots.c_str())) + kind + " " + bytes_text(number(taken, bytes)) +
            "/" + bytes_text(number(offered, bytes));
  }
  return text;
}

// "NVIDIA H200 (9.0, driver 580.95.05)  12.3 GiB of 139.8 GiB free  54 C"
std::string device_text(const Json& device) {
  std::string text = word(device, "name");
  if (const std::string capability = word(device, "capability"); !capability.empty())
    text += " (" + capability + ", driver " + word(device, "driver") + ")";
  if (const std::string trouble = word(device, "trouble"); !trouble.empty()) return text + "  " + trouble;
  text += "  " + bytes_text(number(device, "free_bytes")) + " of " +
          bytes_text(number(device, "total_bytes")) + " free";
  if (member(device, "celsius").is_number()) text += format("  %.0f C", number(device, "celsius"));
  if (const double errors = number(device, "memory_errors"); errors > 0)
    text += "  " + counted(errors, "memory error");
  return text;
}

}  // namespace

std::string workers_text(const Json& workers, const Style& style) {
  std::string text;
  for (const Json& worker : workers) {
    const std::string since = word(worker, "since"), unheard = word(worker, "unheard_since");
    text += column(word(worker, "worker"), 20) + padded(style.state(word(worker, "state")), 12) +
            (!since.empty()     ? "since " + since
             : !unheard.empty() ? "not heard of since the scheduler started at " + unheard
                                : resources_text(member(worker, "taken"), member(worker, "resources"))) +
            (member(worker, "drained") == true && word(worker, "state") != "drained" ? ", drained" : "");
    // What it did for all shows is not told to those who see one.
    if (member(worker, "device_seconds").is_object())
      text += "  " + format("%.0f done  ", number(worker, "finished")) +
              format("%.0f failed  ", number(worker, "failed")) + cost_text(member(worker, "device_seconds"));
    text += "\n";
    for (const Json& name : list(worker, "numeric_classes"))
      if (name.is_string()) text += "  class " + name.get<std::string>() + "\n";
    for (const Json& device : list(worker, "devices")) text += "  " + device_text(device) + "\n";
    for (const Json& remark : list(worker, "remarks"))
      if (remark.is_string()) text += "  note: " + remark.get<std::string>() + "\n";
    for (const Json& task : list(worker, "running"))
      text += "  " + bar(number(task, "fraction"), 12) + " task " + task_number(task) + ", " +
              word(task, "name") + "  " + word(task, "words") + "\n";
  }
  return text.empty() ? "no worker has said hello yet\n" : text;
}

}  // namespace rushes::tools
