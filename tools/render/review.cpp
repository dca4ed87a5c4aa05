#include "tools/render/review.h"

#include <unistd.h>

#include "scheduler/core/report/take_delivery.h"
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
  return review.shot + " waits for a person: look at its takes in " + review.folder.string() +
         "; to deliver take " + std::to_string(review.best) + ", write `seeds: [" +
         std::to_string(review.best_seed) + "]` and `approve: best` into the shot and run again";
}

}  // namespace rushes::tools
