// What a critic is, and the table of those that this build has.
//
// A critic is one file: a Judge that looks at every frame of a clip once, in order, and one row that describes it.
// README.md in this folder says how to add one.
//
// Thread contract: rows are constants. One thread uses a Judge.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "config/result.h"
#include "worker/critic/finding.h"
#include "worker/critic/measure.h"

namespace rushes::worker {

// One frame of the clip, as critics see it.
struct Look {
  int frame = 0;       // of the clip, from 0
  ClipView pixels;     // this frame alone
  const Plane& stops;  // its light (measure.h) at full resolution; filled for critics whose row needs kStops
  const Meter& measured;  // of this frame and the one before; filled for critics whose row needs kMotion
};

class Judge {
 public:
  // The context and the rule must outlive the judge; context.windows may still grow before conclude().
  Judge(const CriticContext& context, const config::CriticRule& rule) : context_(context), rule_(rule) {}
  virtual ~Judge() = default;
  virtual void see(const Look& look) = 0;  // called for every frame of the clip, in order
  virtual Assessment conclude() = 0;       // called once, after the last frame

 protected:
  const CriticContext& context() const { return context_; }
  const config::CriticRule& rule() const { return rule_; }

 private:
  const CriticContext& context_;
  const config::CriticRule& rule_;
};

enum class Needs {
  kPixels,  // pixels only
  kStops,   // also light in stops of every pixel, measured once for all critics
  kMotion,  // also light, motion and what motion does not explain (measure.h), measured once for all critics
};

// A row of the table.
struct Critic {
  std::string_view name;  // as in config/critics.h
  int version = 1;        // changes when the critic's numbers change
  Needs needs = Needs::kPixels;
  int cost =
      0;  // processor microseconds a frame of 256x144 pixels at most, without shared measures; tests check it
  std::unique_ptr<Judge> (*judge)(const CriticContext& context, const config::CriticRule& rule) = nullptr;
};

// For Critic::judge.
template <class SomeJudge>
std::unique_ptr<Judge> make_judge(const CriticContext& context, const config::CriticRule& rule) {
  return std::make_unique<SomeJudge>(context, rule);
}

using CriticTable = std::span<const Critic* const>;
CriticTable critics();  // in the order of reports

// Whether the table and config::kCritics hold the same names. Programs check it when they start. Error: kInternal,
// with the names that are missing on either side.
Status check_critics(CriticTable table = critics());

}  // namespace rushes::worker
