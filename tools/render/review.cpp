#include "tools/render/review.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "scheduler/core/report/take_delivery.h"
#include "worker/critic/finding.h"
#include "worker/picture/version_folder.h"

namespace rushes::tools {
namespace {

namespace fs = std::filesystem;
namespace sched = rushes::scheduler;

bool has_frames(const sched::State& state, const sched::Shot& shot, std::uint32_t take) {
  return sched::delivery_of(state, shot.key, {sched::TakeKind::kDraft, take, {}}).has_value();
}

Status export_kinds(const LocalFarm& farm, const sched::Shot& shot, ReviewedTake& row, const fs::path& folder,
                    const worker::ExportProgress& progress) {
  const auto take = static_cast<std::uint32_t>(row.take);
  for (const auto kind : {sched::TakeKind::kProxy, sched::TakeKind::kDraft}) {
    auto spec = sched::delivery_of(farm.state(), shot.key, {kind, take, {}});
    if (!spec && kind == sched::TakeKind::kProxy) continue;  // its critique was skipped: frames alone
    if (!spec) return tl::unexpected(spec.error());
    const auto task = worker::check_task(std::move(*spec));
    if (!task) return tl::unexpected(task.error());
    auto files = worker::export_take(*task, farm.artifacts(), folder, progress);
    if (!files) return tl::unexpected(files.error());
    row.files.insert(row.files.end(), files->begin(), files->end());
  }
  return {};
}

// Of the current version's critiques, those scores that keep `approve: best` from delivering it.
std::vector<std::string> failed_critics(const sched::State& state, const sched::Take& take) {
  const sched::VersionGraph& graph = take.versions[take.kept].graph;
  std::vector<TaskId> tasks = graph.checkpoints;
  tasks.insert(tasks.end(), graph.window_critiques.begin(), graph.window_critiques.end());
  tasks.push_back(graph.critique);
  std::set<std::string> names;
  for (const TaskId id : tasks)
    for (const Score& score : state.task(id).result.critique.dimensions)
      if (score.blocks && score.score < std::max(score.threshold, score.reject))
        names.insert(score.dimension);
  return {names.begin(), names.end()};
}

Result<Review> write_review(const LocalFarm& farm, const sched::Shot& shot, const fs::path& out,
                            const worker::ExportProgress& progress) {
  Review review;
  review.shot = shot.key;
  const std::string nobody_else =
      worker::host_name() + " " + std::to_string(::getpid()) + " " + std::to_string(farm.now().wall_ms);
  auto folder =
      worker::VersionFolder::open(out, fs::path(shot.spec.show) / shot.spec.name / "review", 1, nobody_else);
  if (!folder) return tl::unexpected(folder.error());
  review.folder = folder->final_path();
  review.best = shot.ranking.empty() ? 0 : shot.ranking.front();
  for (const sched::Take& take : shot.takes) {
    if (!has_frames(farm.state(), shot, take.number)) continue;
    if (review.best == 0) review.best = take.number;
    ReviewedTake& row = review.takes.emplace_back();
    row.take = static_cast<int>(take.number);
    row.folder = "take" + std::to_string(take.number);
    std::error_code code;
    fs::create_directory(folder->path() / row.folder, code);
    if (code)
      return fail(ErrorKind::kExhausted, (folder->path() / row.folder).string() + ": " + code.message());
    if (Status written = export_kinds(farm, shot, row, folder->path() / row.folder, progress); !written)
      return tl::unexpected(written.error());
  }
  if (review.takes.empty()) return review;
  review.best_seed = shot.spec.seeds[review.best - 1];
  review.failed_critics = failed_critics(farm.state(), shot.take(review.best));
  review.revised = shot.take(review.best).kept > 0;
  if (Status published = folder->publish(); !published) return tl::unexpected(published.error());
  return review;
}

}  // namespace

Result<std::vector<Review>> write_reviews(const LocalFarm& farm, const fs::path& out,
                                          const worker::ExportProgress& progress) {
  std::vector<Review> reviews;
  for (const sched::Shot& shot : farm.state().shots) {
    if (shot.state != sched::ShotState::kReview && shot.state != sched::ShotState::kAttention) continue;
    auto review = write_review(farm, shot, out, progress);
    if (!review) return with_context(review.error(), shot.key);
    if (!review->takes.empty()) reviews.push_back(std::move(*review));
  }
  return reviews;
}

std::string review_line(const Review& review) {
  const std::string look = review.shot + " waits for a person: look at its takes in " +
                           review.folder.string() + "; to deliver take " + std::to_string(review.best);
  const std::string seeds = ", write `seeds: [" + std::to_string(review.best_seed) + "]`";
  if (review.failed_critics.empty()) return look + seeds + " and `approve: best` into the shot and run again";
  std::string off;
  for (const std::string& name : review.failed_critics) off += (off.empty() ? "" : ", ") + name + ": off";
  return look + (review.revised ? " as it was rendered first" : "") + " although critics object" + seeds +
         ", `approve: best` and `critics: {" + off +
         "}` into the shot and run again; else try other seeds or another prompt";
}

std::string why_in_vain(const sched::Shot& shot) {
  if (shot.state == sched::ShotState::kReview) {
    if (shot.reason.empty()) return "";
    const sched::Take& best = shot.take(shot.ranking.front());
    const sched::Version& version = best.versions[best.kept];
    return "no take passed its critics, so none is delivered; the best is take " +
           std::to_string(best.number) + " (" + to_string(version.verdict) + ", " +
           worker::decimal(static_cast<double>(version.score), 2) + ")";
  }
  if (shot.state != sched::ShotState::kAttention)
    return shot.state == sched::ShotState::kCancelled ? shot.reason : "";
  if (shot.attention_task != kNoId) return shot.reason;
  std::string why;
  for (const sched::Take& take : shot.takes)
    if (take.state == sched::TakeState::kDropped)
      why += (why.empty() ? "" : ", ") + ("take " + std::to_string(take.number)) + ": " + take.reason;
  return why.empty() ? shot.reason : "every take was dropped (" + why + "), so none is delivered";
}

}  // namespace rushes::tools
