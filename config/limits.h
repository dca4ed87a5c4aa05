// How large things may be that cross from one room to another: the one table of the readers of files, the planner,
// which refuses at submit what a later stage could not carry (scheduler/plan/limits.h), the wire, the stores and the
// engine, which enforce it. Bounds of single fields stand with their readers.
//
// Thread contract: constants.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rushes {

// ---- messages
inline constexpr std::size_t kMaxControlBytes = 64u << 10;
// A task's description beside its envelope. A larger one travels as an artifact, and only to workers that can
// fetch it.
inline constexpr std::size_t kMaxInlineDescriptionBytes = 60u << 10;
inline constexpr std::size_t kMaxDescriptionBytes = 448u << 10;
inline constexpr unsigned kMaxTaskInputs = 4096;

// ---- artifacts
inline constexpr std::uint64_t kMaxArtifactBytes = 4ull << 30;
inline constexpr std::uint64_t kMaxModelMemory = 1ull << 44;   // bytes of tensors, of a whole run
inline constexpr std::uint64_t kMaxLatentMemory = 1ull << 32;  // of one token or latent

// ---- pictures
inline constexpr int kMaxPictureSide = 16384;                             // pixels, rendered or delivered
inline constexpr int kMinDeliveredSide = 2;                               // pixels: a movie needs them
inline constexpr std::int64_t kMaxPicturePixels = std::int64_t{1} << 26;  // of one file: 8192x8192
inline constexpr int kMaxClipFrames = 100000;                             // in memory at a time
inline constexpr std::int64_t kMaxClipValues = std::int64_t{1}
                                               << 33;  // in memory at a time: 32 GiB of floats
inline constexpr int kMaxRateDenominator = 1001;       // of frames per second, reduced

}  // namespace rushes
