#include "worker/critic/critique.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

namespace rushes::worker {
namespace {

// The part of the clip that a window covers, in frames of the clip.
Range local(const Range& window, const CriticContext& context, int frames) {
  return {std::clamp(window.begin - context.first_frame, 0, frames),
          std::clamp(window.end - context.first_frame, 0, frames)};
}

double worst_score(const Assessment& assessment, Range frames) {
  double score = 1;
  for (int t = frames.begin; t < frames.end; ++t)
    score = std::min(score, score_of(assessment.evidence[static_cast<std::size_t>(t)], assessment.limit));
  return score;
}

// Scores and thresholds are compared as records keep them, in single precision, so that a record explains its verdict.
Verdict verdict_of(double score, const config::CriticRule& rule) {
  if (static_cast<float>(score) < rule.reject) return Verdict::kReject;
  if (static_cast<float>(score) < rule.revise) return Verdict::kRevise;
  return Verdict::kPass;
}

const config::CriticRule* rule_of(const config::CriticRules& rules, std::string_view name) {
  for (const config::CriticRule& rule : rules)
    if (rule.name == name) return &rule;
  return nullptr;
}

// Four decimals: what JSON shows, so that the text does not depend on the last bit of a libm.
double rounded(double value) { return std::round(value * 1e4) / 1e4; }

}  // namespace

Panel::Panel(CriticContext context, CriticTable table) : context_(std::move(context)) {
  for (const Critic* row : table) {
    const config::CriticRule* rule = rule_of(context_.rules, row->name);
    if (rule == nullptr || !rule->enabled) continue;
    seats_.push_back({*row, *rule, row->judge(context_, *rule), {}});
    measures_ = measures_ || row->needs == Needs::kMotion;
    logs_ = logs_ || row->needs == Needs::kStops;
  }
}

void Panel::see(ClipView frames) {
  const auto start = std::chrono::steady_clock::now();
  for (int t = 0; t < frames.frames(); ++t, ++frames_) {
    if (measures_) meter_.add(frames.one(t));
    if (logs_) stops_ = stops_of(frames.one(t));
    const Look look{frames_, frames.one(t), stops_, meter_};
    for (Seat& seat : seats_) seat.judge->see(look);
  }
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::pair<Verdict, double> Panel::verdict_on(Range frames) const {
  Verdict verdict = Verdict::kUnknown;
  double worst = 1;
  for (const Seat& seat : seats_) {
    if (!seat.assessment.known || !seat.rule.blocks) continue;
    const double score = worst_score(seat.assessment, frames);
    worst = std::min(worst, score);
    if (frames.size() > 0) verdict = std::max(verdict, verdict_of(score, seat.rule));
  }
  return {verdict, worst};
}

ClipCritique Panel::conclude() {
  const auto start = std::chrono::steady_clock::now();
  ClipCritique result;
  result.score = 1;
  result.start_frame = context_.start_frame;
  for (const Seat& seat : seats_)
    result.critics += (result.critics.empty() ? "" : " ") + std::string(seat.row.name) + "/" +
                      std::to_string(seat.row.version);
  if (frames_ == 0) return result;
  if (context_.windows.empty()) context_.windows = {{context_.first_frame, context_.first_frame + frames_}};
  const Range whole{0, frames_};
  for (Seat& seat : seats_) {
    seat.assessment = seat.judge->conclude();
    if (!seat.assessment.known) continue;
    result.dimensions.push_back({seat.rule.name, worst_score(seat.assessment, whole), seat.rule.revise,
                                 seat.rule.reject, seat.rule.blocks});
    for (Finding& finding : seat.assessment.findings) {
      finding.dimension = seat.rule.name;
      finding.blocks = seat.rule.blocks;
      result.findings.push_back(std::move(finding));
    }
  }
  std::tie(result.verdict, result.score) = verdict_on(whole);
  for (int i = 0; i < static_cast<int>(context_.windows.size()); ++i) {
    const Range& window = context_.windows[static_cast<std::size_t>(i)];
    const auto [verdict, score] = verdict_on(local(window, context_, frames_));
    result.windows.push_back({i, window, verdict, score});
  }
  std::stable_sort(result.findings.begin(), result.findings.end(), [](const Finding& a, const Finding& b) {
    return a.blocks != b.blocks ? a.blocks : a.severity > b.severity;
  });
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.compute_seconds = seconds_;
  return result;
}

ClipCritique critique(ClipView clip, const CriticContext& context, CriticTable table) {
  Panel panel(context, table);
  if (!clip.empty()) panel.see(clip);
  return panel.conclude();
}

Result<config::CriticRules> rules_of(const std::vector<CriticSetting>& settings) {
  config::CriticRules rules = config::default_rules();
  for (const CriticSetting& setting : settings) {
    const auto rule = std::find_if(rules.begin(), rules.end(),
                                   [&](const config::CriticRule& one) { return one.name == setting.name; });
    if (rule == rules.end()) {
      if (!setting.enabled || !setting.blocks) continue;
      return fail(ErrorKind::kInvalid, "critic \"" + setting.name +
                                           "\": unknown to this worker, which is older than the scheduler");
    }
    rule->enabled = setting.enabled;
    if (setting.revise >= 0) rule->revise = setting.revise;
    if (setting.reject >= 0) rule->reject = setting.reject;
    rule->blocks = setting.blocks;
  }
  return rules;
}

std::string names_of(const config::CriticRules& rules) {
  std::string names;
  for (const config::CriticRule& rule : rules)
    if (rule.enabled) names += (names.empty() ? "" : ", ") + rule.name;
  return names;
}

std::string to_json(const ClipCritique& critique) {
  using Json = nlohmann::ordered_json;
  const auto span = [](Range frames, int from = 0) {
    return Json::array({from + frames.begin, from + frames.end - 1});
  };
  // Without a critic that blocks nobody gave a score.
  const auto score = [](Verdict verdict, double value) {
    return verdict == Verdict::kUnknown ? Json(nullptr) : Json(rounded(value));
  };
  Json json{{"verdict", to_string(critique.verdict)},
            {"score", score(critique.verdict, critique.score)},
            {"critics", critique.critics}};
  json["dimensions"] = Json::array();
  for (const Score& one : critique.dimensions)
    json["dimensions"].push_back({{"dimension", one.dimension},
                                  {"score", rounded(one.score)},
                                  {"threshold", rounded(one.threshold)},
                                  {"reject", rounded(one.reject)},
                                  {"blocks", one.blocks}});
  json["windows"] = Json::array();
  for (const WindowCritique& one : critique.windows)
    json["windows"].push_back({{"window", one.window},
                               {"frames", span(one.frames)},
                               {"exr_frames", span(one.frames, critique.start_frame)},
                               {"verdict", to_string(one.verdict)},
                               {"score", score(one.verdict, one.score)}});
  json["findings"] = Json::array();
  for (const Finding& one : critique.findings)
    json["findings"].push_back(
        {{"dimension", one.dimension},
         {"severity", rounded(one.severity)},
         {"frames", span(one.frames)},
         {"exr_frames", span(one.frames, critique.start_frame)},
         {"window", one.window},
         {"box", {rounded(one.box.x), rounded(one.box.y), rounded(one.box.width), rounded(one.box.height)}},
         {"message", one.message},
         {"remedy", one.remedy},
         {"evidence", rounded(one.evidence)},
         {"threshold", rounded(one.threshold)},
         {"blocks", one.blocks}});
  return json.dump(1);
}

}  // namespace rushes::worker
