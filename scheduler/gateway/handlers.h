// What each path of gateway/api.h does.
//
// Thread contract: install() once before the server listens; the handlers run on HTTP threads.
#pragma once

#include <httplib.h>

#include <atomic>
#include <functional>
#include <string>

#include "scheduler/gateway/access.h"
#include "scheduler/gateway/gateway.h"
#include "scheduler/gateway/json.h"

namespace rushes::scheduler {

// Writes an error in the form of api.h.
void refuse(httplib::Response& response, const Error& error);

class Handlers {
 public:
  using Counts = std::vector<protocol::Count>;
  // `refused`: what the server refused, for the metrics.
  Handlers(GatewayParts parts, std::function<Counts()> refused);
  void install(httplib::Server& server);
  void close() { closing_ = true; }  // long polls end soon
  const AccessCounters& access_counters() const { return access_.counters(); }

 private:
  // An admitted request; `who` is the token's name.
  struct Call {
    const httplib::Request& request;
    httplib::Response& response;
    std::string who;
    std::string message = {};  // what the core answered to a wish; goes into the answer
    std::string at(std::size_t index) const { return request.matches[index].str(); }  // of the path's pattern
    std::string shot() const { return at(1) + "/" + at(2); }
  };
  using Handler = std::function<void(Call& call)>;
  httplib::Server::Handler guarded(config::Role role, Handler handler);

  void install_reads(httplib::Server& server);
  void install_wishes(httplib::Server& server);

  void submit(Call& call);
  void events(Call& call);
  void log(Call& call);
  void artifact(Call& call);
  void delivery(Call& call);
  void file(Call& call);
  void metrics(Call& call);
  void backup(Call& call);
  void health(const httplib::Request& request, httplib::Response& response);

  // Answers with what `read` returns, 404 with `what` when it is nothing.
  template <class Read>
  void show(Call& call, const std::string& what, Read read);
  // Sends a person's wish to the core and answers with the row that it changed.
  void wish(Call& call, Event event, const std::function<void(Call&)>& then);
  void show_shot(Call& call);
  Json with_paths(Json shot) const;  // where people find its deliveries
  void show_task(Call& call);
  void show_worker(Call& call);

  GatewayParts parts_;
  std::function<Counts()> refused_;
  Access access_;
  std::atomic<int> waiting_{0};
  std::atomic<bool> closing_{false};
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace rushes::scheduler
