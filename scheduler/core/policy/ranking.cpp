#include "scheduler/core/policy/ranking.h"

#include <algorithm>

namespace rushes::scheduler::policy {
namespace {

int standing(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return 0;
    case Verdict::kRevise:
      return 1;
    case Verdict::kUnknown:
      return 2;
    case Verdict::kReject:
      return 3;
  }
  return 3;
}

}  // namespace

Verdict worst(std::span<const Verdict> verdicts) {
  Verdict result = Verdict::kUnknown;
  for (const Verdict verdict : verdicts)
    result = std::max(result, verdict);  // unknown < pass < revise < reject
  return result;
}

bool is_better(const Judged& revision, const Judged& kept) {
  return revision.verdict != Verdict::kReject &&
         (kept.verdict == Verdict::kReject || revision.score > kept.score);
}

std::vector<std::uint32_t> rank(std::span<const Judged> takes) {
  std::vector<Judged> order(takes.begin(), takes.end());
  std::sort(order.begin(), order.end(), [](const Judged& a, const Judged& b) {
    if (standing(a.verdict) != standing(b.verdict)) return standing(a.verdict) < standing(b.verdict);
    if (a.score != b.score) return a.score > b.score;
    return a.number < b.number;
  });
  std::vector<std::uint32_t> result;
  result.reserve(order.size());
  for (const Judged& take : order) result.push_back(take.number);
  return result;
}

}  // namespace rushes::scheduler::policy
