// A stand-in for tl::expected on machines without it: what kernels/, config/ and worker/model use of it, no more. In
// this build alone; the farm is built with the library.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace tl {

template <typename E>
class unexpected {
 public:
  explicit unexpected(E error) : error_(std::move(error)) {}
  const E& error() const& { return error_; }
  E&& error() && { return std::move(error_); }

 private:
  E error_;
};

template <typename T, typename E>
class expected {
 public:
  template <typename U = T>
  requires(std::is_default_constructible_v<U>) expected() : state_(std::in_place_index<0>) {}
  template <typename U = T>
  requires(std::is_constructible_v<T, U&&> && !std::is_same_v<std::remove_cvref_t<U>, expected>)
      expected(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  expected(unexpected<E> error) : state_(std::in_place_index<1>, std::move(error).error()) {}

  explicit operator bool() const { return state_.index() == 0; }
  bool has_value() const { return state_.index() == 0; }
  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  E& error() { return *std::get_if<1>(&state_); }
  const E& error() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, E> state_;
};

template <typename E>
class expected<void, E> {
 public:
  expected() = default;
  expected(unexpected<E> error) : error_(std::move(error).error()) {}

  explicit operator bool() const { return !error_; }
  bool has_value() const { return !error_; }
  E& error() { return *error_; }
  const E& error() const { return *error_; }

 private:
  std::optional<E> error_;
};

}  // namespace tl
