#include "worker/agent/outbox.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/scheduler/protocol/folder.h"
#include "tests/scheduler/protocol/records.h"
#include "worker/agent/attempt_log.h"

namespace rushes::worker {
namespace {

protocol::Completed result(std::uint64_t task) {
  return {{TaskId(task), 1, 9}, protocol::test::test_result({{digest_of("a"), 1}}), "log"};
}

TEST(Outbox, SurvivesACrashOfTheAgent) {
  const test::Folder folder;
  const pid_t child = ::fork();
  if (child == 0) {  // keeps two results, forgets one, and dies without any farewell
    const auto outbox = Outbox::open(folder / "outbox");
    if (!outbox->keep(result(7)) || !outbox->keep(result(3)) || !outbox->keep(result(5))) ::_exit(1);
    outbox->forget(result(5).id);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(Outbox::open(folder / "outbox")->load(), (std::vector{result(3), result(7)}));
}

TEST(Outbox, ATornFileIsSetAside) {
  const test::Folder folder;
  const auto outbox = Outbox::open(folder / "outbox");
  ASSERT_TRUE(outbox->keep(result(1)) && outbox->keep(result(2)));
  std::filesystem::resize_file(folder / "outbox" / "1-1.result", 24);
  std::ofstream(folder / "outbox" / "4-1.result.new") << "unfinished";
  EXPECT_EQ(outbox->load(), std::vector{result(2)});
  EXPECT_TRUE(std::filesystem::exists(folder / "outbox" / "1-1.result.broken"));
  EXPECT_FALSE(std::filesystem::exists(folder / "outbox" / "4-1.result.new"));
}

TEST(AttemptLog, KeepsABoundedFileAndTheEnd) {
  const test::Folder folder;
  AttemptLog log;
  log.begin(folder / "logs", {TaskId(12), 3, 0});
  for (int i = 0; i < 30; ++i) log.append(std::string(100'000, 'x'));
  log.append("the end \xFF\n");
  EXPECT_EQ(log.tail().size(), AttemptLog::kTailBytes);
  EXPECT_TRUE(log.tail().ends_with("the end ?\n"));
  log.end();
  const auto bytes = std::filesystem::file_size(folder / "logs" / "12-3.log");
  EXPECT_GE(bytes, AttemptLog::kMaxFileBytes);
  EXPECT_LE(bytes, AttemptLog::kMaxFileBytes + 100);
}

}  // namespace
}  // namespace rushes::worker
