// journal-forger LEDGER N: appends record N of a ledger once more, as a scheduler would that accepts twice.
//
// For the test of the test: whoever checks a journal (account.py) has to find what is planted here.
//
// Thread contract: one thread.
#include <cstdio>
#include <cstdlib>

#include "storage/ledger.h"

int main(int count, char** words) {
  using namespace rushes;
  const auto stop = [](int code, const std::string& text) {
    std::fprintf(stderr, "journal-forger: %s\n", text.c_str());
    return code;
  };
  if (count != 3) return stop(2, "usage: journal-forger LEDGER N");
  const auto ledger = storage::Ledger::open(words[1]);
  if (!ledger) return stop(4, ledger.error().message);
  const auto records = (*ledger)->records(std::strtoull(words[2], nullptr, 10) - 1, 1);
  if (!records || records->empty()) return stop(1, "there is no such record");
  if (const auto appended = (*ledger)->append({{records->front().payload}, {}, {}}); !appended)
    return stop(1, appended.error().message);
  const auto written = (*ledger)->flush();
  return written ? 0 : stop(1, written.error().message);
}
