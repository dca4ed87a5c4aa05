// write-tiny-model FOLDER: a model with random weights at toy sizes (tests/worker/model/tiny_model.h), with heads of 64
// as real models have them: attention kernels of GPUs take no others.
//
// Thread contract: one thread.
#include <cstdio>

#include "tests/worker/model/tiny_model.h"

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "usage: write-tiny-model FOLDER\n");
    return 2;
  }
  rushes::worker::TinyModel model;
  model.size = {64, 64};
  model.head_dim = 64;
  const auto written = rushes::worker::write_tiny_model(words[1], model);
  if (written) return 0;
  std::fprintf(stderr, "write-tiny-model: %s\n", written.error().message.c_str());
  return 1;
}
