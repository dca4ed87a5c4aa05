#include "scheduler/gateway/access.h"

#include <gtest/gtest.h>

#include "config/digest.h"

namespace rushes::scheduler {
namespace {

using config::Role;

std::vector<config::Token> tokens() {
  return {{"vic", Role::kViewer, config::text_digest("v-secret"), ""},
          {"ann", Role::kArtist, config::text_digest("a-secret"), ""},
          {"sue", Role::kSupervisor, config::text_digest("s-secret"), ""}};
}

TEST(Access, RolesIncludeTheOnesBelow) {
  Access access(tokens());
  EXPECT_EQ(access.check("Bearer v-secret", "::1", Role::kViewer).refusal, Access::Refusal::kNone);
  EXPECT_EQ(access.check("Bearer v-secret", "::1", Role::kArtist).refusal, Access::Refusal::kRole);
  EXPECT_EQ(access.check("Bearer a-secret", "::1", Role::kArtist).name, "ann");
  EXPECT_EQ(access.check("Bearer a-secret", "::1", Role::kSupervisor).refusal, Access::Refusal::kRole);
  EXPECT_EQ(access.check("Bearer s-secret", "::1", Role::kArtist).refusal, Access::Refusal::kNone);
}

TEST(Access, UnknownTokensAreRefused) {
  Access access(tokens());
  for (const char* header : {"", "a-secret", "bearer a-secret", "Bearer ", "Bearer a-secre",
                             "Bearer a-secrett", "Basic a-secret", "Bearer blake2b-256:00"})
    EXPECT_EQ(access.check(header, "::1", Role::kViewer).refusal, Access::Refusal::kUnknown) << header;
  EXPECT_EQ(access.check("Bearer " + std::string(100'000, 'x'), "::1", Role::kViewer).refusal,
            Access::Refusal::kUnknown);
  // The digest in the file is no token.
  EXPECT_EQ(access.check("Bearer " + config::text_digest("a-secret"), "::1", Role::kViewer).refusal,
            Access::Refusal::kUnknown);
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

}  // namespace
}  // namespace rushes::scheduler
