// One function per decoder that reads bytes of the network or of a disk. Each takes any bytes and returns, or
// ends the process: a decoder refuses what it does not like, and what it accepts survives its own encoder.
//
// libFuzzer drives one of them (entry.cpp, tools/fuzz); test_fuzz_corpus runs all of them over
// tests/data/fuzz.
//
// Thread contract: one thread at a time; no target keeps anything between two calls.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

namespace rushes::fuzz {

// ---- the wire
void control(
    std::string_view bytes);  // scheduler and worker, both directions; also the worker's outbox files
void artifacts(std::string_view bytes);  // requests and replies of artifact transfer
void pipe(std::string_view bytes);       // frames between an agent and its engine
void task(std::string_view bytes);       // the engine's view of a task
void payload(std::string_view bytes);    // latents, conditioning and pixels inside artifacts

// ---- the disk
void record(std::string_view bytes);       // one record of the journal
void snapshot(std::string_view bytes);     // rows of a snapshot, applied to an empty state
void recipe(std::string_view bytes);       // canonical recipes
void safetensors(std::string_view bytes);  // whole files
void safetensors_header(std::string_view bytes);

// ---- what people write
void yaml_farm(std::string_view bytes);
void yaml_tokens(std::string_view bytes);
void yaml_worker(std::string_view bytes);
void yaml_shots(std::string_view bytes);
void yaml_model(std::string_view bytes);
void frame_range(std::string_view bytes);
void http_body(std::string_view bytes);    // bodies, headers and numbers of paths
void http_head(std::string_view bytes);    // heads of requests
void http_chunks(std::string_view bytes);  // bodies in chunks

// Ends the process: found by the fuzzer, and by the test.
inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

inline std::span<const std::uint8_t> octets(std::string_view bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

}  // namespace rushes::fuzz
