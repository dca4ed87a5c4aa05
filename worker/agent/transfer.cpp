#include "worker/agent/transfer.h"

#include <pthread.h>
#include <algorithm>
#include <optional>

#include "config/digest.h"

namespace rushes::worker {

Result<std::unique_ptr<Transfer>> Transfer::start(protocol::ClientOptions options, LocalArtifacts& artifacts,
                                                  Report report) {
  auto client = protocol::ArtifactClient::open(std::move(options));
  if (!client) return tl::unexpected(client.error());
  std::unique_ptr<Transfer> transfer(new Transfer(artifacts, std::move(report)));
  transfer->client_ = std::move(*client);
  transfer->thread_ = std::jthread([raw = transfer.get()](std::stop_token stop) { raw->run(stop); });
  return transfer;
}

Transfer::~Transfer() {
  thread_.request_stop();
  thread_.join();
}

void Transfer::put(Job job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  arrived_.notify_one();
}

void Transfer::fetch(const AttemptId& id, std::vector<protocol::ArtifactRef> inputs, bool read) {
  put({Kind::kFetch, id, std::move(inputs), read});
}

void Transfer::upload(const AttemptId& id, std::vector<protocol::ArtifactRef> outputs) {
  put({Kind::kUpload, id, std::move(outputs), false});
}

void Transfer::run(std::stop_token stop) {
  pthread_setname_np(pthread_self(), "transfer");
  while (!stop.stop_requested()) {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait(lock, stop, [this] { return !jobs_.empty(); })) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    Status done = job.kind == Kind::kFetch ? do_fetch(job, stop) : do_upload(job, stop);
    std::string bytes;
    if (done && job.read) {
      auto spec = read_spec(job.artifacts.front());
      if (spec) bytes = std::move(*spec);
      if (!spec) done = tl::unexpected(spec.error());
    }
    report_(job.kind, job.id, done, bytes);
  }
}

Result<std::string> Transfer::read_spec(const protocol::ArtifactRef& spec) const {
  const auto mapped = artifacts_.open(spec.digest);
  if (!mapped) return tl::unexpected(mapped.error());
  const auto bytes = mapped->bytes();
  if (bytes.size() > protocol::kMaxStoredSpec)
    return fail(ErrorKind::kInvalid, "task: an artifact of " + std::to_string(bytes.size()) +
                                         " bytes, at most " + std::to_string(protocol::kMaxStoredSpec));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Status Transfer::do_fetch(const Job& job, std::stop_token stop) {
  for (const protocol::ArtifactRef& input : job.artifacts) {
    auto fetched = fetch_one(input, stop);
    // Once more: the connection is authenticated, so wrong bytes were most likely torn here.
    if (!fetched && fetched.error().kind == ErrorKind::kCorrupt) fetched = fetch_one(input, stop);
    if (!fetched) return fetched;
  }
  return {};
}

Status Transfer::fetch_one(const protocol::ArtifactRef& input, std::stop_token stop) {
  if (artifacts_.have(input.digest)) return {};
  std::optional<Incoming> incoming;
  const auto got = client_->get(
      input.digest,
      [&](std::uint64_t total, std::span<const std::byte> piece) -> Status {
        if (!incoming) {
          auto begun = artifacts_.receive(input.digest, total);
          if (!begun) return tl::unexpected(begun.error());
          incoming.emplace(std::move(*begun));
        }
        return incoming->append(piece);
      },
      stop);
  if (!got) return got;
  return incoming->finish();
}

Status Transfer::do_upload(const Job& job, std::stop_token stop) {
  for (std::size_t begin = 0; begin < job.artifacts.size(); begin += protocol::kMaxHaveDigests) {
    const std::size_t end = std::min<std::size_t>(job.artifacts.size(), begin + protocol::kMaxHaveDigests);
    std::vector<Digest> digests;
    for (std::size_t i = begin; i < end; ++i) digests.push_back(job.artifacts[i].digest);
    const auto held = client_->have(digests, stop);
    if (!held) return tl::unexpected(held.error());
    for (std::size_t i = begin; i < end; ++i) {
      if ((*held)[i - begin]) continue;
      const auto local = artifacts_.open_unverified(job.artifacts[i].digest);
      if (!local) return tl::unexpected(local.error());
      if (auto sent = client_->put(job.artifacts[i].digest, local->bytes(), stop); !sent) return sent;
    }
  }
  return {};
}

}  // namespace rushes::worker
