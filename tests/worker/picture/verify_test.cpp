#include "worker/picture/verify.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "tests/worker/picture/synthetic.h"
#include "worker/picture/atomic_file.h"
#include "worker/picture/manifest.h"
#include "worker/picture/movie.h"
#include "worker/picture/png_image.h"

namespace rushes::worker {
namespace {

using testing::ScratchFolder;

bool has(const DeliveryReport& report, const std::string& check, const std::string& part = "",
         Severity severity = Severity::kError) {
  for (const DeliveryFinding& finding : report.findings) {
    if (finding.check == check && finding.severity == severity &&
        (finding.message + finding.file).find(part) != std::string::npos) {
      return true;
    }
  }
  return false;
}

// A delivery that conforms: 5 frames and their movie.
class Delivery : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_.file("sh010/exr"));
    auto paths = write_exr_sequence(folder_.file("sh010/exr"), clip_, tags_);
    ASSERT_TRUE(paths) << paths.error().message;
    paths_ = *paths;
    write_movie_of(clip_);
  }
  void write_movie_of(ClipView clip) {
    const auto view = DisplayView::sdr(testing::ocio_config());
    MovieOptions options;
    options.first_timecode = tags_.first_timecode;
    ASSERT_TRUE(write_movie(folder_.file("sh010/sh010_v001_sdr.mp4"), clip, *view, options));
  }
  DeliveryReport verify() {
    auto report = verify_delivery(folder_.path());
    EXPECT_TRUE(report);
    return *report;
  }
  // The manifest of everything in the folder of the frames.
  std::string seal() {
    nlohmann::json files = nlohmann::json::array();
    for (const auto& entry : std::filesystem::directory_iterator(folder_.file("sh010/exr"))) {
      const auto sealed_file = seal_of(entry.path().string());
      files.push_back({{"file", entry.path().filename().string()},
                       {"bytes", sealed_file->bytes},
                       {"blake2b_256", sealed_file->digest}});
    }
    const std::string path = folder_.file("sh010/exr/sh010_v001.json");
    EXPECT_TRUE(write_file(path, sealed({{"version", 2}, {"files", files}})));
    return path;
  }
  void replace(int index, const std::string& bytes) {
    ASSERT_TRUE(write_file(paths_[static_cast<std::size_t>(index)], bytes));
  }

  ScratchFolder folder_;
  Clip clip_ = testing::rolling_ball(48, 27, 5);
  DeliveryTags tags_ = testing::example_tags();
  std::vector<std::string> paths_;
};

TEST_F(Delivery, ConformsAsWritten) {
  ASSERT_TRUE(write_png(folder_.file("sh010/exr/sh010_v001_contact.png"), Image8(4, 4)));
  seal();
  const DeliveryReport report = verify();
  EXPECT_TRUE(report.passed()) << report_text(report);
  EXPECT_TRUE(report.findings.empty()) << report_text(report);
  ASSERT_EQ(report.sequences.size(), 1U);
  const DeliverySequence& sequence = report.sequences[0];
  EXPECT_EQ(sequence.name, "sh010_v001");
  EXPECT_EQ(sequence.first, 1001);
  EXPECT_EQ(sequence.last, 1005);
  EXPECT_EQ(sequence.width, 48);
  EXPECT_EQ(sequence.movies.size(), 1U);
  EXPECT_EQ(sequence.sheets, (std::vector<std::string>{"sh010/exr/sh010_v001_contact.png"}));
  EXPECT_EQ(sequence.manifest, "sh010/exr/sh010_v001.json");
  EXPECT_EQ(sequence.range.max, 8.0F);
  const auto json = nlohmann::json::parse(report_json(report));
  EXPECT_EQ(json["passed"], true);
  EXPECT_EQ(json["sequences"][0]["timecode"], "01:00:00:00");
}

TEST_F(Delivery, SaysWhereAMovieIsMissingWhateverTheFolderIsCalled) {
  std::filesystem::remove(folder_.file("sh010/sh010_v001_sdr.mp4"));
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  for (const auto& [folder, place] : {std::pair("sh010", "exr"), std::pair("sh010/exr", ".")}) {
    const auto report = verify_delivery(folder);
    ASSERT_TRUE(report);
    const auto missing = std::ranges::find_if(report->findings, [](const DeliveryFinding& finding) {
      return finding.message.find("no movie") != std::string::npos;
    });
    ASSERT_NE(missing, report->findings.end()) << folder;
    EXPECT_EQ(missing->file, place) << folder;
  }
  std::filesystem::current_path(before);
}

TEST_F(Delivery, FindsAMissingFrame) {
  std::filesystem::remove(paths_[2]);
  const DeliveryReport report = verify();
  EXPECT_FALSE(report.passed());
  EXPECT_TRUE(has(report, "numbering", "expected frame 1003"));
  EXPECT_TRUE(has(report, "movie", "expected 4 frames"));
}

TEST_F(Delivery, FindsAFreeze) {
  replace(3, *encode_exr(ClipView(clip_).one(2), tags_, {0, 3}, 3));
  const DeliveryReport report = verify();
  EXPECT_TRUE(has(report, "freeze", "1004"));
  EXPECT_TRUE(has(report, "manifest", "is missing", Severity::kWarning));
  EXPECT_EQ(report.findings.size(), 2U) << report_text(report);
}

