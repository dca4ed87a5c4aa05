// Rows by their number: containers whose operator[] asserts that the row is there.
//
// Thread contract: as the rows; plain values.
#pragma once

#include <cassert>
#include <cstddef>
#include <initializer_list>
#include <utility>
#include <vector>

namespace rushes {

// Rows that are only ever added; Id is their number, from First on without gaps.
template <class Id, class Row, Id First = 0, template <class...> class Container = std::vector>
class IndexedBy {
 public:
  IndexedBy() = default;
  IndexedBy(std::initializer_list<Row> rows) : rows_(rows) {}

  bool has(Id id) const { return id >= First && id - First < rows_.size(); }
  Row& operator[](Id id) {
    assert(has(id));
    return rows_[static_cast<std::size_t>(id - First)];
  }
  const Row& operator[](Id id) const {
    assert(has(id));
    return rows_[static_cast<std::size_t>(id - First)];
  }
  Id next_id() const { return static_cast<Id>(First + rows_.size()); }  // of the row that is added next
  // Of a row that stands in here; only where rows lie side by side.
  Id id_of(const Row& row) const {
    const auto index = static_cast<std::size_t>(&row - rows_.data());
    assert(index < rows_.size());
    return static_cast<Id>(First + index);
  }

  Row& add(Row row = {}) { return rows_.emplace_back(std::move(row)); }
  std::size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  Row& front() { return rows_.front(); }
  const Row& front() const { return rows_.front(); }
  Row& back() { return rows_.back(); }
  const Row& back() const { return rows_.back(); }
  auto begin() { return rows_.begin(); }
  auto begin() const { return rows_.begin(); }
  auto end() { return rows_.end(); }
  auto end() const { return rows_.end(); }

 private:
  Container<Row> rows_;
};

}  // namespace rushes
