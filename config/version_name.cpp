#include "config/version_name.h"

#include <charconv>

namespace rushes::config {
namespace {

constexpr std::size_t kDigits = 3, kMaxDigits = 9;

}  // namespace

std::string version_name(unsigned number) {
  const std::string digits = std::to_string(number);
  return "v" + std::string(kDigits - std::min(kDigits, digits.size()), '0') + digits;
}

std::optional<unsigned> version_number(std::string_view name) {
  if (name.size() < 1 + kDigits || name.size() > 1 + kMaxDigits || name.front() != 'v') return std::nullopt;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || name != version_name(number))
    return std::nullopt;
  return number;
}

}  // namespace rushes::config
