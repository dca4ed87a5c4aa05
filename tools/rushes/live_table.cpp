#include "tools/rushes/live_table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace rushes::tools {
namespace {

constexpr int kBarCells = 10;

std::string window_bars(const Json& take) {
  std::string text;
  for (const Json& window : list(take, "windows")) {
    text += "[" + bar(number(window, "progress"), kBarCells) + "]";
    const int revision = static_cast<int>(number(window, "revision"));
    if (revision > 0) text += "r" + std::to_string(revision);
    text += " ";
  }
  return text;
}

std::string take_line(const Json& take, const Style& style) {
  std::string text = "  take " + padded(std::to_string(static_cast<int>(number(take, "take"))), 3) +
                     padded(style.state(word(take, "state")), 11) + window_bars(take) + " ";
  const std::string activity = word(take, "activity");
  const Json& critique = member(take, "critique");
  if (!activity.empty())
    text += activity;
  else if (critique.is_object())
    text += critique_line(critique);
  return text;
}

std::string shot_line(const Json& shot, const Style& style) {
  char numbers[96];
  std::snprintf(numbers, sizeof numbers, "%3.0f %%   elapsed %s   device %.0f s",
                100 * number(shot, "progress"), duration(number(shot, "elapsed_seconds")).c_str(),
                number(member(shot, "device_seconds"), "total"));
  std::string text = style.bold(padded(word(shot, "shot"), 24)) + " " +
                     padded(style.state(word(shot, "state")), 11) + numbers;
  if (member(shot, "estimate_seconds").is_number())
    text += "   about " + duration(number(shot, "estimate_seconds")) + " left";
  const Json& upgrade = member(shot, "upgrade");
  if (upgrade.is_object())
    text += "\n  upgrade of take " + padded(std::to_string(static_cast<int>(number(upgrade, "take"))), 3) +
            padded(word(upgrade, "stage"), 11) + "[" + bar(number(upgrade, "progress"), 2 * kBarCells) + "]";
  if (!word(shot, "waiting").empty()) text += "\n  " + style.dim("waits: " + word(shot, "waiting"));
  const Json& attention = member(shot, "attention");
  if (attention.is_object()) text += "\n  needs a person: " + word(attention, "reason");
  return text;
}

std::size_t terminal_width(std::FILE* out) {
  winsize size{};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
  return 120;
}

// Cuts a line to the terminal so that redrawing counts lines right. Escape sequences are kept whole.
std::string fitted(const std::string& line, std::size_t width) {
  return text_width(line) <= width ? line : padded(line, width) + "\x1b[0m";
}

}  // namespace

LiveTable::LiveTable(std::FILE* out, bool terminal) : out_(out), terminal_(terminal) {}

std::string LiveTable::render(const Json& shots, const Style& style, std::size_t width) {
  std::string text;
  for (const Json& shot : shots) {
    std::string block = shot_line(shot, style) + "\n";
    for (const Json& take : list(shot, "takes")) block += take_line(take, style) + "\n";
    std::size_t begin = 0;
    for (std::size_t end; (end = block.find('\n', begin)) != std::string::npos; begin = end + 1)
      text += fitted(block.substr(begin, end - begin), width) + "\n";
  }
  return text;
}

void LiveTable::draw(const Json& shots) {
  if (!terminal_) return draw_changes(shots);
  const std::string text = render(shots, Style{true}, terminal_width(out_) - 1);
  if (lines_ > 0) std::fprintf(out_, "\x1b[%dA", lines_);
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    std::fprintf(out_, "\r%s\x1b[K\n", text.substr(begin, end - begin).c_str());
  std::fprintf(out_, "\x1b[J");
  std::fflush(out_);
  lines_ = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

void LiveTable::draw_changes(const Json& shots) {
  const auto say = [&](const std::string& key, const std::string& what) {
    if (last_[key] == what) return;
    last_[key] = what;
    std::fprintf(out_, "%s  %s\n", key.c_str(), what.c_str());
  };
  for (const Json& shot : shots) {
    const std::string name = word(shot, "shot");
    const Json& upgrade = member(shot, "upgrade");
    std::string state = word(shot, "state");
    if (upgrade.is_object() && !word(upgrade, "stage").empty()) state += ": " + word(upgrade, "stage");
    say(name, state);
    for (const Json& take : list(shot, "takes")) {
      const Json& critique = member(take, "critique");
      std::string what = word(take, "state");
      if (!word(take, "stage").empty()) what += ": " + word(take, "stage");
      if (critique.is_object()) what += "; " + critique_line(critique);
      say(name + " take " + std::to_string(static_cast<int>(number(take, "take"))), what);
    }
  }
  std::fflush(out_);
}

}  // namespace rushes::tools
