#include "storage/records/frame_files.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace rushes {
namespace {

constexpr std::size_t kMostDigits = 9;

std::optional<std::uint32_t> number_of(std::string_view digits) {
  std::uint32_t value = 0;
  if (digits.empty() || digits.size() > kMostDigits) return std::nullopt;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::string padded(std::uint32_t number, std::size_t width) {
  std::string text = std::to_string(number);
  return text.size() < width ? std::string(width - text.size(), '0') + text : text;
}

// "HEAD.NUMBER.TAIL"
struct Frame {
  std::string_view head, digits, tail;  // with their dots
  std::uint32_t number = 0;
};

std::optional<Frame> frame_of(std::string_view file) {
  const auto dot = file.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return std::nullopt;
  const auto before = file.rfind('.', dot - 1);
  if (before == std::string_view::npos) return std::nullopt;
  Frame frame{file.substr(0, before + 1), file.substr(before + 1, dot - before - 1), file.substr(dot), 0};
  const auto number = number_of(frame.digits);
  if (!number) return std::nullopt;
  frame.number = *number;
  return frame;
}

struct Run {
  std::string_view head, first, last, tail;
};

std::optional<Run> run_of(std::string_view entry) {
  const auto open = entry.find('['), dash = entry.find('-', open == std::string_view::npos ? 0 : open),
             close = entry.find(']');
  if (open == std::string_view::npos || dash == std::string_view::npos || close == std::string_view::npos ||
      dash > close)
    return std::nullopt;
  return Run{entry.substr(0, open), entry.substr(open + 1, dash - open - 1),
             entry.substr(dash + 1, close - dash - 1), entry.substr(close + 1)};
}

}  // namespace

std::vector<std::string> join_frames(const std::vector<std::string>& files) {
  std::vector<std::string> joined;
  for (std::size_t i = 0; i < files.size();) {
    const auto first = frame_of(files[i]);
    std::size_t next = i + 1;
    while (first && next < files.size()) {
      const auto frame = frame_of(files[next]);
      const auto expected = first->number + static_cast<std::uint32_t>(next - i);
      if (!frame || frame->head != first->head || frame->tail != first->tail ||
          frame->digits != padded(expected, first->digits.size()))
        break;
      ++next;
    }
    if (next == i + 1) {
      joined.push_back(files[i]);
    } else {
      const std::string last(frame_of(files[next - 1])->digits);
      joined.push_back(std::string(first->head) + "[" + std::string(first->digits) + "-" + last + "]" +
                       std::string(first->tail));
    }
    i = next;
  }
  return joined;
}

std::vector<std::string> expand_frames(const std::vector<std::string>& joined, std::size_t most) {
  std::vector<std::string> files;
  for (const std::string& entry : joined) {
    const auto run = run_of(entry);
    const auto first = run ? number_of(run->first) : std::nullopt,
               last = run ? number_of(run->last) : std::nullopt;
    if (!first || !last || *first > *last) {
      if (files.size() < most) files.push_back(entry);
      continue;
    }
    for (std::uint32_t number = *first; number <= *last && files.size() < most; ++number)
      files.push_back(std::string(run->head) + padded(number, run->first.size()) + std::string(run->tail));
  }
  return files;
}

}  // namespace rushes