TEST_F(Delivery, FindsBrokenAndCutFiles) {
  replace(1, "not an EXR file");
  EXPECT_TRUE(has(verify(), "decode", "1002"));
  const std::string whole = *encode_exr(ClipView(clip_).one(1), tags_, {0, 1}, 1);
  replace(1, whole.substr(0, whole.size() - 40));
  EXPECT_TRUE(has(verify(), "decode", "1002"));
}

TEST_F(Delivery, FindsAWrongTimecodeCounterAndRate) {
  replace(3, *encode_exr(ClipView(clip_).one(3), tags_, {0, 3}, 7));
  DeliveryReport report = verify();
  EXPECT_TRUE(has(report, "timecode", "expected 01:00:00:03, found 01:00:00:07")) << report_text(report);
  EXPECT_TRUE(has(report, "numbering", "expected imageCounter 1004, found 1008"));
  Clip fast = clip_;
  fast.fps = config::Rate{25, 1};
  replace(3, *encode_exr(ClipView(fast).one(3), tags_, {0, 3}, 3));
  EXPECT_TRUE(has(verify(), "rate", "1004"));
}

TEST_F(Delivery, FindsAnotherSizeAndAnotherTake) {
  DeliveryTags other = tags_;
  other.recipe_hash = std::string(64, 'd');
  replace(2, *encode_exr(testing::rolling_ball(50, 27, 1), other, {0, 2}, 2));
  const DeliveryReport report = verify();
  EXPECT_TRUE(has(report, "window", "1003"));
  EXPECT_TRUE(has(report, "provenance", "rushes/recipeHash"));
}

TEST_F(Delivery, FindsLightThatIsNone) {
  Clip dark = clip_;
  dark.at(2, 3, 4)[1] = -0.5F;
  replace(2, *encode_exr(ClipView(dark).one(2), tags_, {0, 2}, 2));
  EXPECT_TRUE(has(verify(), "range", "1003"));
}

TEST_F(Delivery, FindsWrongColourTags) {
  std::string bytes = *encode_exr(ClipView(clip_).one(2), tags_, {0, 2}, 2);
  bytes.replace(bytes.find("lin_ap0_scene"), 13, "lin_ap1_scene");
  replace(2, bytes);
  EXPECT_TRUE(has(verify(), "colour", "lin_ap1_scene"));
  bytes = *encode_exr(ClipView(clip_).one(2), tags_, {0, 2}, 2);
  bytes.replace(bytes.find("adoptedNeutral"), 14, "adoptedNeutraX");
  replace(2, bytes);
  EXPECT_TRUE(has(verify(), "colour", "adoptedNeutral"));
}

TEST_F(Delivery, FindsAWrongMovie) {
  write_movie_of(ClipView(clip_).range(0, 4));
  EXPECT_TRUE(has(verify(), "movie", "expected 5 frames like the EXR sequence, found 4"));
  tags_.first_timecode = config::Timecode{2, 0, 0, 0};
  write_movie_of(clip_);
  EXPECT_TRUE(has(verify(), "movie", "expected first timecode 01:00:00:00, found \"02:00:00:00\""));
  ASSERT_TRUE(write_file(folder_.file("sh010/sh010_v001_sdr.mp4"), "broken"));
  EXPECT_TRUE(has(verify(), "movie", "not a readable movie"));
}

// Of every file that lies in the folder, bits all over it, in places that no decoder looks at too.
TEST_F(Delivery, FindsAFlippedBitInAnyFile) {
  std::filesystem::rename(folder_.file("sh010/sh010_v001_sdr.mp4"), folder_.file("sh010/exr/sh010_v001.mp4"));
  ASSERT_TRUE(write_png(folder_.file("sh010/exr/sh010_v001_contact.png"), Image8(4, 4)));
  ASSERT_TRUE(write_file(folder_.file("sh010/exr/farm.ocio"), "ocio_profile_version: 2\n"));
  seal();
  ASSERT_TRUE(verify().passed()) << report_text(verify());
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.file("sh010/exr")))
    files.push_back(entry.path().string());
  ASSERT_EQ(files.size(), 9U);
  for (const std::string& file : files) {
    const std::string bytes = *read_file(file, 1 << 24);
    for (const std::size_t place : {std::size_t{0}, bytes.size() / 3, bytes.size() / 2, bytes.size() - 1}) {
      std::string changed = bytes;
      changed[place] = static_cast<char>(changed[place] ^ 1);
      ASSERT_TRUE(write_file(file, changed));
      const DeliveryReport report = verify();
      EXPECT_FALSE(report.passed()) << file << " at " << place;
      const std::string name = std::filesystem::path(file).filename().string();
      EXPECT_TRUE(has(report, "manifest", name)) << file << " at " << place << "\n" << report_text(report);
    }
    ASSERT_TRUE(write_file(file, bytes));
  }
  EXPECT_TRUE(verify().passed());
}

