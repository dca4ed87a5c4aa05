// What each path of gateway/api.h does.
//
// Thread contract: install() once before the server listens; the handlers run on HTTP threads.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "scheduler/gateway/access.h"
#include "scheduler/gateway/gateway.h"
#include "scheduler/gateway/json.h"
#include "scheduler/gateway/pictures.h"
#include "scheduler/gateway/request_body.h"

namespace rushes::scheduler {

// Writes an error in the form of api.h.
void refuse(httplib::Response& response, const Error& error);
void send(httplib::Response& response, const Json& json, int status = 200);

class Handlers {
 public:
  using Counts = std::vector<protocol::Count>;
  // `refused`: what the server refused, for the metrics.
  Handlers(GatewayParts parts, std::function<Counts()> refused);
  void install(httplib::Server& server);
  void close() { closing_ = true; }  // long polls end soon
  const AccessCounters& access_counters() const { return access_.counters(); }

 private:
  // What a path is about: it decides what a token that is limited to a show or shot may do with it.
  enum class About {
    kFarm,  // the farm as a whole: such a token is refused
    kShot,  // the shot that the path names
    kTask,  // the task that it names, which belongs to a shot
    kOwn    // the handler shows, or takes, what the token may see
  };
  struct Route {
    config::Role role = config::Role::kViewer;
    About about = About::kFarm;
    std::vector<std::string_view>
        query{};  // its parameters; any other is refused: it would be silently ignored
  };
  // An admitted request: who asks, and about what.
  struct Call {
    const httplib::Request& request;
    httplib::Response& response;
    Caller caller;
    const httplib::ContentReader* reader = nullptr;  // of a POST
    std::string body = {};                           // of a POST, once read
    std::string message = {};                        // what the core answered to a wish; goes into the answer
    const std::string& who() const { return caller.name; }
    std::string at(std::size_t index) const { return request.matches[index].str(); }  // of the path's pattern
    std::string shot() const { return at(1) + "/" + at(2); }
    TaskId task() const;
  };
  using Handler = std::function<void(Call& call)>;
  // Token, role, rate and limit first; then the handler, whose exceptions end here.
  void serve(const Route& route, const Handler& handler, const httplib::Request& request,
             httplib::Response& response, const httplib::ContentReader* reader);
  bool admit(const Route& route, Call& call);
  bool may_touch(const Route& route, Call& call);
  static bool asks_what_is_known(const Route& route, const httplib::Request& request,
                                 httplib::Response& response);
  bool read_call_body(Call& call);

  void get(httplib::Server& server, const std::string& path, Route route, Handler handler);
  // With its body in the call.
  void post(httplib::Server& server, const std::string& path, Route route, Handler handler);
  // The handler reads the body itself.
  void post_stream(httplib::Server& server, const std::string& path, Route route, Handler handler);

  void install_reads(httplib::Server& server);
  void install_wishes(httplib::Server& server);
  void install_wishes_about_workers(httplib::Server& server);

  void submit(Call& call);
  void retry(Call& call);
  void events(Call& call);
  void task_logs(Call& call);
  void shot_logs(Call& call);
  void send_logs(Call& call, const std::vector<view::TaskAttempts>& tasks);
  void artifact(Call& call);
  void delivery(Call& call);
  void picture(Call& call);
  void file(Call& call);
  void metrics(Call& call);
  void backup(Call& call);
  void collect(Call& call);
  void list_shots(Call& call);
  void list_workers(Call& call);
  void costs(Call& call);
  // Bytes of takes whose days are over; looked for at most once in kCollectableAge.
  std::optional<std::uint64_t> collectable_bytes();
  bool sees_artifact(const Call& call, const Digest& digest);
  void health(const httplib::Request& request, httplib::Response& response);

  // Answers with what `read` returns, 404 with `what` when it is nothing.
  using Read = std::function<std::optional<Json>(const State&, Now)>;
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
  std::atomic<std::uint64_t> pictures_{0}, picture_bytes_{0};  // that are being received
  PictureCheck picture_check_;
  std::atomic<bool> closing_{false};
  std::mutex collectable_mutex_;
  std::optional<std::uint64_t> collectable_;  // guarded by it, as the next
  std::optional<std::chrono::steady_clock::time_point> collectable_at_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace rushes::scheduler
