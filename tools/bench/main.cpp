// rushes-bench: measures rooms of the house. `rushes-bench NAME --help` says what NAME measures.
#include <cstdio>
#include <cstring>
#include <exception>
#include <iterator>

#include "config/command_line.h"
#include "config/log.h"
#include "tools/bench/bench.h"

namespace {

struct Command {
  const char* name;
  const char* summary;
  int (*run)(int argc, char** argv);
};

// One line per subcommand; its code is in tools/bench/NAME.cpp.
constexpr Command kCommands[] = {
    {"attention", "the CPU backend's attention", rushes::bench::bench_attention},
    {"gemm", "its linear layers against oneDNN", rushes::bench::bench_gemm},
    {"conv3d", "its convolutions against oneDNN", rushes::bench::bench_conv3d},
    {"scheduler", "a whole farm with no-op tasks: lifecycles, latencies, recovery",
     rushes::bench::bench_scheduler},
    {"wire", "control messages over CURVE", rushes::bench::bench_wire},
    {"storage", "the ledger: synced appends and replay", rushes::bench::bench_storage},
    {"artifacts", "frames from a worker to the vault and back", rushes::bench::bench_artifacts},
    {"agents", "simulated workers (started by scheduler)", rushes::bench::bench_agents},
    {"critics", "what the critics find of planted faults", rushes::bench::bench_critics},
    {"tabletop", "how well the shipped model obeys captions", rushes::bench::bench_tabletop},
};

int usage(FILE* out) {
  std::fprintf(out, "usage: rushes-bench COMMAND [options]\n\n");
  for (const Command& command : kCommands) std::fprintf(out, "  %-12s %s\n", command.name, command.summary);
  return out == stdout ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return usage(stderr);
  if (std::strcmp(argv[1], "--help") == 0) return usage(stdout);
  if (std::strcmp(argv[1], "--version") == 0)
    return std::printf("%s\n", rushes::config::version().c_str()) < 0;
  rushes::log::name_process("bench");  // the standard output is for figures, which may be JSON
  for (const Command& command : kCommands) {
    if (std::strcmp(argv[1], command.name) != 0) continue;
    try {
      return command.run(argc - 1, argv + 1);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "rushes-bench %s: %s\n", command.name, error.what());
      return 1;
    }
  }
  std::fprintf(stderr, "rushes-bench: no command \"%s\"\n", argv[1]);
  return usage(stderr);
}
