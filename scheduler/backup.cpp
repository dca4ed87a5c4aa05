#include "scheduler/backup.h"

#include <chrono>
#include <fstream>
#include <set>

#include "config/instant.h"
#include "config/log.h"
#include "config/yaml.h"
#include "scheduler/core/journal/record_codec.h"
#include "scheduler/core/state/retention.h"
#include "scheduler/recovery.h"
#include "storage/disk.h"

namespace rushes::scheduler {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAbout = "backup.yaml";
constexpr const char* kPartial = ".partial";      // a backup that is being made, in either folder
constexpr const char* kRestoring = ".restoring";  // a restore that is not finished, in the data folder
constexpr std::size_t kMaxName = 64;
constexpr std::uint64_t kLostLeases = std::uint64_t{1} << 40;  // a year of 40,000 leases a second

bool is_word(std::string_view name) {
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return !name.empty() && name.size() <= kMaxName && plain(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '_' || c == '-'; });
}

std::int64_t wall_seconds() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

tl::unexpected<Error> trouble(const fs::path& path, const std::error_code& code) {
  return fail(ErrorKind::kDenied, path.string() + ": " + code.message());
}

void remove_folder(const fs::path& folder) {
  std::error_code code;
  fs::remove_all(folder, code);
  if (code) log::warn("{}: cannot be removed: {}", folder.string(), code.message());
}

