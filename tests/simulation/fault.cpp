#include "tests/simulation/fault.h"

#include <algorithm>
#include <charconv>

#include "tests/simulation/dice.h"

namespace rushes::simulation {
namespace {

// How often a kind is planned, how long it lasts, how strong it is; for a worker or for the whole farm.
struct Habit {
  const char* name;
  int weight;
  std::int64_t shortest, longest, weakest, strongest;
  bool of_worker;
};
constexpr std::array<Habit, kFaultKinds> kHabits{{
    {"loss", 6, 1'000, 20'000, 5, 60, true},
    {"duplicate", 4, 1'000, 20'000, 5, 50, true},
    {"reorder", 4, 1'000, 20'000, 20, 4'000, true},
    {"delay", 4, 1'000, 20'000, 50, 5'000, true},
    {"cut", 4, 500, 40'000, 0, 0, true},
    {"cut-up", 3, 500, 40'000, 0, 0, true},
    {"cut-down", 3, 500, 40'000, 0, 0, true},
    {"slow-disk", 3, 1'000, 15'000, 20, 4'000, false},
    {"full-disk", 1, 500, 8'000, 0, 0, false},
    {"kill", 10, 100, 20'000, 0, 40, false},
    {"stall", 2, 500, 30'000, 0, 0, false},
    {"drift", 2, 10'000, 60'000, -100, 100, true},
    {"jump", 2, 0, 0, -100'000, 100'000, false},
    {"crash", 8, 50, 25'000, 0, 0, true},
    {"freeze", 4, 500, 30'000, 0, 0, true},
    {"engine-death", 5, 0, 0, 0, 0, true},
    {"engine-hang", 3, 0, 0, 0, 0, true},
    {"fail-some", 3, 5'000, 30'000, 10, 70, true},
    {"fail-all", 1, 3'000, 20'000, 0, 0, true},
    {"lie", 2, 5'000, 30'000, 0, 0, true},
    {"leave", 3, 500, 10'000, 0, 1, true},
    {"twin", 3, 2'000, 60'000, 0, 0, true},
    {"wish", 12, 0, 0, 0, 1'000'000, false},
}};

const Habit& habit_of(FaultKind kind) { return kHabits[static_cast<std::size_t>(kind)]; }

bool take_number(std::string_view& text, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, std::string_view sign) {
  if (!text.starts_with(sign)) return false;
  text.remove_prefix(sign.size());
  return true;
}

Result<FaultKind> parse_kind(std::string_view word) {
  for (std::size_t i = 0; i < kHabits.size(); ++i)
    if (word == kHabits[i].name) return static_cast<FaultKind>(i);
  std::string known;
  for (const Habit& habit : kHabits) known += (known.empty() ? "" : ", ") + std::string(habit.name);
  return fail(ErrorKind::kInvalid,
              "--faults: expected one of " + known + "; found \"" + std::string(word) + "\"");
}

Result<Fault> parse_fault(std::string_view text) {
  const std::string whole(text);
  const auto sign = text.find('@');
  const auto kind = parse_kind(text.substr(0, sign));
  if (!kind) return tl::unexpected<Error>(kind.error());
  Fault fault;
  fault.kind = *kind;
  text.remove_prefix(sign);
  std::int64_t worker = kEverybody;
  const bool read = take(text, "@") && take_number(text, fault.at_ms) &&
                    (!take(text, "+") || take_number(text, fault.for_ms)) &&
                    (!take(text, ":w") || take_number(text, worker)) &&
                    (!take(text, "*") || take_number(text, fault.amount));
  if (!read || !text.empty() || fault.at_ms < 0 || fault.for_ms < 0 || worker < kEverybody || worker > 1000)
    return fail(ErrorKind::kInvalid,
                "--faults: expected KIND@MS[+MS][:wN][*AMOUNT], found \"" + whole + "\"");
  fault.worker = static_cast<int>(worker);
  return fault;
}

}  // namespace

const char* to_string(FaultKind kind) { return habit_of(kind).name; }

std::string to_string(const Fault& fault) {
  std::string text = std::string(to_string(fault.kind)) + "@" + std::to_string(fault.at_ms);
  if (fault.for_ms != 0) text += "+" + std::to_string(fault.for_ms);
  if (fault.worker != kEverybody) text += ":w" + std::to_string(fault.worker);
  if (fault.amount != 0) text += "*" + std::to_string(fault.amount);
  return text;
}

std::string to_string(const std::vector<Fault>& faults) {
  std::string text;
  for (const Fault& fault : faults) text += (text.empty() ? "" : ",") + to_string(fault);
  return text.empty() ? "none" : text;
}

FaultChoice every_fault() {
  FaultChoice choice;
  for (int i = 0; i < kFaultKinds; ++i) choice.kinds.insert(static_cast<FaultKind>(i));
  return choice;
}

Result<FaultChoice> parse_faults(std::string_view list) {
  FaultChoice choice;
  if (list == "none") {
    choice.planned = false;
    return choice;
  }
  while (true) {
    const auto comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    if (word.find('@') == std::string_view::npos) {
      const auto kind = parse_kind(word);
      if (!kind) return tl::unexpected<Error>(kind.error());
      choice.kinds.insert(*kind);
    } else {
      const auto fault = parse_fault(word);
      if (!fault) return tl::unexpected<Error>(fault.error());
      choice.exact.push_back(*fault);
    }
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  choice.planned = !choice.kinds.empty();
  return choice;
}

std::vector<Fault> plan_faults(std::uint64_t seed, int workers, std::int64_t span_ms,
                               const std::set<FaultKind>& kinds) {
  Dice dice(seed, 1);
  std::vector<FaultKind> urn;
  for (const FaultKind kind : kinds)
    urn.insert(urn.end(), static_cast<std::size_t>(habit_of(kind).weight), kind);
  std::vector<Fault> faults;
  if (urn.empty()) return faults;
  const std::int64_t count = dice.between(span_ms / 20'000, span_ms / 4'000);  // calm and stormy runs
  for (std::int64_t i = 0; i < count; ++i) {
    const FaultKind kind = urn[dice.below(urn.size())];
    const Habit& habit = habit_of(kind);
    Fault fault;
    fault.kind = kind;
    fault.at_ms = dice.between(0, span_ms);
    // Short ones are as likely as long ones: the length is drawn from a random part of its range.
    fault.for_ms = dice.between(habit.shortest, dice.between(habit.shortest, habit.longest));
    fault.at_ms = std::min(fault.at_ms, std::max<std::int64_t>(0, span_ms - fault.for_ms));
    fault.amount = dice.between(habit.weakest, habit.strongest);
    const bool everybody = habit.longest > 0 && dice.chance(15);  // a switch, a power cut
    if (habit.of_worker && !everybody)
      fault.worker = static_cast<int>(dice.below(static_cast<std::uint64_t>(workers)));
    faults.push_back(fault);
  }
  std::sort(faults.begin(), faults.end(), [](const Fault& a, const Fault& b) { return a.at_ms < b.at_ms; });
  return faults;
}

}  // namespace rushes::simulation
