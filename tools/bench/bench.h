// The subcommands of rushes-bench. Each takes the arguments after its name (argv[0] is the name) and returns
// an exit code of config/result.h.
#pragma once

namespace rushes::bench {

int bench_attention(int argc, char** argv);  // the CPU backend's attention
int bench_gemm(int argc, char** argv);       // its linear layers against oneDNN
int bench_conv3d(int argc, char** argv);     // its convolutions against oneDNN
int bench_scheduler(int argc, char** argv);  // a whole farm with no-op tasks
int bench_wire(int argc, char** argv);       // control messages over CURVE
int bench_storage(int argc, char** argv);    // synced appends, replay
int bench_artifacts(int argc, char** argv);  // frames to the vault and back
int bench_agents(int argc, char** argv);     // simulated workers; started by bench_scheduler
int bench_critics(int argc, char** argv);    // what the critics find of planted faults
int bench_tabletop(int argc, char** argv);   // what the shipped model obeys of 200 held-out prompts

}  // namespace rushes::bench
