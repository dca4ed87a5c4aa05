#include "config/critics.h"

#include <algorithm>

#include "config/yaml.h"

namespace rushes::config {
namespace {

void read_threshold(Fields& map, const char* key, std::optional<float>& out) {
  if (double value = 0; map.number(key, value, 0, 1)) out = static_cast<float>(value);
}

void read_critic(Fields& critics, std::string_view name, CriticChanges& changes, bool with_blocks) {
  const YamlNode* node = critics.find(name);
  if (node == nullptr) return;
  CriticChange& change = changes[std::string(name)];
  if (node->kind == YamlNode::Kind::kScalar && (node->text == "off" || node->text == "on")) {
    change.enabled = node->text == "on";
    return;
  }
  if (node->kind != YamlNode::Kind::kMap)
    return critics.problem(name, mismatch("on, off, or {revise: 0..1, reject: 0..1}", *node));
  change.enabled = true;
  critics.map(name, [&](Fields& map) {
    read_threshold(map, "revise", change.revise);
    read_threshold(map, "reject", change.reject);
    if (bool blocks = true; with_blocks && map.flag("blocks", blocks)) change.blocks = blocks;
    if (change.revise && change.reject && *change.reject >= *change.revise)
      map.problem("reject", "expected less than revise: the worse score is the one that drops the take");
  });
}

}  // namespace

const KnownCritic* find_critic(std::string_view name) {
  const auto* found = std::find_if(kCritics.begin(), kCritics.end(),
                                   [&](const KnownCritic& row) { return row.name == name; });
  return found == kCritics.end() ? nullptr : found;
}

CriticRules default_rules() {
  CriticRules rules;
  for (const KnownCritic& row : kCritics)
    rules.push_back({std::string(row.name), true, row.blocks, row.revise, row.reject});
  return rules;
}

CriticRules changed(CriticRules rules, const CriticChanges& changes) {
  for (CriticRule& rule : rules) {
    const auto found = changes.find(rule.name);
    if (found == changes.end()) continue;
    const CriticChange& change = found->second;
    rule.enabled = change.enabled;
    rule.blocks = change.blocks.value_or(rule.blocks);
    rule.revise = change.revise.value_or(rule.revise);
    rule.reject = change.reject.value_or(std::min(rule.reject, rule.revise));
  }
  return rules;
}

void read_critics(Fields& fields, CriticChanges& changes, bool with_blocks) {
  fields.map("critics", [&](Fields& critics) {
    for (const KnownCritic& row : kCritics) read_critic(critics, row.name, changes, with_blocks);
  });
}

}  // namespace rushes::config
