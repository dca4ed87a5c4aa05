#include "scheduler/plan/compose.h"

#include <cstdio>

#include "scheduler/plan/vocabulary_codec.h"
#include "scheduler/plan/windows.h"

namespace rushes::scheduler {
namespace {

bool is_input(const PlannedTask& task, const PlannedTask& maker, const Output& output) {
  return output.role != "history" || (task.window == maker.window && task.tile == maker.tile);
}

void write_inputs(records::TaskSpec::Builder spec, const Composition& c) {
  const auto& keys = c.spec->recipe.key_frames;
  unsigned count = c.task->stage == Stage::kEncode ? static_cast<unsigned>(keys.size()) : 0;
  for (const Made& made : c.made) {
    for (const Output& output : *made.outputs) count += is_input(*c.task, *made.task, output) ? 1 : 0;
  }
  auto inputs = spec.initInputs(count);
  unsigned i = 0;
  if (c.task->stage == Stage::kEncode) {
    for (; i < keys.size(); ++i) {
      inputs[i].setRole("image");
      inputs[i].setDigest(codec::data_of(keys[i].image));
      inputs[i].setBytes(keys[i].bytes);
      inputs[i].setWindow(i);
    }
  }
  for (const Made& made : c.made) {
    for (const Output& output : *made.outputs) {
      if (!is_input(*c.task, *made.task, output)) continue;
      auto input = inputs[i++];
      input.setRole(output.role);
      input.setDigest(codec::data_of(output.digest));
      input.setBytes(output.bytes);
      input.setStage(static_cast<records::Stage>(made.task->stage));
      input.setTake(made.task->take);
      input.setWindow(made.task->window);
      input.setSegment(made.task->segment);
      input.setTile(made.task->tile);
      input.setRevision(made.task->revision);
      input.setLevel(made.task->level);
    }
  }
}

void write_delivery(records::Delivery::Builder out, const Composition& c) {
  out.setFolder(delivery_folder(*c.spec, c.task->master_delivery, c.version));
  out.setVersion(c.version);
  out.setStartFrame(c.spec->start_frame);
  out.setTimecode(c.spec->timecode);
  out.setReel(c.spec->reel);
  out.setMaster(c.task->master_delivery);
  out.setFpsNumerator(static_cast<std::uint32_t>(c.spec->deliver_rate.numerator));
  out.setFpsDenominator(static_cast<std::uint32_t>(c.spec->deliver_rate.denominator));
}

std::string range_name(const char* what, const Range& range) {
  std::string text = std::string(" ") + what + " " + std::to_string(range.begin);
  if (range.end > range.begin + 1) text += "-" + std::to_string(range.end - 1);
  return text;
}

}  // namespace

Bytes compose(const Composition& c) {
  const PlannedTask& task = *c.task;
  capnp::MallocMessageBuilder message;
  auto spec = message.initRoot<records::TaskSpec>();
  spec.setTask(task.id);
  spec.setShow(c.spec->show);
  spec.setShot(c.spec->name);
  spec.setTake(task.take);
  spec.setStage(static_cast<records::Stage>(task.stage));
  spec.setLevel(task.level);
  spec.setWindow(task.window);
  spec.setSegment(task.segment);
  spec.setTile(task.tile);
  spec.setRevision(task.revision);
  codec::write(spec.initFrames(), task.frames);
  spec.setWholeTake(task.whole_take);
  spec.setRecipe(codec::data_of(*c.recipe));
  write_inputs(spec, c);
  if (task.stage == Stage::kFinish || task.stage == Stage::kDeliver) write_delivery(spec.initDelivery(), c);
  spec.setName(task_name(*c.spec, task));
  if (task.stage == Stage::kCritique) {
    codec::write_list(spec.initCritics(static_cast<unsigned>(c.spec->critics.size())), c.spec->critics);
  }
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  return {bytes.begin(), bytes.end()};
}

const char* output_role(Stage stage) {
  switch (stage) {
    case Stage::kEncode:
      return "conditioning";
    case Stage::kDenoise:
    case Stage::kRefine:
      return "latent";
    case Stage::kDecode:
      return "frames";
    case Stage::kEnlarge:
      return "guide";
    case Stage::kCritique:
      return "critique";
    case Stage::kFinish:
    case Stage::kDeliver:
      break;
  }
  return "files";
}

std::string task_name(const ShotSpec& spec, const PlannedTask& task) {
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
      name += range_name("frames", task.frames);
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

std::string delivery_version(std::uint32_t number) {
  char text[16];
  std::snprintf(text, sizeof text, "v%03u", number);
  return text;
}

}  // namespace rushes::scheduler