TEST_F(Delivery, FindsMissingAndUnlistedFiles) {
  seal();
  std::filesystem::remove(paths_[4]);
  ASSERT_TRUE(write_file(folder_.file("sh010/exr/notes.txt"), "x"));
  const DeliveryReport report = verify();
  EXPECT_TRUE(has(report, "manifest", "is listed in sh010_v001.json and cannot be read"));
  EXPECT_TRUE(has(report, "manifest", "notes.txt", Severity::kWarning));
  ASSERT_TRUE(write_file(folder_.file("sh010/exr/sh010_v001.json"), "{}"));
  EXPECT_TRUE(has(verify(), "manifest", "damaged")) << "the manifest's name makes it one";
}

TEST_F(Delivery, FindsABrokenSheet) {
  ASSERT_TRUE(write_file(folder_.file("sh010/exr/sh010_v001_contact.png"), "no picture"));
  EXPECT_TRUE(has(verify(), "sheet", "sh010_v001_contact.png"));
}

// A draft and a master of older builds have files of the same names in two folders.
TEST_F(Delivery, PairsByFolder) {
  std::filesystem::rename(folder_.file("sh010/sh010_v001_sdr.mp4"), folder_.file("sh010/exr/sh010_v001.mp4"));
  std::filesystem::create_directories(folder_.file("master"));
  const Clip longer = testing::rolling_ball(48, 27, 7);
  ASSERT_TRUE(write_exr_sequence(folder_.file("master"), longer, tags_));
  const auto view = DisplayView::sdr(testing::ocio_config());
  MovieOptions options;
  options.first_timecode = tags_.first_timecode;
  ASSERT_TRUE(write_movie(folder_.file("master/sh010_v001.mp4"), longer, *view, options));
  const DeliveryReport report = verify();
  EXPECT_TRUE(report.passed()) << report_text(report);
  ASSERT_EQ(report.sequences.size(), 2U);
  for (const DeliverySequence& sequence : report.sequences)
    EXPECT_EQ(sequence.movies.size(), 1U) << sequence.folder;
}

TEST_F(Delivery, WarnsOfUnfinishedDeliveries) {
  std::filesystem::create_directories(folder_.file("sh010/.v002.partial"));
  ASSERT_TRUE(write_file(folder_.file("sh010/.v002.partial/sh010_v002_lin_ap0_scene.1001.exr"), "half"));
  const DeliveryReport report = verify();
  EXPECT_TRUE(report.passed()) << report_text(report);
  EXPECT_TRUE(has(report, "leftover", ".v002.partial", Severity::kWarning));
}

TEST_F(Delivery, NamesWhatIsHiddenAndDoesNotLookIntoIt) {
  std::filesystem::create_directories(folder_.file("sh010/.cache"));
  for (const char* name :
       {"sh010/.cache/a_contact.png", "sh010/._sh010_v001.mp4", "sh010/._sh010_contact.png",
        "sh010/._sh010_v001.json", "sh010/exr/._sh010_v001_lin_ap0_scene.1001.exr"})
    ASSERT_TRUE(write_file(folder_.file(name), "no picture")) << name;
  const DeliveryReport report = verify();
  EXPECT_TRUE(report.passed()) << report_text(report);
  EXPECT_TRUE(has(report, "hidden", ".cache", Severity::kWarning));
  EXPECT_EQ(std::count_if(report.findings.begin(), report.findings.end(),
                          [](const DeliveryFinding& finding) { return finding.check == "hidden"; }),
            2)
      << report_text(report);
  EXPECT_NE(report_text(report).find("hidden files are no part of a delivery: 4 not looked at"),
            std::string::npos);
}

TEST_F(Delivery, AuditsAHiddenFolderThatIsAskedFor) {
  const std::string hidden = folder_.file(".copy");
  std::filesystem::rename(folder_.file("sh010"), hidden);
  const auto report = verify_delivery(hidden);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->passed()) << report_text(*report);
  const std::string growing = folder_.file(".v002.part");
  std::filesystem::rename(hidden, growing);
  const auto unfinished = verify_delivery(growing + "/");
  ASSERT_TRUE(unfinished);
  EXPECT_TRUE(has(*unfinished, "leftover", "", Severity::kWarning)) << report_text(*unfinished);
}

TEST_F(Delivery, WarnsOfLeftoversAndStrangers) {
  ASSERT_TRUE(write_file(folder_.file("sh010/exr/.sh010.exr.part-12-0"), "half"));
  ASSERT_TRUE(write_file(folder_.file("other.mov"), "x"));
  const DeliveryReport report = verify();
  EXPECT_TRUE(report.passed());
  EXPECT_TRUE(has(report, "leftover", "", Severity::kWarning));
  EXPECT_TRUE(has(report, "movie", "other.mov", Severity::kWarning));
}

TEST(Verify, EmptyAndMissingFolders) {
  const ScratchFolder folder;
  const auto empty = verify_delivery(folder.path() + "/");
  ASSERT_TRUE(empty);
  EXPECT_FALSE(empty->passed());
  EXPECT_EQ(verify_delivery(folder.file("none")).error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace rushes::worker
