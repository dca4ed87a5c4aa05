// Counts how often what was seen is what the caption said, attribute by attribute.
//
// Thread contract: a Score belongs to one thread.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tools/train/scene/analyse.h"
#include "tools/train/scene/grammar.h"

namespace rushes::bench {

// The 95 % interval of a proportion (E. B. Wilson, "Probable inference, the law of succession, and
// statistical inference", JASA 22, 1927).
struct Interval {
  double low = 0, high = 1;
};
Interval wilson(int right, int total);

class Score {
 public:
  // Counts every attribute that the caption states; a clip without an object is wrong about the object's.
  // Returns one line that says what was wrong, empty if nothing.
  std::string add(const scene::Stated& truth, const scene::Seen& seen);

  std::string table() const;  // for people, one line per attribute
  nlohmann::json json()
      const;  // {"light": {"right": n, "total": n, "accuracy": x, "low": x, "high": x}, ...}
  double accuracy(const std::string& attribute) const;

 private:
  struct Count {
    int right = 0, total = 0;
  };
  std::map<std::string, Count> counts_;
};

}  // namespace rushes::bench
