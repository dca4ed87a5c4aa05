// The driver's language: a line "verb name=value ..." asks, one JSON object on a line answers.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rushes::gpu_check {

// Getters throw std::invalid_argument with the field's name where it is missing or no number.
class Request {
 public:
  static Request parse(const std::string& line);

  const std::string& verb() const { return verb_; }
  const std::string& text(const std::string& name) const;
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::int64_t number(const std::string& name) const;
  std::int64_t number(const std::string& name, std::int64_t otherwise) const;
  double real(const std::string& name) const;
  std::vector<double> reals(const std::string& name) const;  // "1,2.5,3"

 private:
  std::string verb_;
  std::map<std::string, std::string> fields_;
};

// A JSON object, written in the order of the calls. A number that is not finite becomes null.
class Reply {
 public:
  Reply& add(const std::string& name, double value);
  Reply& add(const std::string& name, std::int64_t value);
  Reply& add(const std::string& name, int value) { return add(name, std::int64_t{value}); }
  Reply& add(const std::string& name, std::size_t value) {
    return add(name, static_cast<std::int64_t>(value));
  }
  Reply& add(const std::string& name, bool value);
  Reply& add(const std::string& name, const std::string& value);
  Reply& add(const std::string& name, const char* value) { return add(name, std::string(value)); }
  Reply& add(const std::string& name, const std::vector<double>& values);
  Reply& add(const std::string& name, const Reply& value);
  Reply& add(const std::string& name, const std::vector<Reply>& values);
  std::string text() const { return text_.empty() ? "{}" : text_ + "}"; }

 private:
  Reply& put(const std::string& name, const std::string& value);
  std::string text_;
};

}  // namespace rushes::gpu_check
