// Artifact transfer headers; payload frames travel beside them.
#include "scheduler/protocol/codec_parts.h"

namespace rushes::protocol {
namespace {

using parts::data_of;
using parts::Reading;

constexpr std::size_t kMaxHeaderBytes = kMaxControlBytes;

wire::RefusalKind wire_kind(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return wire::RefusalKind::INVALID;
    case ErrorKind::kNotFound:
      return wire::RefusalKind::NOT_FOUND;
    case ErrorKind::kExhausted:
      return wire::RefusalKind::EXHAUSTED;
    case ErrorKind::kCorrupt:
      return wire::RefusalKind::CORRUPT;
    default:
      return wire::RefusalKind::INTERNAL;
  }
}

ErrorKind error_kind(wire::RefusalKind kind) {
  switch (kind) {
    case wire::RefusalKind::INVALID:
      return ErrorKind::kInvalid;
    case wire::RefusalKind::NOT_FOUND:
      return ErrorKind::kNotFound;
    case wire::RefusalKind::EXHAUSTED:
      return ErrorKind::kExhausted;
    case wire::RefusalKind::CORRUPT:
      return ErrorKind::kCorrupt;
    default:
      return ErrorKind::kInternal;  // also a kind that a newer scheduler knows
  }
}

std::uint64_t bounded(Reading& reading, std::uint64_t value, std::uint64_t most, const char* field) {
  if (value > most)
    reading.refuse(ErrorKind::kExhausted, std::string(field) + ": expected at most " + std::to_string(most) +
                                              ", found " + std::to_string(value));
  return value;
}

}  // namespace

Result<std::string> encode(const ArtifactRequest& request) {
  return parts::build<wire::ArtifactRequest>(kMaxHeaderBytes, "artifact request", [&](auto root) {
    root.setVersion(kProtocolVersion);
    root.setRequest(request.request);
    std::visit(parts::Overload{
                   [&](const HaveRequest& have) {
                     auto list = root.initHave(static_cast<unsigned>(have.digests.size()));
                     for (unsigned i = 0; i < list.size(); ++i) list.set(i, data_of(have.digests[i]));
                   },
                   [&](const PutRequest& put) {
                     auto out = root.initPut();
                     out.setUpload(put.upload);
                     out.setDigest(data_of(put.digest));
                     out.setBytes(put.bytes);
                   },
                   [&](const ChunkRequest& chunk) {
                     auto out = root.initChunk();
                     out.setUpload(chunk.upload);
                     out.setOffset(chunk.offset);
                   },
                   [&](const CommitRequest& commit) { root.setCommit(commit.upload); },
                   [&](const GetRequest& get) {
                     auto out = root.initGet();
                     out.setDigest(data_of(get.digest));
                     out.setOffset(get.offset);
                     out.setLength(get.length);
                   },
               },
               request.body);
  });
}

Result<std::string> encode(const ArtifactReply& reply) {
  return parts::build<wire::ArtifactReply>(kMaxHeaderBytes, "artifact reply", [&](auto root) {
    root.setVersion(kProtocolVersion);
    root.setRequest(reply.request);
    std::visit(parts::Overload{
                   [&](const HeldReply& held) {
                     auto list = root.initHeld(static_cast<unsigned>(held.held.size()));
                     for (unsigned i = 0; i < list.size(); ++i) list.set(i, held.held[i]);
                   },
                   [&](const ReadyReply&) { root.setReady(); },
                   [&](const ReceiptReply& receipt) {
                     auto out = root.initReceipt();
                     out.setDigest(data_of(receipt.digest));
                     out.setBytes(receipt.bytes);
                   },
                   [&](const DataReply& data) {
                     auto out = root.initData();
                     out.setOffset(data.offset);
                     out.setTotal(data.total);
                   },
                   [&](const RefusedReply& refused) {
                     auto out = root.initRefused();
                     out.setKind(wire_kind(refused.kind));
                     out.setMessage(clean_text(refused.message));
                   },
               },
               reply.body);
  });
}

Result<ArtifactRequest> decode_artifact_request(std::string_view bytes) {
  return parts::open<wire::ArtifactRequest>(
      bytes, kMaxHeaderBytes, "artifact request", [](Reading& reading, wire::ArtifactRequest::Reader root) {
        ArtifactRequest request{root.getRequest(), {}};
        reading.version(root.getVersion());
        if (!reading.ok()) return request;
        switch (root.which()) {
          case wire::ArtifactRequest::HAVE:
            request.body = HaveRequest{reading.digests(root.getHave(), "digests", kMaxHaveDigests)};
            return request;
          case wire::ArtifactRequest::PUT:
            request.body =
                PutRequest{root.getPut().getUpload(), reading.digest(root.getPut().getDigest(), "digest"),
                           bounded(reading, root.getPut().getBytes(), kMaxArtifactBytes, "bytes")};
            return request;
          case wire::ArtifactRequest::CHUNK:
            request.body = ChunkRequest{
                root.getChunk().getUpload(),
                bounded(reading, root.getChunk().getOffset(), kMaxArtifactBytes, "chunk offset")};
            return request;
          case wire::ArtifactRequest::COMMIT:
            request.body = CommitRequest{root.getCommit()};
            return request;
          case wire::ArtifactRequest::GET:
            request.body =
                GetRequest{reading.digest(root.getGet().getDigest(), "digest"),
                           bounded(reading, root.getGet().getOffset(), kMaxArtifactBytes, "offset"),
                           reading.number(root.getGet().getLength(), 1,
                                          static_cast<std::uint32_t>(kMaxChunkBytes), "length")};
            return request;
        }
        reading.refuse(ErrorKind::kInvalid, "unknown kind " + std::to_string(static_cast<int>(root.which())));
        return request;
      });
}

Result<ArtifactReply> decode_artifact_reply(std::string_view bytes) {
  return parts::open<wire::ArtifactReply>(
      bytes, kMaxHeaderBytes, "artifact reply", [](Reading& reading, wire::ArtifactReply::Reader root) {
        ArtifactReply reply{root.getRequest(), {}};
        reading.version(root.getVersion());
        if (!reading.ok()) return reply;
        switch (root.which()) {
          case wire::ArtifactReply::HELD: {
            HeldReply held;
            const auto list = root.getHeld();
            for (unsigned i = 0, n = reading.size(list.size(), kMaxHaveDigests, "held"); i < n; ++i)
              held.held.push_back(list[i]);
            reply.body = std::move(held);
            return reply;
          }
          case wire::ArtifactReply::READY:
            reply.body = ReadyReply{};
            return reply;
          case wire::ArtifactReply::RECEIPT:
            reply.body =
                ReceiptReply{reading.digest(root.getReceipt().getDigest(), "digest"),
                             bounded(reading, root.getReceipt().getBytes(), kMaxArtifactBytes, "bytes")};
            return reply;
          case wire::ArtifactReply::DATA:
            reply.body = DataReply{bounded(reading, root.getData().getOffset(), kMaxArtifactBytes, "offset"),
                                   bounded(reading, root.getData().getTotal(), kMaxArtifactBytes, "total")};
            return reply;
          case wire::ArtifactReply::REFUSED:
            reply.body = RefusedReply{error_kind(root.getRefused().getKind()),
                                      reading.text(root.getRefused().getMessage(), "message")};
            return reply;
        }
        reading.refuse(ErrorKind::kInvalid, "unknown kind " + std::to_string(static_cast<int>(root.which())));
        return reply;
      });
}

}  // namespace rushes::protocol
