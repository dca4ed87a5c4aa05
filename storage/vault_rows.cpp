#include "storage/vault_rows.h"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <vector>

#include "storage/limits.h"
#include "storage/rocks.h"
#include "storage/vault.capnp.h"

namespace rushes::storage {

rocksdb::ColumnFamilyOptions chunk_options() {
  rocksdb::ColumnFamilyOptions options;
  options.enable_blob_files = true;  // chunks never move during compaction of keys
  options.min_blob_size = 4096;
  options.blob_file_size = 256u << 20;
  options.enable_blob_garbage_collection = true;
  options.write_buffer_size = 32u << 20;
  // An upload goes on while earlier chunks reach their files. Not more than three: from four on RocksDB slows a writer to
  // 16 MB/s (delayed_write_rate) while all but one of them wait, before it stops it.
  options.max_write_buffer_number = 3;
  options.compression = rocksdb::kNoCompression;
  options.blob_compression_type = rocksdb::kNoCompression;  // latents and PIZ frames do not compress
  return options;
}

std::string chunk_key(std::uint64_t upload, std::uint32_t index) {
  std::string key;
  put_be64(key, upload);
  put_be32(key, index);
  return key;
}

std::string upload_key(std::uint64_t upload) {
  std::string key(kUploadPrefix);
  put_be64(key, upload);
  return key;
}

std::string owner_prefix(std::string_view owner) {
  std::string key = "o";
  key += owner;
  key += '\0';
  return key;
}

std::string digest_prefix(const Digest& digest) { return "d" + std::string(bytes_of(digest)); }

std::uint32_t chunk_count(std::uint64_t bytes) {
  return static_cast<std::uint32_t>((bytes + kChunkBytes - 1) / kChunkBytes);
}

std::string encode(const StoredArtifact& stored) {
  capnp::MallocMessageBuilder message;
  auto info = message.initRoot<records::ArtifactInfo>();
  info.setBytes(stored.bytes);
  info.setUpload(stored.upload);
  info.setWallMicroseconds(stored.wall);
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}

Result<StoredArtifact> decode(std::string_view value, const Digest& digest) {
  try {
    // The reader wants words at word boundaries; a value of RocksDB may lie anywhere.
    std::vector<capnp::word> words(value.size() / sizeof(capnp::word));
    std::copy_n(value.data(), words.size() * sizeof(capnp::word), reinterpret_cast<char*>(words.data()));
    capnp::FlatArrayMessageReader reader(kj::arrayPtr(words.data(), words.size()));
    const auto info = reader.getRoot<records::ArtifactInfo>();
    return StoredArtifact{info.getBytes(), info.getUpload(), info.getWallMicroseconds()};
  } catch (const kj::Exception& e) {
    return fail(ErrorKind::kCorrupt, "artifact " + to_hex(digest) + ": its description is damaged: " +
                                         std::string(e.getDescription().cStr()));
  }
}

}  // namespace rushes::storage
