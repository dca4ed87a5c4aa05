// Where pictures of shots come from: sent before and named by digest, or below picture_roots; and nowhere else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "scheduler/gateway/body.h"
#include "scheduler/gateway/pictures.h"
#include "tests/config/test_pictures.h"
#include "tests/scheduler/gateway/gateway_fixture.h"

namespace rushes::scheduler {
namespace {

using testing::HasSubstr;

std::string with_picture(const std::string& image) {
  std::string text = batch_text({"sh010"});
  return text.replace(text.find("frames: 9"), 9,
                      "frames: 9, key_frames: [{frame: 0, image: \"" + image + "\"}]");
}

class PicturesTest : public GatewayTest {
 protected:
  Reply send(const std::string& bytes, const std::string& digest = {}) {
    const std::string name = digest.empty() ? to_hex(digest_of(bytes)) : digest;
    return reply_of(client().Post("/v1/pictures/" + name, token("a"), bytes, "application/octet-stream"));
  }
  Reply submit(const std::string& image, const Json& pictures, const std::string& query = "") {
    const Json body{{"yaml", with_picture(image)}, {"file", "shots.yaml"}, {"pictures", pictures}};
    return post("/v1/batches" + query, body.dump(), "a");
  }
};

TEST_F(PicturesTest, ASentPictureIsNamedByItsDigest) {
  const std::string bytes = png_of(64, 48);
  const std::string digest = to_hex(digest_of(bytes));
  EXPECT_THAT(submit("first.png", {{"first.png", digest}}).body,
              HasSubstr("send it with POST /v1/pictures/"));
  ASSERT_EQ(send(bytes).status, 201);
  EXPECT_EQ(farm_.vault().read_all(digest_of(bytes), 1000).value(), bytes);
  EXPECT_EQ(submit("./first.png", {{"first.png", digest}}, "?dry_run=1").status, 200);
  const auto taken = submit("first.png", {{"./first.png", digest}});
  EXPECT_EQ(taken.status, 201) << taken.body;
  EXPECT_EQ(send(bytes).status, 201) << "once more";
}

TEST_F(PicturesTest, APictureThatIsNamedIsAsNewAsOneThatIsSent) {
  const std::string bytes = png_of(32, 32);
  const std::string digest = to_hex(digest_of(bytes));
  ASSERT_EQ(send(bytes).status, 201);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const auto old = [&] { return farm_.vault().unreferenced(std::chrono::milliseconds(250))->artifacts; };
  ASSERT_EQ(old(), 1u);
  EXPECT_EQ(submit("first.png", {{"first.png", digest}}, "?dry_run=1").status, 200);
  EXPECT_EQ(old(), 1u) << "a dry run changes nothing";
  const std::map<std::string, Digest> sent{{"first.png", digest_of(bytes)}};
  const std::vector<std::filesystem::path> no_roots;
  PictureCheck check;
  ASSERT_TRUE(find_picture({"first.png", 0}, {sent, no_roots, farm_.vault(), check}, false));
  EXPECT_EQ(old(), 0u);
}

TEST_F(PicturesTest, WhatIsNoPictureIsNotKept) {
  for (const std::string& bytes :
       {std::string("root:x:0:0"), std::string(), std::string("\x89PNG\r\n\x1a\n"), png_head(100'000, 1),
        png_head(16'000, 16'000), png_head(0, 0), png_of(64, 48).substr(0, 100)}) {
    EXPECT_EQ(send(bytes).status, 400) << bytes.size();
    EXPECT_FALSE(farm_.vault().contains(digest_of(bytes)));
  }
  EXPECT_THAT(send(png_of(64, 48), to_hex(digest_of("another"))).body, HasSubstr("another digest"));
  EXPECT_THAT(raw("POST /v1/pictures/" + std::string(64, '0') +
                  " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nContent-Length: 999999999\r\n\r\n"),
              HasSubstr("413 "));
  EXPECT_THAT(raw("POST /v1/pictures/" + std::string(64, '0') +
                  " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\n\r\n"),
              HasSubstr("411 "));
  EXPECT_EQ(farm_.vault().open_uploads(), 0u);
  // What is in the vault for another reason is no picture either.
  const auto tensor = farm_.vault().put("tensor").value();
  EXPECT_THAT(submit("first.png", {{"first.png", to_hex(tensor)}}).body, HasSubstr("expected a PNG or EXR"));
}

// What begins well and is broken behind its beginning is found where it enters, not by a worker.
TEST_F(PicturesTest, ABrokenPictureIsRefusedWhereItEnters) {
  const std::string whole = noisy_png(64, 48), cut = whole.substr(0, whole.size() / 2);
  std::string changed = whole;
  changed[whole.size() / 2] = static_cast<char>(~changed[whole.size() / 2]);
  for (const std::string& bytes : {cut, changed}) {
    EXPECT_THAT(send(bytes).body, HasSubstr("expected a whole picture, found a broken PNG file"));
    EXPECT_FALSE(farm_.vault().contains(digest_of(bytes)));
  }
  // In the vault for another reason, and below a root.
  const auto there = to_hex(farm_.vault().put(cut).value());
  const Json named = submit("first.png", {{"first.png", there}}).json["errors"][0];
  EXPECT_EQ(named["key"], "shots[0].key_frames[0].image") << named;
  EXPECT_GT(named["line"], 1);
  EXPECT_GT(named["column"], 1);
  EXPECT_THAT(named["message"].get<std::string>(), HasSubstr("picture first.png: expected a whole picture"));
  std::filesystem::create_directories(farm_.folder() / "plates");
  std::ofstream(farm_.folder() / "plates" / "cut.png", std::ios::binary) << cut;
  const auto rooted =
      post("/v1/batches?dry_run=1", with_picture((farm_.folder() / "plates/cut.png").string()), "a");
  EXPECT_EQ(rooted.status, 400);
  EXPECT_THAT(rooted.body, HasSubstr("expected a whole picture"));
}

TEST_F(PicturesTest, NoPathOfAClientIsOpened) {
  std::ofstream(farm_.folder() / "first.png", std::ios::binary) << png_of(64, 48);
  const auto is = [&](const std::string& path) { return post("/v1/batches", with_picture(path), "a"); };
  // A file that is there and one that is not read the same.
  const std::string there = (farm_.folder() / "first.png").string(),
                    none = (farm_.folder() / "none.png").string();
  for (const std::string& path :
       {there, none, std::string("first.png"), std::string("/etc/passwd"),
        (farm_.folder() / "plates/../first.png").string(), (farm_.folder() / "plates2/first.png").string()}) {
    const auto refused = is(path);
    EXPECT_EQ(refused.status, 400) << path;
    EXPECT_THAT(refused.body, HasSubstr("the farm opens no file that a client names")) << path;
  }
}

TEST_F(PicturesTest, APictureBelowARootIsRead) {
  const auto plates = farm_.folder() / "plates";
  std::filesystem::create_directories(plates / "day1");
  std::ofstream(plates / "day1" / "first.png", std::ios::binary) << png_of(64, 48);
  std::ofstream(plates / "day1" / "notes.txt") << "not a picture";
  std::ofstream(farm_.folder() / "secret.png", std::ios::binary) << png_of(32, 32);
  std::filesystem::create_symlink(farm_.folder() / "secret.png", plates / "out.png");
  std::filesystem::create_symlink(plates / "day1", plates / "today");
  const auto is = [&](const std::string& path) {
    return post("/v1/batches?dry_run=1", with_picture(path), "a");
  };
  EXPECT_EQ(is((plates / "day1/first.png").string()).status, 200);
  EXPECT_EQ(is((plates / "today/first.png").string()).status, 200) << "a link that stays below";
  EXPECT_THAT(is((plates / "day1").string()).body,
              HasSubstr("expected a PNG or EXR file below picture_roots, found a folder"));
  ASSERT_EQ(mkfifo((plates / "pipe.png").c_str(), 0600), 0);
  EXPECT_THAT(is((plates / "pipe.png").string()).body, HasSubstr("found a pipe"));
  for (const char* name : {"out.png", "none.png", "day1/first.png/x"}) {
    const auto refused = is((plates / name).string());
    EXPECT_EQ(refused.status, 400) << name;
    EXPECT_THAT(refused.body, HasSubstr("there is none of this name")) << name;
  }
  EXPECT_THAT(is((plates / "day1/notes.txt").string()).body, HasSubstr("expected a PNG or EXR file"));
}

TEST_F(PicturesTest, ANameForMessagesRefusesNoSubmit) {
  const auto named = [&](const std::string& name) {
    return post("/v1/batches?dry_run=1", "version: 1\n", "a", {{"X-Rushes-File", name}})
        .json["errors"][0]["file"]
        .get<std::string>();
  };
  EXPECT_EQ(named("/h%C3%B6he/shots.yaml"), "/höhe/shots.yaml");
  EXPECT_THAT(named("/" + std::string(3000, 'x') + "/shots.yaml"), HasSubstr("x/shots.yaml"));
  EXPECT_LT(named("/" + std::string(3000, 'x') + "/shots.yaml").size(), 130u);
  EXPECT_EQ(named("%ff%0a%zz.yaml"), "? %zz.yaml");
  EXPECT_EQ(
      post("/v1/batches?dry_run=1", batch_text({"sh010"}), "a", {{"X-Rushes-File", std::string(900, '%')}})
          .status,
      200);
}

}  // namespace
}  // namespace rushes::scheduler
