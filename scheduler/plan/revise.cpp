#include "scheduler/plan/revise.h"

#include <algorithm>
#include <map>

#include "config/critics.h"
#include "config/seconds.h"

namespace rushes::scheduler {
namespace {

// Windows whose findings the reason of a revision names: the recipe keeps it, and every task carries the recipe.
constexpr std::size_t kNamedReasons = 8;

bool lies_between_windows(const Finding& finding) {
  const config::KnownCritic* critic = config::find_critic(finding.dimension);
  return critic != nullptr && critic->between_windows;
}

struct Candidate {
  std::uint32_t window = 0;
  float severity = 0;  // summed
  std::string why;     // of its worst finding
  float worst = -1;
};

// Windows with findings, by window.
std::vector<Candidate> candidates(const ShotSpec& spec, std::span<const Finding> findings) {
  const int start = static_cast<int>(spec.start_frame);  // people count frames by their EXR files
  std::map<std::uint32_t, Candidate> by_window;
  const auto add = [&](std::uint32_t window, const Finding& finding) {
    Candidate& c = by_window[window];
    c.window = window;
    c.severity += static_cast<float>(finding.severity);
    if (finding.severity > c.worst) {
      c.worst = static_cast<float>(finding.severity);
      c.why = finding.dimension + " in window " + std::to_string(window) + ", frames " +
              std::to_string(start + finding.frames.begin) + "-" +
              std::to_string(start + std::max(finding.frames.end - 1, finding.frames.begin));
    }
  };
  const auto last = static_cast<std::uint32_t>(spec.recipe.windows.size() - 1);
  std::vector<const Finding*> between;
  for (const Finding& finding : findings) {
    if (!asks_for_revision(finding)) continue;
    if (lies_between_windows(finding) && last > 0) {
      between.push_back(&finding);
    } else {
      add(std::min(static_cast<std::uint32_t>(finding.window), last), finding);
    }
  }
  // `window` of such a finding is the later of the two windows (or the first window itself).
  for (const Finding* finding : between) {
    const std::uint32_t later = std::clamp(static_cast<std::uint32_t>(finding->window), 1u, last);
    const auto severity = [&](std::uint32_t w) {
      const auto found = by_window.find(w);
      return found == by_window.end() ? 0.0f : found->second.severity;
    };
    add(severity(later - 1) > severity(later) ? later - 1 : later, *finding);
  }
  std::vector<Candidate> result;
  result.reserve(by_window.size());
  for (auto& [window, candidate] : by_window) result.push_back(std::move(candidate));
  return result;
}

}  // namespace

bool asks_for_revision(const Finding& finding) { return finding.blocks && finding.severity > 0; }

RevisionChoice choose_revision(const ShotSpec& spec, std::span<const Finding> findings, const Spent& spent) {
  std::vector<Candidate> found = candidates(spec, findings);
  if (found.empty()) return {{}, "no finding names a window"};
  if (spent.windows >= spec.revise_windows) {
    return {{}, "the budget of " + std::to_string(spec.revise_windows) + " revised windows is used"};
  }
  std::uint32_t room = spec.revise_windows - spent.windows;
  if (spec.revise_device_seconds >= 0) {
    const double left = spec.revise_device_seconds - spent.device_seconds;
    const double each = std::max(spent.window_seconds, 1e-9);
    if (left <= 0 || (spent.window_seconds > 0 && left < spent.window_seconds)) {
      return {{},
              "the budget of " + config::seconds_text(spec.revise_device_seconds) +
                  " device seconds for revisions is used"};
    }
    if (spent.window_seconds > 0 && left / each < room) room = static_cast<std::uint32_t>(left / each);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Candidate& a, const Candidate& b) { return a.severity > b.severity; });
  if (found.size() > room) found.resize(room);
  RevisionChoice choice;
  for (const Candidate& c : found) {
    choice.windows.push_back(c.window);
    if (choice.windows.size() <= kNamedReasons) choice.reason += (choice.reason.empty() ? "" : "; ") + c.why;
  }
  if (found.size() > kNamedReasons)
    choice.reason += "; and " + std::to_string(found.size() - kNamedReasons) + " more windows";
  std::sort(choice.windows.begin(), choice.windows.end());
  return choice;
}

}  // namespace rushes::scheduler
