// The head of a request, checked as RFC 9112 has it before the HTTP library reads it. The library passes over lines that
// it cannot read, takes the first of several lengths and knows one form of a target; a proxy in front of the farm may
// read the same bytes otherwise, and then the two disagree where a request ends.
//
// Thread contract: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rushes::scheduler {

inline constexpr std::size_t kMaxHeadLine = 8192;  // bytes of a line of a head, its end included

struct HeadRefusal {
  int status = 400;
  std::string message;  // one line
};

// Checks the head in the first `length` bytes, whose last line is empty, and brings a target "http://HOST/PATH" into the
// form "/PATH"; length follows. Nothing: it may be served.
std::optional<HeadRefusal> check_head(std::string& bytes, std::size_t& length);

// The whole answer to a request that is not served; the connection ends behind it.
std::string answer_of(const HeadRefusal& refusal);

// Words that are the same in any case (RFC 9110: names of headers, schemes, codings).
bool same_word(std::string_view a, std::string_view b);

}  // namespace rushes::scheduler
