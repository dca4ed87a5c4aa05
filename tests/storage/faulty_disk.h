// A disk that tests hold up, fill and count: the machine's own file system behind a thin wrapper.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace rushes::storage {

class FaultyDisk {
 public:
  FaultyDisk() : env_(rocksdb::NewCompositeEnv(std::make_shared<Disk>(*this))) {}

  rocksdb::Env* env() { return env_.get(); }
  int syncs() const { return syncs_; }
  // While held, every sync of a log file waits.
  void hold_syncs() { set_held(true); }
  void release_syncs() { set_held(false); }
  // From now on every write of a log file says that the disk is full.
  void fill() { full_ = true; }
  void make_space() { full_ = false; }
  // Runs whenever a folder is listed: a checkpoint does that between the tables and the log.
  void on_list(std::function<void()> run) { listed_ = std::move(run); }

 private:
  void set_held(bool held) {
    {
      std::lock_guard lock(mutex_);
      held_ = held;
    }
    released_.notify_all();
  }

  class LogFile : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    LogFile(std::unique_ptr<rocksdb::FSWritableFile> file, FaultyDisk& disk)
        : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk) {}
    using FSWritableFileOwnerWrapper::Append;
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* context) override {
      if (disk_.full_) return rocksdb::IOStatus::NoSpace("planted");
      return target()->Append(data, options, context);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
      std::unique_lock lock(disk_.mutex_);
      disk_.released_.wait(lock, [&] { return !disk_.held_; });
      ++disk_.syncs_;
      lock.unlock();
      return target()->Sync(options, context);
    }

   private:
    FaultyDisk& disk_;
  };

  class Disk : public rocksdb::FileSystemWrapper {
   public:
    explicit Disk(FaultyDisk& disk) : FileSystemWrapper(rocksdb::FileSystem::Default()), disk_(disk) {}
    const char* Name() const override { return "FaultyDisk"; }
    rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* context) override {
      auto status = target()->NewWritableFile(name, options, file, context);
      if (status.ok() && name.ends_with(".log")) *file = std::make_unique<LogFile>(std::move(*file), disk_);
      return status;
    }
    rocksdb::IOStatus GetChildren(const std::string& folder, const rocksdb::IOOptions& options,
                                  std::vector<std::string>* names,
                                  rocksdb::IODebugContext* context) override {
      if (disk_.listed_) disk_.listed_();
      return target()->GetChildren(folder, options, names, context);
    }

   private:
    FaultyDisk& disk_;
  };

  std::function<void()> listed_;
  std::mutex mutex_;
  std::condition_variable released_;
  bool held_ = false;
  std::atomic<int> syncs_{0};
  std::atomic<bool> full_{false};
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace rushes::storage
