// rushes-worker: worker/program.cpp says how it is called.
#include "worker/program.h"

int main(int count, char** words) { return rushes::worker::run_program(count, words); }
