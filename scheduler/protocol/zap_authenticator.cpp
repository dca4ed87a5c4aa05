// The ZAP handler: which keys may connect; and the watch over the allow-list.
#include <pthread.h>

#include "config/log.h"
#include "scheduler/protocol/sockets.h"
#include "storage/records/text.h"

namespace rushes::protocol {
namespace {

constexpr const char* kZapEndpoint = "inproc://zeromq.zap.01";  // RFC 27
constexpr std::size_t kCurveKeyBytes = 32;
constexpr std::chrono::milliseconds kLook{1000};  // at the allow-list
constexpr int kShare = 10;  // of the time at most this part is spent on looks that unknown keys ask for
constexpr std::chrono::milliseconds kSoon{1};  // while unknown keys wait for one
constexpr std::size_t kUnknownKeys = 256;      // that wait at once; one more is refused without a look

std::string z85(const zmq::message_t& key) {
  char text[41] = {};
  zmq_z85_encode(text, static_cast<const std::uint8_t*>(key.data()), kCurveKeyBytes);
  return text;
}

}  // namespace

ZapAuthenticator::ZapAuthenticator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ZapAuthenticator::~ZapAuthenticator() = default;
const Counters& ZapAuthenticator::counters() const { return impl_->counters; }

std::vector<Count> ZapAuthenticator::counts() const {
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

Result<std::unique_ptr<ZapAuthenticator>> ZapAuthenticator::open(std::string secret_key,
                                                                 std::filesystem::path allow_list) {
  if (auto known = public_key_of(secret_key); !known) return tl::unexpected(known.error());
  auto list = AllowList::read(std::move(allow_list));
  if (!list) return tl::unexpected(list.error());
  auto impl = std::make_unique<Impl>(std::move(secret_key), std::move(*list));
  try {
    impl->zap.emplace(impl->context, ZMQ_ROUTER);
    impl->zap->set(zmq::sockopt::linger, 0);
    impl->zap->bind(kZapEndpoint);
  } catch (const zmq::error_t& error) {
    return fail(ErrorKind::kInternal, std::string("cannot start the key check: ") + error.what());
  }
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  return std::unique_ptr<ZapAuthenticator>(new ZapAuthenticator(std::move(impl)));
}

ZapAuthenticator::Impl::~Impl() {
  stopping = true;
  stop.wake();
  if (thread.joinable()) thread.join();
}

bool ZapAuthenticator::Impl::may_use(std::string_view key_name, std::string_view worker) {
  const std::lock_guard lock(mutex);
  return allowed.may_use(key_name, worker);
}

bool ZapAuthenticator::Impl::admits(const Identity& identity) {
  const std::lock_guard lock(mutex);
  return allowed.name_of(identity.key) == identity.name;
}

void ZapAuthenticator::Impl::refresh() {
  const auto before = std::chrono::steady_clock::now();
  const bool changed = watched.refresh();
  looked = std::chrono::steady_clock::now();
  look_took = looked - before;
  if (!changed) return;
  const std::lock_guard lock(mutex);
  allowed = watched;
  ++generation;
}

bool ZapAuthenticator::Impl::may_look() const {
  return std::chrono::steady_clock::now() - looked >=
         std::min<std::chrono::steady_clock::duration>(kShare * look_took, kLook);
}

void ZapAuthenticator::Impl::run() {
  pthread_setname_np(pthread_self(), "zap");
  std::vector<zmq::pollitem_t> items{{zap->handle(), 0, ZMQ_POLLIN, 0},
                                     {nullptr, stop.descriptor(), ZMQ_POLLIN, 0}};
  while (!stopping) {
    wait(items, unknown_keys.empty() ? kLook : kSoon);
    const bool asked = !unknown_keys.empty() && may_look();
    if (asked || std::chrono::steady_clock::now() - looked >= kLook) refresh();
    if (asked)
      for (KeyCheck& check : std::exchange(unknown_keys, {})) answer(check, watched.name_of(check.key));
    if ((items[0].revents & ZMQ_POLLIN) != 0) receive_zap();
  }
  zap->close();
}

void ZapAuthenticator::Impl::receive_zap() {
  KeyCheck check;  // address, delimiter, version, request, domain, address, identity, mechanism, credentials
  do {
    check.frames.emplace_back();
    if (!zap->recv(check.frames.back())) break;
  } while (check.frames.back().more());
  if (check.frames.size() < 4) return;
  const bool curve = check.frames.size() == 9 && view(check.frames[7]) == "CURVE" &&
                     check.frames[8].size() == kCurveKeyBytes;
  check.key = curve ? z85(check.frames[8]) : "none";
  const auto name = watched.name_of(check.key);
  if (!name && curve && unknown_keys.size() < kUnknownKeys)
    unknown_keys.push_back(std::move(check));
  else
    answer(check, name);
}

void ZapAuthenticator::Impl::answer(KeyCheck& check, const std::optional<std::string>& name) {
  std::vector<zmq::message_t>& asked = check.frames;
  if (!name) {
    ++counters.refused_keys;
    const std::string from = asked.size() > 5 ? clean_text(view(asked[5]), 64) : "an unknown address";
    log.warn("key " + check.key, "a worker from " + from + " was refused: its public key " + check.key +
                                     " is not in the allow-list");
  }
  const auto say = [&](std::string_view text, bool more) {
    zap->send(zmq::buffer(text), more ? zmq::send_flags::sndmore : zmq::send_flags::none);
  };
  zap->send(asked[0], zmq::send_flags::sndmore);
  say("", true);
  say("1.0", true);
  say(view(asked[3]), true);
  say(name ? "200" : "400", true);
  say(name ? "OK" : "unknown key", true);
  say(name ? *name + " " + check.key : "", true);  // see identity_of()
  say("", false);
}

}  // namespace rushes::protocol
