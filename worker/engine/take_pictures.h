// What people look at: the movie of a take and its row on a contact sheet, the same in review and in a delivery.
//
// Thread contract: a TakeProxy belongs to one thread; the functions are pure but for the files that they name.
#pragma once

#include <filesystem>
#include <string>

#include "worker/engine/delivery.h"
#include "worker/engine/take_frames.h"
#include "worker/picture/contact_sheet.h"
#include "worker/picture/movie.h"

namespace rushes::worker {

// The movie of a take at the delivered rate, with the delivery's timecode.
Result<MovieWriter> open_movie(const Task& task, const std::string& path, const TakeFrames& frames);

// A sheet of the task's shot without takes: its name, prompt, length, rate and size.
ContactSheet empty_sheet(const Task& task);
// A take on it: seed, scores and verdict, a few of its frames, and those of the critics' worst findings. `known`: what the
// scheduler tells of the take; null: nothing.
Result<ContactRow> sheet_row(const Task& task, StageContext& context, int take, const TakeShown* known,
                             const CritiqueSummary& critique, const DisplayView& view);

// Movie and contact sheet of a judged take, as artifacts. The movie is written as the frames come, beside the artifacts
// until finish(); what is dropped without finish() leaves no file.
class TakeProxy {
 public:
  static Result<TakeProxy> create(const Task& task, StageContext& context, const TakeFrames& frames);
  TakeProxy(TakeProxy&& other) noexcept;
  TakeProxy& operator=(TakeProxy&&) = delete;
  ~TakeProxy();

  Status add(ClipView picture);  // the next frame of the take
  // Adds the two outputs.
  Status finish(const CritiqueSummary& critique, TaskResult& outcome);

 private:
  TakeProxy(const Task& task, StageContext& context, std::filesystem::path path, DisplayView view,
            MovieWriter movie);
  const Task& task_;
  StageContext& context_;
  std::filesystem::path path_;  // of the movie; empty: moved from
  DisplayView view_;
  MovieWriter movie_;
};

}  // namespace rushes::worker
