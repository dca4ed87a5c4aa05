#include "scheduler/gateway/access.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "config/digest.h"
#include "tests/storage/temporary_folder.h"

namespace rushes::scheduler {
namespace {

using config::Role;

std::vector<config::Token> tokens() {
  return {{"vic", Role::kViewer, config::text_digest("v-secret")},
          {"ann", Role::kArtist, config::text_digest("a-secret")},
          {"sue", Role::kSupervisor, config::text_digest("s-secret")}};
}

TEST(Access, RolesIncludeTheOnesBelow) {
  Access access(tokens());
  EXPECT_EQ(access.check("Bearer v-secret", "::1", Role::kViewer).refusal, Access::Refusal::kNone);
  EXPECT_EQ(access.check("Bearer v-secret", "::1", Role::kArtist).refusal, Access::Refusal::kRole);
  EXPECT_EQ(access.check("Bearer a-secret", "::1", Role::kArtist).caller.name, "ann");
  EXPECT_EQ(access.check("Bearer a-secret", "::1", Role::kSupervisor).refusal, Access::Refusal::kRole);
  EXPECT_EQ(access.check("Bearer s-secret", "::1", Role::kArtist).refusal, Access::Refusal::kNone);
}

TEST(Access, UnknownTokensAreRefused) {
  Access access(tokens());
  for (const char* header : {"", "a-secret", "Bearer ", "Bearer a-secre", "Bearer a-secrett",
                             "Basic a-secret", "Bearer blake2b-256:00"})
    EXPECT_EQ(access.check(header, "::1", Role::kViewer).refusal, Access::Refusal::kUnknown) << header;
  EXPECT_EQ(access.check("Bearer " + std::string(100'000, 'x'), "::1", Role::kViewer).refusal,
            Access::Refusal::kUnknown);
  // The digest in the file is no token.
  EXPECT_EQ(access.check("Bearer " + config::text_digest("a-secret"), "::1", Role::kViewer).refusal,
            Access::Refusal::kUnknown);
}

TEST(Access, TheSchemeIsKnownInAnyCaseAndNamedWhenItIsAnother) {
  Access access(tokens());
  for (const char* header : {"bearer a-secret", "BEARER a-secret", "Bearer  a-secret"})
    EXPECT_EQ(access.check(header, "::1", Role::kViewer).refusal, Access::Refusal::kNone) << header;
  const auto words = [&](const char* header) { return access.check(header, "::1", Role::kViewer).message; };
  for (const char* header : {"Basic YTpi", "Basic", "Bearerx a-secret", "a-secret", "Digest username=\"a\""})
    EXPECT_EQ(words(header),
              "a Bearer token is needed, and nothing else is taken: send 'Authorization: Bearer TOKEN'")
        << header;
  for (const char* header : {"Bearer", "bearer ", "Bearer   "})
    EXPECT_EQ(words(header), "a token is needed behind Bearer: send 'Authorization: Bearer TOKEN'") << header;
  EXPECT_EQ(words(""), "a token is needed: send 'Authorization: Bearer TOKEN'");
  EXPECT_EQ(words("Bearer guess"), "this token is not known");
}

TEST(Access, GuessingGetsSlowForOneAddressOnly) {
  Access access(tokens(), {0.001, 1000}, {0.001, 3});
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(access.check("Bearer guess", "10.0.0.1", Role::kViewer).refusal, Access::Refusal::kUnknown);
  EXPECT_EQ(access.check("Bearer guess", "10.0.0.1", Role::kViewer).refusal, Access::Refusal::kTooMany);
  EXPECT_EQ(access.check("Bearer guess", "10.0.0.2", Role::kViewer).refusal, Access::Refusal::kUnknown);
  EXPECT_EQ(access.check("Bearer v-secret", "10.0.0.1", Role::kViewer).refusal, Access::Refusal::kNone);
}

TEST(Access, OneTokenCannotFloodTheFarm) {
  Access access(tokens(), {0.001, 5}, {1, 1});
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(access.check("Bearer v-secret", "::1", Role::kViewer).refusal, Access::Refusal::kNone);
  EXPECT_EQ(access.check("Bearer v-secret", "::1", Role::kViewer).refusal, Access::Refusal::kTooMany);
  EXPECT_EQ(access.check("Bearer a-secret", "::1", Role::kViewer).refusal, Access::Refusal::kNone);
}

TEST(Access, OneTokenHoldsAPartOfTheThreadsOnly) {
  Access access(tokens(), {1, 1000}, {1, 1});
  std::vector<Caller> served;
  for (int i = 0; i < Access::kMaxAtOnce; ++i)
    served.push_back(access.check("Bearer v-secret", "::1", Role::kViewer).caller);
  EXPECT_EQ(access.check("Bearer v-secret", "::1", Role::kViewer).refusal, Access::Refusal::kTooMany);
  EXPECT_EQ(access.check("Bearer a-secret", "::1", Role::kViewer).refusal, Access::Refusal::kNone);
  served.pop_back();
  EXPECT_EQ(access.check("Bearer v-secret", "::1", Role::kViewer).refusal, Access::Refusal::kNone);
}

TEST(Access, RefusalsAreCounted) {
  Access access(tokens(), {0.001, 2}, {1, 10});
  access.check("", "::1", Role::kViewer);
  access.check("Bearer v-secret", "::1", Role::kArtist);
  access.check("Bearer v-secret", "::1", Role::kViewer);
  access.check("Bearer v-secret", "::1", Role::kViewer);
  EXPECT_EQ(access.counters().unknown_tokens, 1u);
  EXPECT_EQ(access.counters().roles, 1u);
  EXPECT_EQ(access.counters().rate_limited, 1u);
}

TEST(Access, TokensFollowTheirFile) {
  const storage::TemporaryFolder folder;
  const auto file = folder.path() / "tokens.yaml";
  const auto write = [&](const std::string& text) { std::ofstream(file) << text; };
  const auto entry = [](const std::string& name, const std::string& secret) {
    return "  - {name: " + name + ", role: viewer, digest: \"" + config::text_digest(secret) + "\"}\n";
  };
  write("version: 1\ntokens:\n" + entry("vic", "v"));
  Access access(*config::read_tokens(file));
  access.watch(file);
  const auto knows = [&](const std::string& secret) {
    return access.check("Bearer " + secret, "::1", Role::kViewer).refusal == Access::Refusal::kNone;
  };
  const auto later = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1100)); };
  EXPECT_TRUE(knows("v"));
  write("version: 1\ntokens:\n" + entry("new", "n"));
  later();
  EXPECT_TRUE(knows("n"));
  EXPECT_FALSE(knows("v"));
  write("version: 1\ntokens:\n  - {name: ha");  // half written
  later();
  EXPECT_TRUE(knows("n"));
  std::filesystem::remove(file);
  later();
  EXPECT_TRUE(knows("n"));
}

}  // namespace
}  // namespace rushes::scheduler
