// rushes-parity: does this engine compute what the official model code computes? (program.cpp)
#include "tools/parity/parity.h"

int main(int argc, char** argv) { return rushes::parity::run_program(argc, argv); }
