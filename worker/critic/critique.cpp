#include "worker/critic/critique.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

// The part of the clip that a window covers, in frames of the clip.
FrameSpan local(const FrameSpan& window, const CriticContext& context, int frames) {
  return {std::clamp(window.begin - context.first_frame, 0, frames),
          std::clamp(window.end - context.first_frame, 0, frames)};
}

double worst_score(const Assessment& assessment, FrameSpan frames) {
  double score = 1;
  for (int t = frames.begin; t < frames.end; ++t)
    score = std::min(score, score_of(assessment.evidence[static_cast<std::size_t>(t)], assessment.limit));
  return score;
}

// The verdict on some frames, and their worst score.
std::pair<Verdict, double> judge(const std::vector<Assessment>& assessments, const CriticContext& context,
                                 FrameSpan frames) {
  Verdict verdict = assessments.empty() || frames.count() <= 0 ? Verdict::kUnknown : Verdict::kPass;
  double worst = 1;
  for (const Assessment& assessment : assessments) {
    const CriticSetting& setting = context.settings[static_cast<std::size_t>(assessment.critic)];
    const double score = worst_score(assessment, frames);
    worst = std::min(worst, score);
    if (score < setting.reject)
      verdict = Verdict::kReject;
    else if (score < setting.revise && verdict == Verdict::kPass)
      verdict = Verdict::kRevise;
  }
  return {verdict, worst};
}

std::vector<Assessment> assess(ClipView clip, const CriticContext& context) {
  const Measures measures = measure(clip);
  std::vector<Assessment> assessments;
  const auto run = [&](CriticName critic, const auto& judge_one) {
    if (!context.settings[static_cast<std::size_t>(critic)].enabled) return;
    Assessment assessment = judge_one();
    if (assessment.known) assessments.push_back(std::move(assessment));
  };
  run(CriticName::kFlicker, [&] { return judge_flicker(measures, context); });
  run(CriticName::kFreeze, [&] { return judge_freeze(measures, context); });
  run(CriticName::kExposure, [&] { return judge_exposure(measures, context); });
  run(CriticName::kLight, [&] { return judge_light(clip, context); });
  run(CriticName::kSeam, [&] { return judge_seam(measures, context); });
  return assessments;
}

// Four decimals: what JSON shows, so that the text does not depend on the last bit of a libm.
double rounded(double value) { return std::round(value * 1e4) / 1e4; }

}  // namespace

Critique critique(ClipView clip, const CriticContext& context) {
  const auto start = std::chrono::steady_clock::now();
  Critique result;
  if (clip.empty()) return result;
  CriticContext used = context;
  if (used.windows.empty()) used.windows = {{context.first_frame, context.first_frame + clip.frames()}};
  const std::vector<Assessment> assessments = assess(clip, used);
  const FrameSpan whole{0, clip.frames()};
  std::tie(result.verdict, result.score) = judge(assessments, used, whole);
  for (const Assessment& assessment : assessments) {
    result.dimensions.push_back({assessment.critic, worst_score(assessment, whole),
                                 used.settings[static_cast<std::size_t>(assessment.critic)].revise});
    result.findings.insert(result.findings.end(), assessment.findings.begin(), assessment.findings.end());
  }
  for (int i = 0; i < static_cast<int>(used.windows.size()); ++i) {
    const FrameSpan& window = used.windows[static_cast<std::size_t>(i)];
    const auto [verdict, score] = judge(assessments, used, local(window, used, clip.frames()));
    result.windows.push_back({i, window, verdict, score});
  }
  std::stable_sort(result.findings.begin(), result.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  result.compute_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

std::string to_json(const Critique& critique) {
  using Json = nlohmann::ordered_json;
  const auto span = [](FrameSpan frames) { return Json::array({frames.begin, frames.end - 1}); };
  Json json{{"verdict", to_string(critique.verdict)},
            {"score", rounded(critique.score)},
            {"critics", critique.critics}};
  json["dimensions"] = Json::array();
  for (const DimensionScore& one : critique.dimensions)
    json["dimensions"].push_back({{"dimension", config::to_string(one.dimension)},
                                  {"score", rounded(one.score)},
                                  {"threshold", rounded(one.threshold)}});
  json["windows"] = Json::array();
  for (const WindowCritique& one : critique.windows)
    json["windows"].push_back({{"window", one.window},
                               {"frames", span(one.frames)},
                               {"verdict", to_string(one.verdict)},
                               {"score", rounded(one.score)}});
  json["findings"] = Json::array();
  for (const Finding& one : critique.findings)
    json["findings"].push_back(
        {{"dimension", config::to_string(one.dimension)},
         {"severity", rounded(one.severity)},
         {"frames", span(one.frames)},
         {"window", one.window},
         {"box", {rounded(one.box.x), rounded(one.box.y), rounded(one.box.width), rounded(one.box.height)}},
         {"message", one.message},
         {"remedy", one.remedy},
         {"evidence", rounded(one.evidence)},
         {"threshold", rounded(one.threshold)}});
  return json.dump(1);
}

}  // namespace rushes::worker
