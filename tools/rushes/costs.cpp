#include "tools/rushes/costs.h"

#include <algorithm>
#include <functional>

#include "config/seconds.h"

namespace rushes::tools {
namespace {

constexpr std::size_t kNames = 25;    // cells of the first column
constexpr std::size_t kFigures = 11;  // of each other one
constexpr std::size_t kShown = 20;    // rows of one list

std::string right(const std::string& text) {
  const std::size_t width = text_width(text);
  return (width < kFigures ? std::string(kFigures - width, ' ') : " ") + text;
}

std::string seconds(double value) { return right(config::seconds_text(value)); }

// A name that is longer than its column stands on a line of its own: it can be copied.
std::string named(const std::string& name, const std::string& figures) {
  if (text_width(name) < kNames) return padded(name, kNames) + figures + "\n";
  return name + "\n" + std::string(kNames, ' ') + figures + "\n";
}

std::string spent_row(const std::string& name, const Json& row, bool table) {
  const Json& spent = member(row, "device_seconds");
  if (!table) return name + "\n    " + cost_text(spent) + "\n";
  const double wasted_cpu = number(spent, "wasted_cpu"), wasted_gpu = number(spent, "wasted_gpu");
  return named(name, seconds(number(spent, "cpu") - wasted_cpu) + seconds(number(spent, "gpu") - wasted_gpu) +
                         seconds(wasted_cpu) + seconds(wasted_gpu) + seconds(number(spent, "total")));
}

}  // namespace

std::string costs_text(const Json& costs, const Style& style, std::size_t width) {
  const Json& shots = list(costs, "shots");
  if (shots.empty()) return "no shot yet\n";
  const bool table = width == 0 || width >= kNames + 5 * kFigures;
  const auto rows = [&](const std::string& title, const Json& all,
                        const std::function<std::string(const Json&)>& name) {
    if (all.empty()) return std::string();
    std::string text = "\n" + style.bold(title) + "\n";
    const std::size_t shown = std::min(all.size(), kShown);
    for (std::size_t i = 0; i < shown; ++i) text += spent_row("  " + name(all[i]), all[i], table);
    if (shown < all.size())
      text += "  and " + std::to_string(all.size() - shown) + " more; --json has them all\n";
    return text;
  };
  std::string text;
  if (table)
    text = padded("device seconds", kNames) + right("used cpu") + right("used gpu") + right("wasted cpu") +
           right("wasted gpu") + right("total") + "\n";
  text += spent_row(counted(static_cast<double>(shots.size()), "shot"), costs, table);
  text += rows("shows", list(costs, "shows"), [](const Json& row) {
    return word(row, "show") + ", " + counted(number(row, "shots"), "shot");
  });
  text += rows("batches", list(costs, "batches"), [](const Json& row) {
    const std::string file = word(row, "name");
    return std::to_string(static_cast<long>(number(row, "batch"))) + " " + file.substr(file.rfind('/') + 1);
  });
  return text + rows("shots", shots, [](const Json& row) { return word(row, "shot"); });
}

namespace {

// What a price rests on, where it is not what it should be.
std::string basis_text(const Json& range) {
  const std::string basis = word(range, "basis");
  if (basis == "guess") return "a guess, nothing was measured yet";
  if (basis == "other_devices") return "measured on other devices";
  const Json& guessed = member(range, "guessed");
  std::string names;
  for (const Json& stage : list(guessed, "stages"))
    if (stage.is_string()) names += (names.empty() ? "" : ", ") + stage.get<std::string>();
  if (names.empty()) return "";
  return "of it " + config::seconds_text(number(guessed, "expected")) +
         " a guess, not measured yet: " + names;
}

// Of one stage, beside others.
std::string stage_basis(const Json& stage) {
  const std::string basis = word(stage, "basis");
  return basis == "guess" ? "a guess" : basis == "other_devices" ? "other devices" : "";
}

std::string range_row(const std::string& name, const Json& range, const std::string& remark) {
  std::string figures;
  for (const char* key : {"low", "expected", "high"})
    figures += member(range, key).is_number() ? seconds(number(range, key)) : std::string(kFigures, ' ');
  return "    " + named(name, figures + (remark.empty() ? "" : "  " + remark));
}

}  // namespace

std::string price_line(const Json& range) {
  const auto figure = [&](const char* key) { return config::seconds_text(number(range, key)); };
  const std::string basis = basis_text(range);
  return "about " + figure("expected") + " device s (" + figure("low") + " to " + figure("high") + ")" +
         (basis.empty() ? "" : ", " + basis);
}

std::string price_table(const Json& price) {
  std::string text =
      "    " + padded("device seconds", kNames) + right("low") + right("expected") + right("high") + "\n";
  for (const Json& stage : list(price, "stages"))
    text += range_row(word(stage, "level") + " " + word(stage, "stage"), stage, stage_basis(stage));
  text += range_row("all", price, "");
  const std::string basis = basis_text(price);
  if (!basis.empty()) text += "    " + basis + "\n";
  const Json& revisions = member(price, "revisions");
  if (number(revisions, "high") > 0) text += range_row("more, if critics ask", revisions, "");
  return text;
}

}  // namespace rushes::tools
