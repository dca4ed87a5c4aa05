// The ZAP handler: who may connect.
#include <spdlog/spdlog.h>

#include "scheduler/protocol/sockets.h"

namespace rushes::protocol {
namespace {

constexpr const char* kZapEndpoint = "inproc://zeromq.zap.01";  // RFC 27
constexpr std::size_t kCurveKeyBytes = 32;

std::string z85(const zmq::message_t& key) {
  char text[41] = {};
  zmq_z85_encode(text, static_cast<const std::uint8_t*>(key.data()), kCurveKeyBytes);
  return text;
}

}  // namespace

Gate::Gate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gate::~Gate() = default;
Counters& Gate::counters() { return impl_->counters; }

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
  impl->thread = std::thread([raw = impl.get()] { raw->handle_zap(); });
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

void Gate::Impl::handle_zap() {
  std::vector<zmq::pollitem_t> items{{zap->handle(), 0, ZMQ_POLLIN, 0},
                                     {nullptr, stop.descriptor(), ZMQ_POLLIN, 0}};
  while (!stopping) {
    wait(items, std::chrono::seconds(60));
    if ((items[0].revents & ZMQ_POLLIN) == 0) continue;
    std::vector<zmq::message_t>
        frames;  // version, request, domain, address, identity, mechanism, credentials
    do {
      frames.emplace_back();
      if (!zap->recv(frames.back())) break;
    } while (frames.back().more());
    std::optional<std::string> name;
    if (frames.size() == 7 && view(frames[5]) == "CURVE" && frames[6].size() == kCurveKeyBytes) {
      const std::lock_guard lock(mutex);
      name = allowed.name_of(z85(frames[6]));
    }
    if (!name) {
      ++counters.denied_keys;
      const std::string key =
          frames.size() == 7 && frames[6].size() == kCurveKeyBytes ? z85(frames[6]) : "none";
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
    answer(name ? *name : "", true);
    answer("", false);
  }
  zap->close();
}

}  // namespace rushes::protocol
