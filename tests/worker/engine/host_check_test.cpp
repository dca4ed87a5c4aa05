#include "worker/engine/host_check.h"
#include "tests/folders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace rushes::worker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

class HostCheck : public ::testing::Test {
 protected:
  HostCheck() {
    std::string name = (fs::temp_directory_path() / "rushes-host-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~HostCheck() override { fs::remove_all(folder_); }
  fs::path folder_;
  const fs::path colour_ = test::source_folder() / "config/colour/farm.ocio";
};

TEST_F(HostCheck, AFolderThatCanBeMadeIsMadeAndLeftEmpty) {
  const fs::path deliveries = folder_ / "a" / "b";
  const Status status = check_host(deliveries, colour_);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_TRUE(fs::is_empty(deliveries));
}

TEST_F(HostCheck, EveryProblemIsNamedWithItsKey) {
  std::ofstream(folder_ / "file") << "x";
  const Status status = check_host(folder_ / "file", folder_ / "none.ocio");
  ASSERT_FALSE(status);
  EXPECT_EQ(exit_code(status.error().kind), ExitCode::kEnvironment);
  EXPECT_THAT(status.error().message,
              AllOf(HasSubstr("colour: "), HasSubstr("none.ocio"), HasSubstr("\ndeliveries: "),
                    HasSubstr((folder_ / "file").string())));
}

TEST_F(HostCheck, AConfigurationWithoutTheViewsIsRefused) {
  std::ofstream(folder_ / "poor.ocio")
      << "ocio_profile_version: 2\nroles: {default: raw}\ndisplays: {}\ncolorspaces:\n"
         "  - !<ColorSpace> {name: raw}\n";
  const Status status = check_host(folder_, folder_ / "poor.ocio");
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, AllOf(HasSubstr("poor.ocio"), Not(HasSubstr("deliveries"))));
}

TEST_F(HostCheck, AFolderThatMayNotBeWrittenIsRefused) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  ::chmod(folder_.c_str(), 0500);
  EXPECT_THAT(check_host(folder_, colour_).error().message, HasSubstr("takes no files"));
  ::chmod(folder_.c_str(), 0700);
}

}  // namespace
}  // namespace rushes::worker
