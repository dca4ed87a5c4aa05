// Pictures that people send with a shot: what is taken, for the tool that sends them and the farm that keeps them.
//
// Thread contract: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/result.h"

namespace rushes::config {

inline constexpr std::uint64_t kMaxPictureBytes = 256u << 20;
inline constexpr std::size_t kPictureBegin =
    32;  // bytes that check_picture() wants to see, fewer where the file is shorter

// Whether a file that begins like this is a PNG or EXR of a size that is taken. Error: kInvalid, "expected ...".
Status check_picture(std::string_view begin, std::uint64_t bytes);

// What reading pictures takes of a worker's host. Of several: their pixels together, and the memory of the largest.
struct PictureLoad {
  std::uint64_t pixels = 0;
  std::uint64_t memory = 0;  // bytes at most, those of the file among them
  bool operator==(const PictureLoad&) const = default;
};

// A key frame is enlarged until it covers the frame: the work follows its longer side. Error: kInvalid.
inline constexpr std::int64_t kMaxPictureAspect = 16;  // longer side to shorter side
Status check_aspect(std::int64_t width, std::int64_t height);

// "key_frames[0].image": a key of one of a shot's key frames, in Shot::places and for problem_at().
std::string key_frame_key(std::size_t index, std::string_view key);

}  // namespace rushes::config
