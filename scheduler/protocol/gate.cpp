// The ZAP handler: who may connect; and the watch over the allow-list.
#include <pthread.h>
#include <spdlog/spdlog.h>

#include "scheduler/protocol/sockets.h"

namespace rushes::protocol {
namespace {

constexpr const char* kZapEndpoint = "inproc://zeromq.zap.01";  // RFC 27
constexpr std::size_t kCurveKeyBytes = 32;
constexpr std::chrono::milliseconds kLook{1000};  // at the allow-list
constexpr int kShare = 10;  // of the time at most this part is spent on looks that strangers ask for

std::string z85(const zmq::message_t& key) {
  char text[41] = {};
  zmq_z85_encode(text, static_cast<const std::uint8_t*>(key.data()), kCurveKeyBytes);
  return text;
}

}  // namespace

Gate::Gate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gate::~Gate() = default;
const Counters& Gate::counters() const { return impl_->counters; }

std::vector<Count> Gate::counts() const {
  const Counters& c = impl_->counters;
  return {{"refused_keys", c.refused_keys},
          {"refused_peers", c.refused_peers},
          {"replayed", c.replayed},
          {"withdrawn", c.withdrawn},
          {"after_withdrawal", c.after_withdrawal},
          {"oversized", c.oversized},
          {"malformed", c.malformed},
          {"misnamed", c.misnamed},
          {"rate_limited", c.rate_limited},
          {"replaced", c.replaced},
          {"ungreeted", c.ungreeted},
          {"undelivered", c.undelivered}};
}

Result<std::unique_ptr<Gate>> Gate::open(std::string secret_key, std::filesystem::path allow_list) {
  if (auto known = public_key_of(secret_key); !known) return tl::unexpected(known.error());
  auto list = AllowList::read(std::move(allow_list));
  if (!list) return tl::unexpected(list.error());
  auto impl = std::make_unique<Impl>(std::move(secret_key), std::move(*list));
  try {
    impl->zap.emplace(impl->context, ZMQ_REP);
    impl->zap->set(zmq::sockopt::linger, 0);
    impl->zap->bind(kZapEndpoint);
  } catch (const zmq::error_t& error) {
    return fail(ErrorKind::kInternal, std::string("cannot start the key check: ") + error.what());
  }
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  return std::unique_ptr<Gate>(new Gate(std::move(impl)));
}

Gate::Impl::~Impl() {
  stopping = true;
  stop.wake();
  if (thread.joinable()) thread.join();
}

bool Gate::Impl::may_use(std::string_view key_name, std::string_view worker) {
  const std::lock_guard lock(mutex);
  return allowed.may_use(key_name, worker);
}

bool Gate::Impl::admits(const Identity& identity) {
  const std::lock_guard lock(mutex);
  return allowed.name_of(identity.key) == identity.name;
}

void Gate::Impl::refresh() {
  const auto before = std::chrono::steady_clock::now();
  const bool changed = watched.refresh();
  looked = std::chrono::steady_clock::now();
  look_took = looked - before;
  if (!changed) return;
  const std::lock_guard lock(mutex);
  allowed = watched;
  ++generation;
}

void Gate::Impl::run() {
  pthread_setname_np(pthread_self(), "gate");
  std::vector<zmq::pollitem_t> items{{zap->handle(), 0, ZMQ_POLLIN, 0},
                                     {nullptr, stop.descriptor(), ZMQ_POLLIN, 0}};
  while (!stopping) {
    wait(items, kLook);
    if (std::chrono::steady_clock::now() - looked >= kLook) refresh();
    if ((items[0].revents & ZMQ_POLLIN) != 0) answer_zap();
  }
  zap->close();
}

void Gate::Impl::answer_zap() {
  std::vector<zmq::message_t> frames;  // version, request, domain, address, identity, mechanism, credentials
  do {
    frames.emplace_back();
    if (!zap->recv(frames.back())) break;
  } while (frames.back().more());
  const bool curve = frames.size() == 7 && view(frames[5]) == "CURVE" && frames[6].size() == kCurveKeyBytes;
  const std::string key = curve ? z85(frames[6]) : "none";
  auto name = watched.name_of(key);
  if (!name && curve && std::chrono::steady_clock::now() - looked >= kShare * look_took) {
    refresh();
    name = watched.name_of(key);
  }
  if (!name) {
    ++counters.refused_keys;
    const std::string from = frames.size() > 3 ? clean_text(view(frames[3]), 64) : "an unknown address";
    log.warn("key " + key,
             "a worker from " + from + " was refused: its public key " + key + " is not in the allow-list");
  }
  const auto answer = [&](std::string_view text, bool more) {
    zap->send(zmq::buffer(text), more ? zmq::send_flags::sndmore : zmq::send_flags::none);
  };
  answer("1.0", true);
  answer(frames.size() > 1 ? view(frames[1]) : "", true);
  answer(name ? "200" : "400", true);
  answer(name ? "OK" : "unknown key", true);
  answer(name ? *name + " " + key : "", true);  // see identity_of()
  answer("", false);
}

}  // namespace rushes::protocol
