// The result of the longest take fits the control message that carries it.
#include <gtest/gtest.h>

#include "config/limits.h"
#include "config/shot.h"
#include "storage/records/frame_files.h"
#include "storage/records/words_codec.h"
#include "worker/engine/stage.h"

namespace rushes::worker {
namespace {

TEST(Results, OfTheLongestDeliveryFitAMessage) {
  TaskResult result;
  const std::string folder = std::string(64, 's') + "/" + std::string(64, 'n') + "/draft/v001/";
  for (int i = 0; i < config::kMaxFrames; ++i)
    result.files.push_back(folder + std::string(64, 'n') + "_v001_lin_ap0_scene." + std::to_string(1001 + i) +
                           ".exr");
  result.files.push_back(folder + "movie.mp4");
  const std::vector<std::string> files = result.files;
  shorten(result);
  const std::string bytes = encode_result(result);
  EXPECT_LE(bytes.size(), 4096u);
  const auto read = decode_result(bytes);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(expand_frames(read->files, 100'000), files);
}

TEST(Results, OfACritiqueKeepTheWorstFindings) {
  TaskResult result;
  for (int i = 0; i < 5000; ++i) {
    Finding finding;
    finding.severity = 1.0 / (i + 1);
    finding.message = std::string(300, 'm');
    finding.remedy = std::string(300, 'r');
    result.critique.findings.push_back(finding);
  }
  shorten(result);
  const std::string bytes = encode_result(result);
  EXPECT_LE(bytes.size(), kMaxInlineDescriptionBytes);
  const auto read = decode_result(bytes);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_FALSE(read->critique.findings.empty());
  EXPECT_EQ(read->critique.findings.front().severity, 1.0);
}

}  // namespace
}  // namespace rushes::worker
