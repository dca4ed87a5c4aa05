// What the driver can be asked for. Each verb answers with figures, or throws with a reason.
//
// Thread contract: one thread.
#pragma once

#include <memory>

#include "tools/gpu_check/machine.h"
#include "tools/gpu_check/request.h"

namespace rushes::gpu_check {

Reply device_info(Machine& machine);
// operation.cpp: a random case of an operation, or of an attention kernel started by hand, against the reference.
Reply check_operation(Machine& machine, const Request& request);
Reply check_attention(Machine& machine, const Request& request);
std::vector<std::string> operation_names();
// fragments.cpp: the layouts of registers and shared memory that matrix instructions use, against the emulated ones.
Reply compare_fragments(Machine& machine, const Request& request);
// bandwidth.cpp: a kernel over rows or elements, or a plain copy.
Reply time_rows(Machine& machine, const Request& request);
std::vector<std::string> row_names();
// product.cpp: a square product by cuBLASLt, in bf16, and over rows in e4m3 with the rounding of x.
Reply time_product(Machine& machine, const Request& request);
Reply time_rounded_product(Machine& machine, const Request& request);

// Attention of one size: made, timed many times in turn with others, forgotten.
class AttentionBench {
 public:
  AttentionBench(Machine& machine,
                 const Request& request);  // length, heads, width; density and key_tile where listed
  ~AttentionBench();
  // The forms that this device can start, and the arithmetic of one launch: of the kept tiles alone where there is a list.
  Reply describe() const;
  // Milliseconds of `launches` launches of a form, each on other buffers, after one that is not counted.
  Reply time(const Request& request);
  // How near a form's rows are to the reference's, for some rows of some heads.
  Reply compare(const Request& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// model_step.cpp, vae_pass.cpp, draft.cpp, tabletop.cpp: models of random weights in given shapes, and the one that
// ships.
Reply time_transformer(Machine& machine, const Request& request);
Reply time_vae(Machine& machine, const Request& request);
Reply time_draft(Machine& machine, const Request& request);
Reply time_tabletop(Machine& machine, const Request& request);

}  // namespace rushes::gpu_check
