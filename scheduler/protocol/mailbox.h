// A queue into a thread that sleeps in poll(): any thread puts, the owner wakes on the descriptor and takes
// all.
//
// Thread contract: put() from any thread; take() and descriptor() by the owner.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

namespace rushes::protocol {

template <typename T>
class Mailbox {
 public:
  Mailbox() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox() { ::close(event_); }

  // Only the first item of a queue wakes the owner: take() empties the descriptor before it takes the items,
  // so a later one is either taken with the first or is again the first.
  template <class Item = T>
  void put(Item&& item) {
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      first = items_.empty();
      items_.emplace_back(std::forward<Item>(item));
    }
    if (first) wake();
  }
  // Wakes the owner without an item: it has a flag to look at.
  void wake() {
    const std::uint64_t one = 1;
    // Fails only when the counter is at its limit, and then the owner is already being woken.
    [[maybe_unused]] const auto written = ::write(event_, &one, sizeof one);
  }
  std::deque<T> take() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read =
        ::read(event_, &count, sizeof count);  // nothing to read: a spurious wake-up
    const std::lock_guard lock(mutex_);
    return std::exchange(items_, {});
  }
  int descriptor() const { return event_; }

 private:
  int event_;
  std::mutex mutex_;
  std::deque<T> items_;
};

}  // namespace rushes::protocol
