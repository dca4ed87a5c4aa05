// A file or folder that one program at a time works on: the others wait. The kernel ends the lock with the process.
//
// Thread contract: one ExclusiveLock belongs to one thread.
#pragma once

#include <sys/file.h>
#include <unistd.h>

namespace rushes::config {

// Takes the descriptor, and waits for the lock on it. A negative one, or a file system without locks: nothing is locked.
class ExclusiveLock {
 public:
  explicit ExclusiveLock(int file) : file_(file) {
    if (file_ >= 0) ::flock(file_, LOCK_EX);
  }
  ~ExclusiveLock() {
    if (file_ >= 0) ::close(file_);
  }
  ExclusiveLock(const ExclusiveLock&) = delete;
  ExclusiveLock& operator=(const ExclusiveLock&) = delete;

 private:
  const int file_;
};

}  // namespace rushes::config
