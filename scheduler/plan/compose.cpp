#include "scheduler/plan/compose.h"

#include "config/version_name.h"
#include "scheduler/plan/windows.h"

namespace rushes::scheduler {
namespace {

bool is_input(const PlannedTask& task, const PlannedTask& maker, const Output& output) {
  if (output.role == Role::kProxy || output.role == Role::kSheet) return false;  // for people
  return output.role != Role::kHistory || (task.window == maker.window && task.tile == maker.tile);
}

std::vector<Input> inputs_of(const Composition& c) {
  std::vector<Input> inputs;
  if (c.task->stage == Stage::kEncode) {
    for (const KeyFrame& key : c.spec->recipe.key_frames) {
      Input& input = inputs.emplace_back();
      input.role = Role::kImage;
      input.digest = key.image;
      input.bytes = key.bytes;
      input.window = static_cast<int>(inputs.size()) - 1;
    }
  }
  for (const Made& made : c.made) {
    const PlannedTask& maker = *made.task;
    for (const Output& output : *made.outputs) {
      if (!is_input(*c.task, maker, output)) continue;
      Input& input = inputs.emplace_back();
      input.role = output.role;
      input.digest = output.digest;
      input.bytes = output.bytes;
      input.stage = maker.stage;
      input.take = static_cast<int>(maker.take);
      input.window = static_cast<int>(maker.window);
      input.segment = static_cast<int>(maker.segment);
      input.tile = static_cast<int>(maker.tile);
      input.revision = static_cast<int>(maker.revision);
      input.level = static_cast<int>(maker.level);
    }
  }
  return inputs;
}

std::string range_name(const char* what, const Range& range) {
  std::string text = std::string(" ") + what + " " + std::to_string(range.begin);
  if (range.end > range.begin + 1) text += "-" + std::to_string(range.end - 1);
  return text;
}

}  // namespace

TaskSpec compose(const Composition& c) {
  const PlannedTask& task = *c.task;
  TaskSpec spec;
  spec.id = task.id;
  spec.show = c.spec->show;
  spec.shot = c.spec->name;
  spec.take = static_cast<int>(task.take);
  spec.stage = task.stage;
  spec.level = static_cast<int>(task.level);
  spec.window = static_cast<int>(task.window);
  spec.segment = static_cast<int>(task.segment);
  spec.tile = static_cast<int>(task.tile);
  spec.revision = static_cast<int>(task.revision);
  spec.frames = task.frames;
  spec.whole_take = task.whole_take;
  spec.recipe_bytes = *c.recipe;
  spec.inputs = inputs_of(c);
  if (task.stage == Stage::kFinish || task.stage == Stage::kDeliver) {
    spec.delivery = {delivery_folder(*c.spec, task.master_delivery, c.version),
                     c.version,
                     static_cast<int>(c.spec->start_frame),
                     c.spec->timecode,
                     c.spec->reel,
                     task.master_delivery,
                     c.spec->deliver_rate,
                     c.shot_wall_ms,
                     c.takes};
  }
  if (task.stage ==
      Stage::kCritique) {  // of a whole take: its movie and sheet count frames as the delivery does
    spec.delivery.start_frame = static_cast<int>(c.spec->start_frame);
    spec.delivery.timecode = c.spec->timecode;
    spec.delivery.fps = c.spec->deliver_rate;
  }
  spec.name = task_name(*c.spec, task);
  if (task.stage == Stage::kCritique) spec.critics = c.spec->critics;
  return spec;
}

Role output_role(Stage stage) {
  switch (stage) {
    case Stage::kEncode:
      return Role::kConditioning;
    case Stage::kDenoise:
    case Stage::kRefine:
      return Role::kLatent;
    case Stage::kDecode:
      return Role::kFrames;
    case Stage::kEnlarge:
      return Role::kGuide;
    case Stage::kCritique:
      return Role::kCritique;
    case Stage::kFinish:
    case Stage::kDeliver:
      break;
  }
  return Role::kFiles;
}

std::string task_name(const ShotSpec& spec, const PlannedTask& task) {
  const int start = static_cast<int>(spec.start_frame);  // people count frames by their EXR files
  std::string name = spec.name;
  if (task.take > 0) name += " take " + std::to_string(task.take);
  name += std::string(" ") + to_string(task.stage);
  switch (task.stage) {
    case Stage::kDenoise:
      name += " window " + std::to_string(task.window) +
              range_name("steps", spec.recipe.draft.segments[task.segment]);
      break;
    case Stage::kRefine: {
      name += " window " + std::to_string(task.window) + " tile " + std::to_string(task.tile) + " segment " +
              std::to_string(task.segment);
      break;
    }
    case Stage::kCritique:
      if (!task.whole_take) name += " window " + std::to_string(task.window);
      break;
    case Stage::kDecode:
      name += " tile " + std::to_string(task.tile);
      break;
    case Stage::kFinish:
      name += range_name("frames", {start + task.frames.begin, start + task.frames.end});
      break;
    case Stage::kDeliver:
      name += task.master_delivery ? " master" : " draft";
      break;
    default:
      break;
  }
  if (task.level == 1 && task.stage == Stage::kDecode) name += " master";
  if (task.revision > 0) name += " revision " + std::to_string(task.revision);
  return name;
}

std::string delivery_folder(const ShotSpec& spec, bool master, const std::string& version) {
  return spec.show + "/" + spec.name + (master ? "/master/" : "/draft/") + version;
}

std::optional<std::string> delivered_version(const ShotSpec& spec, bool master,
                                             const std::vector<std::string>& files) {
  const std::string parent = delivery_folder(spec, master, "");
  std::optional<std::string> version;
  for (const std::string& file : files) {
    const std::size_t end = file.find('/', parent.size());
    if (!file.starts_with(parent) || end == std::string::npos) return std::nullopt;
    const std::string found = file.substr(parent.size(), end - parent.size());
    if (!config::version_number(found) || version.value_or(found) != found) return std::nullopt;
    version = found;
  }
  return version;
}

}  // namespace rushes::scheduler