// A folder of ours that is there for a scope, new and empty.
class Scratch {
 public:
  explicit Scratch(fs::path folder) : folder_(std::move(folder)) { remove_folder(folder_); }
  ~Scratch() { remove_folder(folder_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  const fs::path folder_;
};

// What backup.yaml says: enough to know a copy of the backup that was cut short.
struct About {
  std::string farm, build, made_at;
  std::int64_t files = 0, bytes = 0;
};

Result<About> read_about(const fs::path& backup) {
  const fs::path file = backup / kAbout;
  const auto text = config::read_text(file);
  if (!text)
    return fail(ErrorKind::kNotFound, backup.string() + ": no backup (" + text.error().message +
                                          "); give a folder that `rushes backup` made");
  config::Problems problems(file.string());
  const auto node = config::parse_yaml(*text, problems);
  if (!problems.empty()) return tl::unexpected<Error>(problems.error());
  About about;
  config::Fields fields(node, "", problems);
  fields.find("version");
  for (const char* key : {"farm", "build", "made_at", "files", "bytes"}) fields.require(key, "a value");
  fields.text("farm", about.farm);
  fields.text("build", about.build);
  fields.text("made_at", about.made_at);
  std::int64_t records = 0;
  fields.integer("records", records, 0, INT64_MAX);
  fields.integer("files", about.files, 0, INT64_MAX);
  fields.integer("bytes", about.bytes, 0, INT64_MAX);
  fields.finish();
  if (!problems.empty()) return tl::unexpected<Error>(problems.error());
  return about;
}

// Of ledger and vault together.
Result<storage::FolderSize> size_of_both(const fs::path& folder) {
  const auto ledger = storage::size_of(folder / "ledger"), vault = storage::size_of(folder / "vault");
  if (!ledger) return ledger;
  if (!vault) return vault;
  return storage::FolderSize{ledger->bytes + vault->bytes, ledger->files + vault->files};
}

}  // namespace

Backups::Backups(storage::Ledger& ledger, storage::Vault& vault, VaultJanitor& janitor, BackupPlace place)
    : ledger_(ledger), vault_(vault), janitor_(janitor), place_(std::move(place)) {
  if (place_.backups.empty()) return;
  remove_folder(place_.data / kPartial);  // of a backup that a crash cut short: it holds disk space
  std::error_code code;
  for (fs::directory_iterator it(place_.backups, code), end; !code && it != end; it.increment(code)) {
    const auto about = read_about(it->path());
    const auto at = about ? config::parse_instant(about->made_at) : tl::unexpected<Error>(about.error());
    if (at) newest_ = std::max(newest_.load(), *at / 1000);
  }
}

Result<BackupMade> Backups::make(std::string_view name) {
  const auto began = std::chrono::steady_clock::now();
  if (place_.backups.empty())
    return fail(ErrorKind::kInvalid, "this farm keeps no backups: set `backups: FOLDER` in farm.yaml");
  if (!is_word(name))
    return fail(ErrorKind::kInvalid,
                "backup: expected a name of at most 64 letters, digits, - and _, found '" +
                    std::string(name.substr(0, kMaxName)) + (name.size() > kMaxName ? "...'" : "'"));
  const std::unique_lock lock(making_, std::try_to_lock);
  if (!lock) return fail(ErrorKind::kConflict, "another backup is being made; try again when it is done");
  BackupMade made;
  made.folder = place_.backups / name;
  std::error_code code;
  fs::create_directories(place_.backups, code);
  if (code) return trouble(place_.backups, code);
  if (fs::exists(fs::symlink_status(made.folder, code)))
    return fail(ErrorKind::kConflict,
                "backup " + std::string(name) + ": " + made.folder.string() + " exists; choose another name");
  if (auto room = storage::check_reserve(place_.backups, place_.reserve); !room)
    return tl::unexpected<Error>(room.error());

  const fs::path partial = place_.data / kPartial;
  const Scratch scratch(partial);
  fs::create_directory(partial, code);
  if (code) return trouble(partial, code);
  made.records = ledger_.synced_sequence();
  if (auto done = checkpoint(partial); !done) return tl::unexpected<Error>(done.error());
  if (auto done = describe(partial, made); !done) return tl::unexpected<Error>(done.error());
  if (auto done = move_to(partial, made.folder); !done) return tl::unexpected<Error>(done.error());
  newest_ = wall_seconds();
  made.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  log::info("backup {}: {} files, {} MiB, {:.1f} s", made.folder.string(), made.files, made.bytes >> 20,
            made.seconds);
  return made;
}

Status Backups::checkpoint(const fs::path& folder) const {
  const auto unswept = janitor_.hold_sweeps();
  if (auto done = ledger_.checkpoint(folder / "ledger"); !done) return done;
  return vault_.checkpoint(folder / "vault");
}

Status Backups::describe(const fs::path& folder, BackupMade& made) const {
  const auto size = size_of_both(folder);
  if (!size) return tl::unexpected<Error>(size.error());
  made.bytes = size->bytes;
  made.files = size->files;
  std::ofstream out(folder / kAbout);
  out << "version: 1\nfarm: " << place_.farm << "\nbuild: \"" << place_.build << "\"\nmade_at: \""
      << config::instant_text(wall_seconds() * 1000) << "\"\nrecords: " << made.records
      << "\nfiles: " << made.files << "\nbytes: " << made.bytes << "\n";
  out.close();
  if (!out) return fail(ErrorKind::kExhausted, (folder / kAbout).string() + ": cannot be written");
  if (auto synced = storage::sync_path(folder / kAbout); !synced) return synced;
  return storage::sync_path(folder);
}

// A rename, or where the backups lie on another disk a copy and a rename.
Status Backups::move_to(const fs::path& from, const fs::path& to) const {
  std::error_code code;
  fs::rename(from, to, code);
  if (!code) return storage::sync_path(to.parent_path());
  if (code != std::errc::cross_device_link) return trouble(to, code);
  const auto size = storage::size_of(from);
  if (!size) return tl::unexpected<Error>(size.error());
  if (auto room = storage::check_reserve(place_.backups, place_.reserve + size->bytes); !room) return room;
  const fs::path partial = place_.backups / kPartial;
  const Scratch scratch(partial);
  if (auto copied = storage::copy_folder(from, partial); !copied) return copied;
  fs::rename(partial, to, code);
  if (code) return trouble(to, code);
  return storage::sync_path(to.parent_path());
}

namespace {

// A data folder into which nothing may be restored, in words.
Status check_empty(const fs::path& data) {
  for (const char* part : {"ledger", "vault"}) {
    const fs::path folder = data / part;
    std::error_code code;
    if (storage::is_open(folder))
      return fail(ErrorKind::kConflict, folder.string() + ": a farm runs on it; stop its scheduler first");
    if (fs::exists(folder, code))
      return fail(ErrorKind::kConflict,
                  folder.string() +
                      ": is there already, and a restore replaces nothing; move ledger and "
                      "vault to another folder first");
  }
  return {};
}

// Every artifact that the state names is there, with its size and its bytes: all of them are read.
Status check_artifacts(const State& state, const storage::Vault& vault, Restored& restored) {
  std::uint64_t missing = 0;
  std::string first;
  std::set<Digest> sound;  // two takes may have one artifact
  const auto look = [&](const Digest& digest, std::optional<std::uint64_t> bytes, const std::string& what) {
    const auto found = vault.find(digest);
    ++restored.artifacts;
    const bool there = found && *found && (!bytes || (*found)->bytes == *bytes);
    if (there && (sound.contains(digest) || vault.verify(digest))) {
      sound.insert(digest);
      return;
    }
    if (missing++ == 0) first = what + " " + to_hex(digest) + (there ? " (damaged)" : " (missing)");
  };
  for (const auto& task : state.tasks)
    if (task.state == TaskState::kSucceeded && !has_left(state, task))
      for (const auto& output : task.result.outputs)
        look(output.digest, output.bytes, "of shot " + state.shots[task.shot].key);
  for (const auto& shot : state.shots)
    for (const auto& key_frame : shot.spec.recipe.key_frames)
      look(key_frame.image, {}, "key frame of shot " + shot.key);
  if (missing == 0) return {};
  return fail(ErrorKind::kCorrupt, std::to_string(missing) + " of " + std::to_string(restored.artifacts) +
                                       " artifacts that its ledger names are missing or damaged, the first " +
                                       first);
}

// The farm went on after the backup, and its workers remember what they did: a lease with a number of those days would
// be one that they have finished.
Status skip_lost_leases(storage::Ledger& ledger, const State& state) {
  const record::Recovered record{state.epoch + 1, 0, wall_seconds() * 1000, state.next_lease + kLostLeases};
  if (auto fits = check(state, record); !fits) return fits;
  storage::Append append;
  append.records.emplace_back(chars_of(encode_record(record)));
  if (auto queued = ledger.append(std::move(append)); !queued) return tl::unexpected<Error>(queued.error());
  return ledger.flush();
}

Status check_copy(const fs::path& copy, Restored& restored) {
  const auto ledger = storage::Ledger::open(copy / "ledger");
  if (!ledger) return tl::unexpected<Error>(ledger.error());
  const auto vault = storage::Vault::open(copy / "vault");
  if (!vault) return tl::unexpected<Error>(vault.error());
  if (auto sound = (*ledger)->verify(); !sound) return sound;
  if (auto sound = (*vault)->verify_tables(); !sound) return sound;
  State state;
  if (const auto recovered = recover_state(**ledger, state); !recovered)
    return tl::unexpected<Error>(recovered.error());
  restored.shots = state.shots.size();
  restored.tasks = state.tasks.size();
  if (auto there = check_artifacts(state, **vault, restored); !there) return there;
  return skip_lost_leases(**ledger, state);
}

Status copy_and_check(const fs::path& backup, const fs::path& copy, Restored& restored) {
  if (auto room = storage::check_reserve(copy, restored.bytes); !room) return room;
  for (const char* part : {"ledger", "vault"})
    if (auto copied = storage::copy_folder(backup / part, copy / part); !copied) return copied;
  if (auto sound = check_copy(copy, restored); !sound) {
    const bool damaged = sound.error().kind == ErrorKind::kCorrupt;
    return with_context(sound.error(),
                        backup.string() + (damaged ? ": damaged, restore another backup" : ""));
  }
  return {};
}

Status put_in_place(const fs::path& copy, const fs::path& data) {
  for (const char* part : {"vault", "ledger"}) {
    std::error_code code;
    fs::rename(copy / part, data / part, code);
    if (code) return trouble(data / part, code);
  }
  return storage::sync_path(data);
}

}  // namespace

Result<Restored> restore(const fs::path& backup, const fs::path& data) {
  const auto about = read_about(backup);
  if (!about) return tl::unexpected<Error>(about.error());
  if (auto may = check_restored(data); !may) return tl::unexpected<Error>(may.error());
  if (auto may = check_empty(data); !may) return tl::unexpected<Error>(may.error());
  const auto size = size_of_both(backup);
  if (!size) return tl::unexpected<Error>(size.error());
  if (size->files != static_cast<std::uint64_t>(about->files) ||
      size->bytes != static_cast<std::uint64_t>(about->bytes))
    return fail(ErrorKind::kCorrupt, backup.string() + ": not whole: " + std::to_string(size->files) +
                                         " files and " + std::to_string(size->bytes) +
                                         " bytes, backup.yaml says " + std::to_string(about->files) +
                                         " and " + std::to_string(about->bytes));
  std::error_code code;
  fs::create_directories(data, code);
  const fs::path copy = data / kRestoring;
  if (!fs::create_directory(copy, code)) return trouble(copy, code);
  Restored restored{about->farm, about->made_at, about->build, 0, 0, 0, size->bytes};
  if (auto copied = copy_and_check(backup, copy, restored); !copied) {
    remove_folder(copy);
    return tl::unexpected<Error>(copied.error());
  }
  // Cut short from here on, half a farm lies there; the folder that is left says so.
  if (auto placed = put_in_place(copy, data); !placed) return tl::unexpected<Error>(placed.error());
  remove_folder(copy);
  return restored;
}

Status check_restored(const fs::path& data) {
  std::error_code code;
  if (!fs::exists(data / kRestoring, code)) return {};
  return fail(ErrorKind::kConflict, data.string() + ": a restore was cut short here; remove " +
                                        (data / kRestoring).string() +
                                        ", ledger and vault, and restore again");
}

}  // namespace rushes::scheduler
