// The critics that the farm knows, and the rules by which their scores become verdicts.
//
// kCritics is the one list of names: batch files and farm.yaml are checked against it, and the table of critics that
// workers run (worker/critic/critics.h) has a row for each name. The rules are data: kCritics holds the defaults,
// farm.yaml changes them for the studio, a shot for itself. The rules in force are kept with the shot, so that a
// verdict can be explained later.
//
// Thread contract: constants and pure functions; call from any thread.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rushes::config {

class Fields;

// A row of the list. Scores run from 0 (worst) to 1 (faultless); what a score of 0.5 means is written at the top of
// the critic's file.
struct KnownCritic {
  std::string_view name;         // the word of YAML and JSON
  float revise = 0.5F;           // default of CriticRule::revise: evidence at the critic's limit
  float reject = 0.1F;           // default of CriticRule::reject: evidence at three times the limit
  bool blocks = true;            // default of CriticRule::blocks
  bool between_windows = false;  // its findings lie where two windows meet, so either may be rendered again
};

// The order is the order of reports.
inline constexpr std::array kCritics{
    KnownCritic{"flicker"},                                // a part of the picture flashes for a frame
    KnownCritic{"freeze"},                                 // frames repeat while the shot moves
    KnownCritic{"exposure"},                               // the whole picture jumps in brightness
    KnownCritic{"light"},                                  // values that are no light, or that clip
    KnownCritic{.name = "seam", .between_windows = true},  // a step where two windows meet
    // These advise: their false alarms on what models make are not known yet.
    KnownCritic{.name = "sharpness", .blocks = false},   // frames softer than the rest of the shot
    KnownCritic{.name = "tint", .blocks = false},        // the colour of the whole picture jumps or drifts
    KnownCritic{.name = "judder", .blocks = false},      // a frame missing, out of order or displaced
    KnownCritic{.name = "hot_pixels", .blocks = false},  // single pixels that stand out
    KnownCritic{.name = "grid", .blocks = false},        // a lattice at the stride of a decoder
    KnownCritic{.name = "banding", .blocks = false},     // a smooth change of light in steps
    KnownCritic{.name = "noise", .blocks = false},       // grain that comes for a few frames
};

const KnownCritic* find_critic(std::string_view name);  // null when the farm knows no such critic

// How one critic's scores count.
struct CriticRule {
  std::string name;
  bool enabled = true;
  bool blocks = true;  // false: it advises. Its findings are reported and change neither verdict nor score
  float revise = 0;    // a window that scores less is rendered again
  float reject = 0;    // a take that scores less is dropped; <= revise
  bool operator==(const CriticRule&) const = default;
};
using CriticRules = std::vector<CriticRule>;  // one for each of kCritics, in that order

// What farm.yaml or a shot changes about one critic; absent values stay as they are.
struct CriticChange {
  bool enabled = true;
  std::optional<float> revise, reject;  // 0..1, reject < revise
  std::optional<bool> blocks;           // farm.yaml only: a shot cannot overrule the studio
  bool operator==(const CriticChange&) const = default;
};
using CriticChanges = std::map<std::string, CriticChange, std::less<>>;  // by name

CriticRules default_rules();
// The rules after a change. A revise below the reject that was in force lowers that reject with it.
CriticRules changed(CriticRules rules, const CriticChanges& changes);

// Reads the map `critics` into `changes`: names of kCritics, each "on", "off" or a map. `with_blocks`: whether the
// key `blocks` is known.
void read_critics(Fields& fields, CriticChanges& changes, bool with_blocks);

}  // namespace rushes::config
