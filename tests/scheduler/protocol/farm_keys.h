// Keys of a small farm on loopback, and waiting for what other threads do.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "scheduler/protocol/endpoint.h"
#include "tests/scheduler/protocol/folder.h"

namespace rushes::protocol::test {

struct FarmKeys {
  FarmKeys() {
    std::filesystem::create_directory(folder / "workers");
    add("worker", worker);
  }
  void add(const std::string& name, const KeyPair& keys) {
    KeyPair shown = keys;
    if (!write_keys(folder / "workers", name, shown)) std::abort();
  }
  ClientOptions client(const std::string& endpoint, const KeyPair& keys) const {
    return {endpoint, {scheduler.public_key}, keys};
  }
  rushes::test::Folder folder;
  KeyPair scheduler = *make_keys(), worker = *make_keys();
};

// What a handler was given, for the test's thread to wait for.
template <typename T>
class Inbox {
 public:
  void put(T item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    changed_.notify_all();
  }
  std::optional<T> next(std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [&] { return !items_.empty(); })) return std::nullopt;
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> items_;
};

}  // namespace rushes::protocol::test
