// journal-reader LEDGER [--after N]: the journal's records as JSON, one a line.
//
// A second way to read the ledger, for tests: it shares the schema (storage/records/records.capnp) and the layout
// that storage/ledger.h documents with the scheduler, and no code. Each line holds the record's sequence, its
// wall time and the record as Cap'n Proto's own JSON. It reads only; the scheduler must not run.
//
// Exit codes: 0; 1 damaged (one line on standard error says which record); 2 usage; 4 cannot be opened.
//
// Thread contract: one thread.
#include <capnp/compat/json.h>
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <rocksdb/db.h>
#include <sodium.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "storage/records/records.capnp.h"

namespace {

constexpr std::size_t kSum = 16, kHeader = 8 + kSum;  // big-endian time, BLAKE2b, then the payload

int stop(int code, const std::string& text) {
  std::fprintf(stderr, "journal-reader: %s\n", text.c_str());
  return code;
}

unsigned long long number(const char* bytes) {
  unsigned long long value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

bool sound(const rocksdb::Slice& key, const rocksdb::Slice& value) {
  if (key.size() != 8 || value.size() < kHeader) return false;
  std::string text(key.data(), 8);
  text.append(value.data(), 8).append(value.data() + kHeader, value.size() - kHeader);
  unsigned char sum[kSum];
  crypto_generichash(sum, kSum, reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr, 0);
  return std::memcmp(sum, value.data() + 8, kSum) == 0;
}

std::string json_of(const rocksdb::Slice& value, const capnp::JsonCodec& codec) {
  auto words = kj::heapArray<capnp::word>((value.size() - kHeader) / sizeof(capnp::word));
  std::memcpy(words.asBytes().begin(), value.data() + kHeader, words.asBytes().size());
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 1u << 27;
  capnp::FlatArrayMessageReader message(words, options);
  return codec.encode(message.getRoot<rushes::records::Record>()).cStr();
}

int read(const std::string& folder, unsigned long long after) {
  std::vector<std::string> names;
  auto status = rocksdb::DB::ListColumnFamilies({}, folder, &names);
  if (!status.ok()) return stop(4, folder + ": " + status.ToString());
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  status = rocksdb::DB::OpenForReadOnly({}, folder, families, &handles, &opened);
  if (!status.ok()) return stop(4, folder + ": " + status.ToString());
  const std::unique_ptr<rocksdb::DB> db(opened);
  capnp::JsonCodec codec;
  int code = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] != "records") continue;
    std::string start;
    for (int shift = 56; shift >= 0; shift -= 8) start += static_cast<char>((after + 1) >> shift);
    const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}, handles[i]));
    for (it->Seek(start); it->Valid() && code == 0; it->Next()) {
      if (!sound(it->key(), it->value())) {
        code =
            stop(1, "record " + std::to_string(number(it->key().data())) + ": its checksum does not match");
        break;
      }
      std::printf("{\"sequence\":%llu,\"wall\":%llu,\"record\":%s}\n", number(it->key().data()),
                  number(it->value().data()), json_of(it->value(), codec).c_str());
    }
    if (!it->status().ok()) code = stop(1, it->status().ToString());
  }
  for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
  return code;
}

}  // namespace

int main(int count, char** words) {
  const bool partly = count == 4 && std::strcmp(words[2], "--after") == 0;
  if (count != 2 && !partly) return stop(2, "usage: journal-reader LEDGER [--after N]");
  if (sodium_init() < 0) return stop(4, "libsodium cannot be initialised");
  try {
    return read(words[1], partly ? std::strtoull(words[3], nullptr, 10) : 0);
  } catch (const kj::Exception& e) {
    return stop(1, std::string("a record cannot be read: ") + e.getDescription().cStr());
  }
}
