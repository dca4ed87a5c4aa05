#include "tests/kernels/emulator/fiber.h"

#include <sys/mman.h>

#include <new>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define RUSHES_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#define RUSHES_TSAN 1
#include <sanitizer/tsan_interface.h>
#endif

// Saves the callee's registers (System V ABI, x86-64) on the running stack, its pointer in *from, and goes on where
// `to` was saved. ucontext would do, but enters the kernel twice for the signal mask: fifty times slower.
extern "C" void rushes_switch_stack(void** from, void* to);
asm(R"(
.text
.type rushes_switch_stack, @function
rushes_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size rushes_switch_stack, .-rushes_switch_stack
)");

namespace rushes::emulator {

namespace {

constexpr std::size_t kGuard = 4096;

// Stacks are kept for the next fiber; each ends at a page that faults.
struct StackPool {
  std::vector<std::byte*> free;
  ~StackPool() {
    for (std::byte* stack : free) munmap(stack - kGuard, Fiber::kStackBytes + kGuard);
  }
};
StackPool& pool() {
  thread_local StackPool stacks;
  return stacks;
}

thread_local Fiber* running = nullptr;

std::byte* take_stack() {
  auto& free = pool().free;
  if (!free.empty()) {
    std::byte* stack = free.back();
    free.pop_back();
    return stack;
  }
  void* memory = mmap(nullptr, Fiber::kStackBytes + kGuard, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, kGuard, PROT_NONE);
  return static_cast<std::byte*>(memory) + kGuard;
}

}  // namespace

Fiber::Fiber() : stack_(take_stack()) {
#ifdef RUSHES_TSAN
  shadow_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#ifdef RUSHES_TSAN
  __tsan_destroy_fiber(shadow_);
#endif
  pool().free.push_back(stack_);
}

void Fiber::start(const std::function<void()>* body) {
  body_ = body;
  done_ = false;
  thrown_ = nullptr;
#ifdef RUSHES_ASAN
  __asan_unpoison_memory_region(stack_, kStackBytes);  // frames of a body that was given up
#endif
  // Six registers and the address that `ret` takes; 16 bytes aligned minus 8 as after a call.
  auto** top = reinterpret_cast<void**>(stack_ + kStackBytes) - 1;
  *--top = reinterpret_cast<void*>(&Fiber::enter);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  saved_ = top;
}

void Fiber::resume() {
  running = this;
#ifdef RUSHES_TSAN
  resumer_shadow_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(shadow_, 0);
#endif
#ifdef RUSHES_ASAN
  __sanitizer_start_switch_fiber(&resumer_shadow_, stack_, kStackBytes);
#endif
  rushes_switch_stack(&resumer_, saved_);
#ifdef RUSHES_ASAN
  __sanitizer_finish_switch_fiber(resumer_shadow_, nullptr, nullptr);
#endif
  running = nullptr;
  if (done_ && thrown_) std::rethrow_exception(thrown_);
}

void Fiber::yield() {
  Fiber* fiber = running;
#ifdef RUSHES_TSAN
  __tsan_switch_to_fiber(fiber->resumer_shadow_, 0);
#endif
#ifdef RUSHES_ASAN
  __sanitizer_start_switch_fiber(fiber->done_ ? nullptr : &fiber->shadow_, fiber->resumer_stack_,
                                 fiber->resumer_bytes_);
#endif
  rushes_switch_stack(&fiber->saved_, fiber->resumer_);
#ifdef RUSHES_ASAN
  __sanitizer_finish_switch_fiber(fiber->shadow_, &fiber->resumer_stack_, &fiber->resumer_bytes_);
#endif
}

void Fiber::enter() {
  Fiber* fiber = running;
#ifdef RUSHES_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &fiber->resumer_stack_, &fiber->resumer_bytes_);
#endif
  try {
    (*fiber->body_)();
  } catch (...) {
    fiber->thrown_ = std::current_exception();
  }
  fiber->done_ = true;
  yield();
  __builtin_trap();
}

}  // namespace rushes::emulator
