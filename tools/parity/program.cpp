// rushes-parity: does this engine compute what the official model code computes?
//
//   rushes-parity FILE.safetensors... [--backend reference|cpu|cuda] [--precision fp32|bf16] [--dump DIR]
//   [--json]
//
// One line per output with its relative L2 error and the tolerance. Exit 0: all within it; 1: a miss; 2: a
// bad file or argument; 4: the backend does not exist on this host.
//
// Thread contract: one thread (the backend has its own).
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "config/command_line.h"
#include "kernels/backends.h"
#include "tools/parity/parity.h"

namespace rushes::parity {
namespace {

struct Arguments {
  std::vector<std::string> files;
  std::string backend = "cpu", precision = "fp32", dump;
  bool json = false;
  int threads = 0;
};

void print(const std::string& file, const std::vector<Compared>& results) {
  for (const Compared& r : results)
    std::printf("%-8s %s %s rel-L2 %.3e tolerance %.0e%s%s\n", r.ok ? "ok" : "MISS",
                std::filesystem::path(file).filename().c_str(), r.name.c_str(), r.relative_l2, r.tolerance,
                r.note.empty() ? "" : ": ", r.note.c_str());
}

nlohmann::json as_json(const std::string& file, const std::vector<Compared>& results) {
  nlohmann::json outputs = nlohmann::json::array();
  for (const Compared& r : results) {
    nlohmann::json item = {{"name", r.name}, {"tolerance", r.tolerance}, {"ok", r.ok}};
    item["rel_l2"] = std::isfinite(r.relative_l2) ? nlohmann::json(r.relative_l2) : nlohmann::json();
    if (!r.note.empty()) item["note"] = r.note;
    outputs.push_back(std::move(item));
  }
  return {{"file", file}, {"outputs", std::move(outputs)}};
}

// 0, 1 or 2 for one file.
int check_file(const std::string& path, const Engine& engine, const Arguments& arguments,
               nlohmann::json& report) {
  const auto bad = [&](const std::string& message) {
    std::cerr << "rushes-parity: " << message << "\n";
    report.push_back({{"file", path}, {"error", message}});
    return static_cast<int>(ExitCode::kUsage);
  };
  auto file = worker::TensorFile::open(path);
  if (!file) return bad(file.error().message);
  auto outputs = recompute(*file, engine);
  if (!outputs) return bad(outputs.error().message);
  const std::vector<Compared> results = compare(*file, *outputs);
  if (results.empty()) return bad(path + ": no 'out.*' tensor to compare with");
  if (!arguments.json) print(path, results);
  report.push_back(as_json(path, results));
  if (!arguments.dump.empty()) {
    std::error_code error;
    std::filesystem::create_directories(arguments.dump, error);
    const auto target = std::filesystem::path(arguments.dump) / std::filesystem::path(path).filename();
    if (auto ok = dump(*file, *outputs, target.string()); !ok) return bad(ok.error().message);
  }
  return std::all_of(results.begin(), results.end(), [](const Compared& r) { return r.ok; }) ? 0 : 1;
}

int run(const Arguments& arguments) {
  const auto precision = arguments.precision == "fp32" ? kernels::Precision::kF32 : kernels::Precision::kBf16;
  const auto kind = parse_word<config::Backend>(arguments.backend).value_or(config::Backend::kCpu);
  const auto made = kernels::make_backend({kind, 0, precision, arguments.threads});
  if (!made) {
    std::cerr << "rushes-parity: " << made.error().message << "\n";
    return static_cast<int>(ExitCode::kEnvironment);
  }
  kernels::Backend* backend = made->get();
  const Engine engine{backend, precision};
  int worst = 0;
  nlohmann::json files = nlohmann::json::array();
  for (const std::string& path : arguments.files)
    worst = std::max(worst, check_file(path, engine, arguments, files));
  if (arguments.json)
    std::cout << nlohmann::json({{"backend", arguments.backend},
                                 {"numeric_class", backend->numeric_class()},
                                 {"precision", arguments.precision},
                                 {"ok", worst == 0},
                                 {"files", std::move(files)}})
                     .dump(2)
              << "\n";
  return worst;
}

}  // namespace

int run_program(int argc, char** argv) {
  config::CommandLine app(
      "Recomputes golden files and compares: exit 0 within tolerance, 1 a miss, 2 a bad file");
  Arguments arguments;
  app.option("FILE", arguments.files, "golden safetensors files").required();
  app.option("--backend", arguments.backend, "reference, cpu or cuda").one_of({"reference", "cpu", "cuda"});
  app.option("--precision", arguments.precision, "fp32 or bf16").one_of({"fp32", "bf16"});
  app.option("--dump", arguments.dump, "folder for the recomputed out.* of every file");
  app.option("--threads", arguments.threads, "CPU threads, 0 = all").between(0, 1024);
  app.flag("--json", arguments.json, "the report as JSON");
  if (const auto code = app.parse(argc, argv)) return *code;
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    std::cerr << "rushes-parity: " << error.what() << "\n";
    return static_cast<int>(ExitCode::kWorkFailed);
  }
}

}  // namespace rushes::parity
