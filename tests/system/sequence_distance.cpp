// sequence-distance A B: how far two EXR sequences are apart, as ||A - B|| / ||B|| over all numbers. Exit 1: they cannot
// be read, or have other sizes.
//
// Thread contract: one thread.
#include <cmath>
#include <cstdio>

#include "worker/picture/sequence.h"

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "usage: sequence-distance A B\n");
    return 2;
  }
  const auto a = rushes::worker::load_sequence(words[1]), b = rushes::worker::load_sequence(words[2]);
  if (!a || !b) {
    std::fprintf(stderr, "sequence-distance: %s\n", (a ? b : a).error().message.c_str());
    return 1;
  }
  const auto &left = a->clip.pixels, &right = b->clip.pixels;
  if (a->clip.width != b->clip.width || a->clip.frames != b->clip.frames || left.size() != right.size()) {
    std::fprintf(stderr, "sequence-distance: other sizes\n");
    return 1;
  }
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const double x = static_cast<double>(left[i]), y = static_cast<double>(right[i]);
    difference += (x - y) * (x - y);
    norm += y * y;
  }
  std::printf("%.9g\n", std::sqrt(difference / norm));
  return 0;
}
