// A stand-in for nlohmann::json on machines without it: what worker/model/safetensors_header.cpp uses of it, no more.
// Reading is a stream of events over strict JSON; writing makes objects of strings and of lists of numbers. In this
// build alone; the farm is built with the library.
#pragma once

#include <charconv>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nlohmann {

namespace detail {
class exception : public std::exception {};
}  // namespace detail

class json {
 public:
  using number_integer_t = std::int64_t;
  using number_unsigned_t = std::uint64_t;
  using number_float_t = double;
  using string_t = std::string;
  using binary_t = std::vector<std::uint8_t>;
  enum class error_handler_t { strict, replace, ignore };

  template <typename Sax>
  static bool sax_parse(const char* begin, const char* end, Sax* sax);
};

template <typename Json>
class json_sax {
 public:
  using number_integer_t = typename Json::number_integer_t;
  using number_unsigned_t = typename Json::number_unsigned_t;
  using number_float_t = typename Json::number_float_t;
  using string_t = typename Json::string_t;
  using binary_t = typename Json::binary_t;

  virtual ~json_sax() = default;
  virtual bool null() = 0;
  virtual bool boolean(bool value) = 0;
  virtual bool number_integer(number_integer_t value) = 0;
  virtual bool number_unsigned(number_unsigned_t value) = 0;
  virtual bool number_float(number_float_t value, const string_t& text) = 0;
  virtual bool string(string_t& value) = 0;
  virtual bool binary(binary_t& value) = 0;
  virtual bool start_object(std::size_t elements) = 0;
  virtual bool key(string_t& value) = 0;
  virtual bool end_object() = 0;
  virtual bool start_array(std::size_t elements) = 0;
  virtual bool end_array() = 0;
  virtual bool parse_error(std::size_t position, const std::string& token,
                           const detail::exception& error) = 0;
};

namespace detail {

template <typename Sax>
class reader {
 public:
  reader(const char* begin, const char* end, Sax* sax) : begin_(begin), at_(begin), end_(end), sax_(sax) {}

  bool document() {
    if (!value(0)) return false;
    space();
    return at_ == end_ || broken();
  }

 private:
  bool broken() { return sax_->parse_error(static_cast<std::size_t>(at_ - begin_), "", {}), false; }
  void space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool next(char wanted) {
    space();
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view text) {
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, text.size()) != text)
      return false;
    at_ += text.size();
    return true;
  }

  bool value(int depth) {
    if (depth > 64) return broken();
    space();
    if (at_ == end_) return broken();
    if (next('{')) return object(depth);
    if (next('[')) return array(depth);
    if (*at_ == '"') {
      std::string text;
      return quoted(text) ? sax_->string(text) : broken();
    }
    if (word("null")) return sax_->null();
    if (word("true")) return sax_->boolean(true);
    if (word("false")) return sax_->boolean(false);
    return number();
  }

  bool object(int depth) {
    if (!sax_->start_object(static_cast<std::size_t>(-1))) return false;
    if (next('}')) return sax_->end_object();
    do {
      std::string name;
      space();
      if (!quoted(name)) return broken();
      if (!sax_->key(name)) return false;
      if (!next(':')) return broken();
      if (!value(depth + 1)) return false;
    } while (next(','));
    return next('}') ? sax_->end_object() : broken();
  }

  bool array(int depth) {
    if (!sax_->start_array(static_cast<std::size_t>(-1))) return false;
    if (next(']')) return sax_->end_array();
    do {
      if (!value(depth + 1)) return false;
    } while (next(','));
    return next(']') ? sax_->end_array() : broken();
  }

  bool number() {
    const char* from = at_;
    while (at_ != end_ && std::string_view("+-.0123456789eE").find(*at_) != std::string_view::npos) ++at_;
    const std::string text(from, at_);
    const auto whole = [&](auto& number) {
      const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      return error == std::errc() && stop == text.data() + text.size();
    };
    std::uint64_t natural = 0;
    std::int64_t integer = 0;
    double real = 0;
    if (whole(natural)) return sax_->number_unsigned(natural);
    if (whole(integer)) return sax_->number_integer(integer);
    if (whole(real)) return sax_->number_float(real, text);
    at_ = from;
    return broken();
  }

  // Without \u beyond ASCII, which names of tensors do not have.
  bool quoted(std::string& out) {
    if (!next('"')) return false;
    while (at_ != end_ && *at_ != '"') {
      if (static_cast<unsigned char>(*at_) < 0x20) return false;
      if (*at_ != '\\') {
        out += *at_++;
        continue;
      }
      if (++at_ == end_ || !escaped(out)) return false;
    }
    return next('"');
  }
  bool escaped(std::string& out) {
    static constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
    const char name = *at_++;
    if (const auto found = kNames.find(name); found != std::string_view::npos) {
      out += kValues[found];
      return true;
    }
    unsigned code = 0;
    if (name != 'u' || end_ - at_ < 4) return false;
    const auto [stop, error] = std::from_chars(at_, at_ + 4, code, 16);
    if (error != std::errc() || stop != at_ + 4 || code >= 0x80) return false;
    at_ += 4;
    out += static_cast<char>(code);
    return true;
  }

  const char *begin_, *at_, *end_;
  Sax* sax_;
};

}  // namespace detail

template <typename Sax>
bool json::sax_parse(const char* begin, const char* end, Sax* sax) {
  return detail::reader<Sax>(begin, end, sax).document();
}

// Objects in the order of their keys' first use.
class ordered_json {
 public:
  static ordered_json object() {
    ordered_json made;
    made.text_ = "{}";
    return made;
  }
  ordered_json& operator[](const std::string& name) {
    for (auto& [key, value] : members_)
      if (key == name) return value;
    return members_.emplace_back(name, ordered_json()).second;
  }
  ordered_json& operator=(std::string_view text) {
    text_ = quoted(text);
    return *this;
  }
  ordered_json& operator=(const std::vector<std::int64_t>& list) {
    text_ = joined(list);
    return *this;
  }
  ordered_json& operator=(std::initializer_list<std::uint64_t> list) {
    text_ = joined(list);
    return *this;
  }
  std::string dump(int /*indent*/, char /*fill*/, bool /*ascii*/, json::error_handler_t /*handler*/) const {
    if (members_.empty()) return text_;
    std::string out = "{";
    for (const auto& [key, value] : members_)
      out += (out.size() > 1 ? "," : "") + quoted(key) + ":" + value.dump(-1, ' ', false, {});
    return out + "}";
  }

 private:
  static std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return out + "\"";
  }
  template <typename List>
  static std::string joined(const List& list) {
    std::string out = "[";
    for (const auto value : list) out += (out.size() > 1 ? "," : "") + std::to_string(value);
    return out + "]";
  }

  std::string text_ = "null";
  std::vector<std::pair<std::string, ordered_json>> members_;
};

}  // namespace nlohmann
