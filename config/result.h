// Errors as values, for every room.
//
// An Error says what was expected, what was found, where, and what to do about it. Exceptions do not cross
// thread or wire borders: they are caught where a library throws them and turned into an Error.
//
// Thread contract: plain values, safe to pass between threads.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace rushes {

// Process exit codes of every Rushes program (see README.md, "Exit codes").
enum class ExitCode : int {
  kOk = 0,           // the work is done
  kWorkFailed = 1,   // the work was tried and failed
  kUsage = 2,        // bad arguments or a bad file written by a person
  kUnreachable = 3,  // cannot reach the farm
  kEnvironment = 4,  // this host cannot run it: port in use, folder not writable, disk full
};

// What kind of failure it is; decides the exit code and the HTTP status, never the text.
enum class ErrorKind {
  kInvalid,      // the input is wrong: refuse it whole
  kNotFound,     // a file, shot, task or artifact that does not exist
  kConflict,     // it contradicts what is already there
  kDenied,       // key, token or role does not allow it
  kUnreachable,  // the other side does not answer
  kExhausted,    // disk, memory, size or rate limit
  kCorrupt,      // stored or received bytes do not match their description
  kModel,        // this host lacks a model's files, or has others
  kInternal,     // a broken assumption of ours
};

struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;  // one line: "file:line:column: key: expected X, found Y; do Z"
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return tl::unexpected<Error>(Error{kind, std::move(message)});
}

// The same error with its context in front: "shot sh010: " + message.
inline tl::unexpected<Error> with_context(const Error& error, const std::string& context) {
  return tl::unexpected<Error>(Error{error.kind, context + ": " + error.message});
}

inline ExitCode exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
    case ErrorKind::kNotFound:
      return ExitCode::kUsage;
    case ErrorKind::kUnreachable:
      return ExitCode::kUnreachable;
    case ErrorKind::kExhausted:
      return ExitCode::kEnvironment;
    default:
      return ExitCode::kWorkFailed;
  }
}

}  // namespace rushes
