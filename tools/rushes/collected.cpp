// What `rushes gc` says: which takes left, and what that freed.
#include <algorithm>

#include "tools/rushes/text.h"

namespace rushes::tools {

std::string collected_text(const Json& answer) {
  const Json &takes = list(answer, "takes"), &uploads = member(answer, "uploads"),
             &freed = member(answer, "freed");
  std::vector<std::string> names;
  std::size_t width = 0;
  for (const Json& take : takes) {
    names.push_back(word(take, "shot") + " take " + std::to_string(static_cast<long>(number(take, "take"))));
    width = std::max(width, text_width(names.back()));
  }
  std::string text;
  for (std::size_t i = 0; i < takes.size(); ++i)
    text += padded(names[i], width + 2) + padded(bytes_text(number(takes[i], "bytes")), 10) +
            word(takes[i], "reason") + " since " + word(takes[i], "since").substr(0, 10) + "\n";
  const double bytes = number(answer, "bytes"), upload_bytes = number(uploads, "bytes"),
               later = number(member(answer, "later"), "bytes");
  text += counted(static_cast<double>(takes.size()), "take") +
          (member(answer, "dry_run") == true ? " would leave: " : " left: ") +
          counted(number(answer, "artifacts"), "artifact") + ", " + bytes_text(bytes) + "\n" +
          (later > 0 ? bytes_text(later) + " of it later: made within times.upload_sweep\n" : "") +
          counted(number(uploads, "artifacts"), "upload") +
          " that no result names: " + bytes_text(upload_bytes) + "\n";
  if (!freed.is_object()) return text;
  text += bytes_text(number(freed, "bytes")) + " freed";
  if (number(freed, "bytes") > 0) text += "; the disk shows it once the vault is compacted";
  if (later == 0 && number(freed, "bytes") < bytes + upload_bytes)
    text += "\nwhat was uploaded lately follows (times.upload_sweep)";
  return text + "\n";
}

}  // namespace rushes::tools
