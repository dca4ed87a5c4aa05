// rushes-critique CLIP [--shot SHOT.yaml [--name NAME]] [--model-roots DIR...] [--windows A-B,...] [--json]
//
// The farm's critics on any EXR or PNG sequence: a folder with one sequence, or one of its frames. With a
// shot file the shot's thresholds and prompt apply, and its model's working space tells where light clips.
// Windows are ranges of frames counted from 0, both ends included; neighbours may overlap.
//
// Exit: 0 the clip passes, 1 it does not, 2 bad arguments or files.
#include <algorithm>
#include <iostream>

#include "config/command_line.h"
#include "config/frame_range.h"
#include "config/model.h"
#include "config/shot.h"
#include "worker/critic/critique.h"
#include "worker/picture/sequence.h"

namespace rushes::worker {
namespace {

struct Arguments {
  std::string clip, shot, name;
  std::vector<std::filesystem::path> model_roots;
  std::vector<std::string> windows;
  bool json = false;
};

Result<config::Shot> shot_of(const Arguments& arguments) {
  const auto batch = config::read_batch(arguments.shot);
  if (!batch) return tl::unexpected(batch.error());
  std::string names;
  for (const config::Shot& shot : batch->shots) {
    if (shot.name == arguments.name || (arguments.name.empty() && batch->shots.size() == 1)) return shot;
    names += (names.empty() ? "" : ", ") + shot.name;
  }
  return fail(ErrorKind::kNotFound, arguments.shot + ": expected --name to be one of " + names + ", found '" +
                                        arguments.name + "'");
}

Result<std::vector<Range>> windows_of(const std::vector<std::string>& texts, int frames) {
  std::vector<Range> windows;
  for (const std::string& text : texts) {
    const auto range = config::FrameRange::parse(text);
    if (!range) return tl::unexpected(range.error());
    const config::FrameRun run = range->runs().front();
    if (range->runs().size() != 1 || run.step != 1 || run.first < 0 || run.last >= frames ||
        (!windows.empty() && run.first <= windows.back().begin))
      return fail(ErrorKind::kInvalid, "--windows: expected ascending ranges inside 0-" +
                                           std::to_string(frames - 1) + ", found '" + text + "'");
    windows.push_back({static_cast<int>(run.first), static_cast<int>(run.last) + 1});
  }
  return windows;
}

// The shot's share of the context. The working space is known only where the model's manifest is at hand.
Status apply_shot(const Arguments& arguments, CriticContext& context) {
  if (arguments.shot.empty()) return {};
  const auto shot = shot_of(arguments);
  if (!shot) return tl::unexpected(shot.error());
  context.rules = config::changed(std::move(context.rules), shot->critics);
  context.expects_motion = asks_for_motion(shot->prompt);
  if (arguments.model_roots.empty()) return {};
  const auto model = config::find_model(shot->model, arguments.model_roots);
  if (!model) return tl::unexpected(model.error());
  context.space = model->working_space;
  return {};
}

void print(const Critique& critique) {
  if (critique.verdict == Verdict::kUnknown)
    std::cout << "not judged\n";
  else
    std::cout << to_string(critique.verdict) << "  score " << decimal(critique.score, 2) << "\n";
  for (const Score& one : critique.dimensions)
    std::cout << "  " << one.dimension << "  " << decimal(one.score, 2) << "  ("
              << (one.blocks ? "revised" : "advises") << " below " << decimal(one.threshold, 2) << ")\n";
  for (const Finding& finding : critique.findings)
    std::cout << "  " << finding.dimension << ": " << finding.message << "; " << finding.remedy << "\n";
}

Result<ClipCritique> run(const Arguments& arguments) {
  if (const Status table = check_critics(); !table) return tl::unexpected(table.error());
  const auto loaded = load_sequence(arguments.clip);
  if (!loaded) return tl::unexpected(loaded.error());
  CriticContext context;
  context.start_frame = std::max(0, loaded->files.numbers.front());
  if (loaded->display_light) context.space = WorkingSpace::kSrgb;
  if (const Status status = apply_shot(arguments, context); !status) return tl::unexpected(status.error());
  const auto windows = windows_of(arguments.windows, loaded->clip.frames);
  if (!windows) return tl::unexpected(windows.error());
  context.windows = *windows;
  return critique(loaded->clip, context);
}

int main_of(int argc, char** argv) {
  Arguments arguments;
  rushes::config::CommandLine app("Judges a clip: " + names_of(config::default_rules()) + ".");
  app.option("CLIP", arguments.clip, "folder with one EXR or PNG sequence, or one of its frames").required();
  const auto shot = app.option("--shot", arguments.shot, "batch file whose thresholds and prompt apply");
  app.option("--name", arguments.name, "the shot's name, when the file holds several").needs(shot);
  app.option("--model-roots", arguments.model_roots,
             "folders of models, to know where the shot's model clips");
  app.option("--windows", arguments.windows, "windows of the take, such as 0-32,16-48").comma_separated();
  app.flag("--json", arguments.json, "the critique as JSON");
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto result = run(arguments);
  if (!result) {
    std::cerr << "rushes-critique: " << result.error().message << "\n";
    return static_cast<int>(exit_code(result.error().kind));
  }
  if (arguments.json)
    std::cout << to_json(*result) << "\n";
  else
    print(*result);
  return static_cast<int>(result->verdict == Verdict::kPass ? ExitCode::kOk : ExitCode::kWorkFailed);
}

}  // namespace
}  // namespace rushes::worker

int main(int argc, char** argv) { return rushes::worker::main_of(argc, argv); }
