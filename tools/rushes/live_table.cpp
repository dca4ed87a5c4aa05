#include "tools/rushes/live_table.h"

#include <unistd.h>

#include <algorithm>

#include "config/seconds.h"
#include "tools/rushes/terminal.h"

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
  std::snprintf(numbers, sizeof numbers, "%3.0f %%   elapsed %s   device %s s",
                100 * number(shot, "progress"), duration(number(shot, "elapsed_seconds")).c_str(),
                config::seconds_text(number(member(shot, "device_seconds"), "total")).c_str());
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

// Cuts a line to the terminal so that redrawing counts lines right. Escape sequences are kept whole.
std::string fitted(const std::string& line, std::size_t width) {
  if (text_width(line) <= width) return line;
  return padded(line, width) + (line.find('\x1b') == line.npos ? "" : "\x1b[0m");
}

// "12 shots: 3 delivered, 7 drafting, 2 queued"
std::string summary(const Json& shots) {
  std::map<std::string, int> states;
  for (const Json& shot : shots) ++states[word(shot, "state")];
  std::string text = counted(static_cast<double>(shots.size()), "shot") + ":";
  const char* before = " ";
  for (const auto& [state, count] : states) {
    text += before + std::to_string(count) + " " + state;
    before = ", ";
  }
  return text;
}

std::string block_of(const Json& shot, const Style& style, std::size_t width) {
  std::string block = shot_line(shot, style) + "\n", text;
  for (const Json& take : list(shot, "takes")) block += take_line(take, style) + "\n";
  std::size_t begin = 0;
  for (std::size_t end; (end = block.find('\n', begin)) != std::string::npos; begin = end + 1)
    text += fitted(block.substr(begin, end - begin), width) + "\n";
  return text;
}

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

LiveTable::LiveTable(std::FILE* out)
    : out_(out), live_(is_live(fileno(out))), style_{has_colours(fileno(out))} {}

std::string LiveTable::render(const Json& shots, const Style& style, std::size_t width) {
  std::string text;
  for (const Json& shot : shots) text += block_of(shot, style, width);
  return text;
}

// A picture that is taller than the screen cannot be redrawn in place: a summary, and as many shots as fit, those first
// that changed since they were last looked at.
std::string LiveTable::picture(const Json& shots, std::size_t width, std::size_t height) {
  std::string whole = render(shots, style_, width);
  if (lines_in(whole) <= height) return whole;
  std::vector<std::pair<int, std::string>> blocks;  // by how long ago they changed
  for (const Json& shot : shots) {
    std::string block = block_of(shot, style_, width);
    Seen& seen = seen_[word(shot, "shot")];
    if (seen.block != block) seen = {block, turn_};
    blocks.emplace_back(turn_ - seen.turn, std::move(block));
  }
  ++turn_;
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text = fitted(summary(shots), width) + "\n";
  std::size_t hidden = 0;
  for (const auto& [age, block] : blocks)
    if (lines_in(text) + lines_in(block) + 1 <= height)
      text += block;
    else
      ++hidden;
  if (hidden > 0)
    text += fitted("... " + std::to_string(hidden) + " more; `rushes list` shows all", width) + "\n";
  return text;
}

void LiveTable::draw(const Json& shots) {
  if (!live_) return draw_changes(shots);
  const TerminalSize size = size_of(fileno(out_));
  const std::string text = picture(shots, size.width - 1, size.height - 1);
  if (lines_ > 0) std::fprintf(out_, "\x1b[%dA", lines_);
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    std::fprintf(out_, "\r%s\x1b[K\n", text.substr(begin, end - begin).c_str());
  std::fprintf(out_, "\x1b[J");
  std::fflush(out_);
  lines_ = static_cast<int>(lines_in(text));
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
