#include "scheduler/gateway/byte_range.h"

#include <algorithm>

#include "scheduler/gateway/body.h"

namespace rushes::scheduler {

BytePart part_of(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  const BytePart whole{200, 0, size, ""};
  if (!header.starts_with(kUnit)) return whole;
  header.remove_prefix(kUnit.size());
  const auto dash = header.find('-');
  if (dash == header.npos) return whole;
  const auto first = header.substr(0, dash), last = header.substr(dash + 1);
  const auto begin = number_of(first), end = number_of(last);
  if ((!begin && !first.empty()) || (!end && !last.empty()) || (!begin && !end) ||
      (begin && end && *begin > *end))
    return whole;
  const std::string all = std::to_string(size);
  const std::uint64_t from = begin ? *begin : size - std::min(size, *end);
  if (from >= size) return {416, 0, 0, "bytes */" + all};
  const std::uint64_t to = begin && end ? std::min(*end, size - 1) : size - 1;  // included
  return {206, from, to - from + 1, "bytes " + std::to_string(from) + "-" + std::to_string(to) + "/" + all};
}

}  // namespace rushes::scheduler
