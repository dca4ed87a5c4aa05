// A thread of a software device: a stack of its own that runs until it yields.
//
// Thread contract: a fiber is resumed by the thread that made it; fibers of one host thread nest no deeper than one.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>

namespace rushes::emulator {

class Fiber {
 public:
  Fiber();  // takes a stack of kStackBytes from the pool
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next resume() begins `body`. Only on a fiber that is done.
  void start(const std::function<void()>* body);
  // Runs until the fiber yields or ends; throws what the body threw.
  void resume();
  bool done() const { return done_; }

  static void yield();  // from inside a fiber

  static constexpr std::size_t kStackBytes = 256 << 10;

 private:
  static void enter();

  std::byte* stack_;
  void* saved_ = nullptr;    // stack pointer while another one runs
  void* resumer_ = nullptr;  // of who resumed it
  const std::function<void()>* body_ = nullptr;
  std::exception_ptr thrown_;
  bool done_ = true;
  void* shadow_ = nullptr;          // the sanitizers' own state of this fiber
  void* resumer_shadow_ = nullptr;  // and of who resumed it
  const void* resumer_stack_ = nullptr;
  std::size_t resumer_bytes_ = 0;
};

}  // namespace rushes::emulator
