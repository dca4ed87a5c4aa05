// Numbers that cannot be mixed up, and rows by their number with an operator[] that asserts.
//
// Thread contract: as the rows; plain values.
#pragma once

#include <cassert>
#include <compare>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace rushes {

struct NoId {};
inline constexpr NoId kNoId;  // the value of an Id that names no row

// The number of a row. Tag is any type; Ids of different tags do not convert into each other. None: the number, also
// on disk and wire, of an Id that names no row.
template <class Tag, class T, T None = std::numeric_limits<T>::max()>
class Id {
 public:
  constexpr Id() = default;
  constexpr Id(NoId) {}
  constexpr explicit Id(T number) : number_(number) {}
  constexpr T number() const { return number_; }
  constexpr Id operator+(T rows) const { return Id(number_ + rows); }
  constexpr Id& operator++() { return *this = *this + 1; }
  constexpr Id operator++(int) {
    const Id before = *this;
    ++*this;
    return before;
  }
  auto operator<=>(const Id&) const = default;

 private:
  T number_ = None;
};

template <class T>
constexpr std::size_t number_of(const T& id) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<std::size_t>(id);
  else
    return static_cast<std::size_t>(id.number());
}

// Rows that are only ever added; Key is their number (an Id or an integer), from First on without gaps.
template <class Key, class Row, std::size_t First = 0, template <class...> class Container = std::vector>
class IndexedBy {
 public:
  IndexedBy() = default;
  IndexedBy(std::initializer_list<Row> rows) : rows_(rows) {}

  bool has(Key key) const { return number_of(key) >= First && number_of(key) - First < rows_.size(); }
  Row& operator[](Key key) {
    assert(has(key));
    return rows_[number_of(key) - First];
  }
  const Row& operator[](Key key) const {
    assert(has(key));
    return rows_[number_of(key) - First];
  }
  Key next_id() const { return key_at(rows_.size()); }  // of the row that is added next
  // Of a row that stands in here; only where rows lie side by side.
  Key id_of(const Row& row) const {
    const auto index = static_cast<std::size_t>(&row - rows_.data());
    assert(index < rows_.size());
    return key_at(index);
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
  static Key key_at(std::size_t index) {
    if constexpr (std::is_integral_v<Key>)
      return static_cast<Key>(First + index);
    else
      return Key(static_cast<decltype(Key().number())>(First + index));
  }

  Container<Row> rows_;
};

}  // namespace rushes

template <class Tag, class T, T None>
struct std::hash<rushes::Id<Tag, T, None>> {
  std::size_t operator()(rushes::Id<Tag, T, None> id) const noexcept { return std::hash<T>()(id.number()); }
};
