#include "scheduler/gateway/gateway.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "config/log.h"
#include "scheduler/gateway/handlers.h"
#include "scheduler/gateway/server.h"

namespace rushes::scheduler {

struct Gateway::Impl {
  explicit Impl(GatewayParts given) : handlers(std::move(given), [this] { return counts(); }) {}
  std::vector<protocol::Count> counts() const {
    const AccessCounters& access = handlers.access_counters();
    return {{"unknown_tokens", access.unknown_tokens},
            {"refused_roles", access.roles},
            {"rate_limited", access.rate_limited},
            {"oversized_bodies", oversized_bodies},
            {"oversized_headers", server.oversized_heads()},
            {"slow_requests", server.slow()},
            {"crowded_out", server.crowded()}};
  }
  Handlers handlers;
  BoundedServer server;
  std::atomic<std::uint64_t> oversized_bodies{0};
  int port = 0;
};

namespace {

// The library's default also sets SO_REUSEPORT, with which a second scheduler would share the port in
// silence.
void socket_options(socket_t socket) {
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

void configure(BoundedServer& server, std::atomic<std::uint64_t>& oversized_bodies) {
  server.set_socket_options(socket_options);
  server.set_tcp_nodelay(true);
  server.set_exception_handler([](const httplib::Request&, httplib::Response& response, std::exception_ptr) {
    refuse(response, {ErrorKind::kInternal, "the request could not be served"});
  });
  // What the library refuses by itself (unknown path, too large, malformed) gets a body in our form.
  server.set_error_handler([&oversized_bodies](const httplib::Request& request, httplib::Response& response) {
    if (response.status == 413) ++oversized_bodies;
    if (!response.body.empty()) return;
    const int status = response.status;
    if (status == 404)
      refuse(response, {ErrorKind::kNotFound, "no such path: " + request.method + " " + request.path});
    else
      refuse(response,
             {status >= 500 ? ErrorKind::kInternal : ErrorKind::kInvalid, "the request was refused"});
    response.status = status;
  });
}

}  // namespace

Gateway::Gateway(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Gateway::~Gateway() { stop(); }

Result<std::unique_ptr<Gateway>> Gateway::start(GatewayParts parts, const std::string& host, int port) {
  auto impl = std::make_unique<Impl>(std::move(parts));
  configure(impl->server, impl->oversized_bodies);
  impl->handlers.install(impl->server);
  errno = 0;
  const bool bound = port == 0 ? (impl->port = impl->server.bind_to_any_port(host)) > 0
                               : impl->server.bind_to_port(host, port);
  if (!bound)
    return fail(ErrorKind::kExhausted, "http " + host + ":" + std::to_string(port) + ": cannot listen: " +
                                           std::strerror(errno == 0 ? EADDRNOTAVAIL : errno) +
                                           "; choose another listen.http or stop the program that has it");
  if (port != 0) impl->port = port;
  impl->server.start();
  return std::unique_ptr<Gateway>(new Gateway(std::move(impl)));
}

std::vector<protocol::Count> Gateway::counts() const { return impl_->counts(); }

int Gateway::port() const { return impl_->port; }

void Gateway::stop() {
  impl_->handlers.close();
  impl_->server.finish();
}

}  // namespace rushes::scheduler
