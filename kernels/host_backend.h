// What the backends in host memory share: a pool of aligned memory, transfers, and operations that only move
// numbers.
//
// Thread contract: as Backend. Buffers keep their pool alive, so a tensor may outlive its backend.
#pragma once

#include <map>

#include "kernels/backend.h"

namespace rushes::kernels {

// Best-fit over large slabs (huge pages where the kernel grants them), 64-byte aligned, neighbours merged
// when freed.
class HostPool {
 public:
  HostPool() = default;
  ~HostPool();
  HostPool(const HostPool&) = delete;
  HostPool& operator=(const HostPool&) = delete;

  std::byte* take(std::size_t bytes);
  void give_back(std::byte* start, std::size_t bytes);
  void reserve(std::size_t bytes);
  Memory memory() const { return memory_; }

 private:
  void add_slab(std::size_t bytes);
  void release_unused_slabs();
  void insert_free(std::byte* start, std::size_t bytes);

  std::vector<std::pair<std::byte*, std::size_t>> slabs_;
  std::map<std::byte*, std::size_t> free_;
  Memory memory_;
};

class HostBuffer final : public Buffer {
 public:
  HostBuffer(std::shared_ptr<HostPool> pool, std::size_t bytes);
  ~HostBuffer() override;
  std::byte* data() const { return data_; }
  const HostPool* pool() const { return pool_.get(); }

 private:
  std::shared_ptr<HostPool> pool_;
  std::size_t capacity_;
  std::byte* data_;
};

// The first element of a tensor made by a host backend; throws std::invalid_argument for a foreign one.
std::byte* host_bytes(const Tensor& x);
template <typename T>
T* host_data(const Tensor& x) {
  return reinterpret_cast<T*>(host_bytes(x));
}

// Which row of [G, C] parameters belongs to which token (Modulation); checks the group values.
class RowGroups {
 public:
  RowGroups(const char* op, const Tensor& parameters, const Tensor& group, std::int64_t rows);
  const float* row(std::int64_t r) const {
    return data_ + (group_ ? group_[r] : groups_ == 1 ? 0 : r) * cols_;
  }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  const float* data_ = nullptr;
  const std::int32_t* group_ = nullptr;
  std::int64_t groups_ = 0, cols_ = 0;
};

struct HostKeyTiles final : KeyTiles {
  KeyTilePlan plan;
};
// The plan behind `options.key_tiles`, checked against the sizes of the call; null when dense.
const KeyTilePlan* host_plan(const AttentionOptions& options, std::int64_t heads, std::int64_t lq,
                             std::int64_t lk);
// Throws if a batch entry of the mask keeps no key, or if a mask comes together with a key tile list.
void check_host_mask(const AttentionOptions& options, std::int64_t batch, std::int64_t lk);

class HostBackend : public Backend {
 public:
  HostBackend() : pool_(std::make_shared<HostPool>()) {}

  Tensor empty(DType dtype, Shape shape) override;
  Tensor upload(const HostTensor& host) override;
  void download(const Tensor& x, void* out) override;
  void synchronize() override {}
  void pace() override {}
  void reserve(std::size_t bytes) override { pool_->reserve(bytes); }
  Memory memory() const override { return pool_->memory(); }
  KeyTilesPtr prepare_key_tiles(const KeyTilePlan& plan) override;

  void fill(const Tensor& x, float value) override;
  void fill_noise(const Tensor& x, const std::vector<NoiseSource>& frames, const NoisePlace& first) override;
  void copy_box(const Tensor& source, const Shape& source_start, const Tensor& target,
                const Shape& target_start, const Shape& extent) override;
  void permute(const Tensor& x, const std::vector<int>& order, const Tensor& y) override;
  void gather_rows(const Tensor& table, const Tensor& index, const Tensor& y) override;

 protected:
  // Widened to fp32 in pool memory.
  Tensor upload_f32(const HostTensor& host);

 private:
  std::shared_ptr<HostPool> pool_;
};

}  // namespace rushes::kernels
