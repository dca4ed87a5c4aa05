#include "config/interrupt.h"

#include <csignal>

namespace rushes::config {
namespace {

volatile std::sig_atomic_t noted = 0;

}  // namespace

void watch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { noted = signal; };
  action.sa_flags = SA_RESETHAND;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

int interrupted() { return noted; }

}  // namespace rushes::config
