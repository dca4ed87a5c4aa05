#include "scheduler/gateway/handlers.h"

#include <algorithm>

#include "config/worker_name.h"
#include "scheduler/gateway/body.h"
#include "scheduler/gateway/submit.h"

namespace rushes::scheduler {
namespace {

using config::Role;

constexpr const char* kJsonType = "application/json";
constexpr const char* kShot =
    "([A-Za-z0-9][A-Za-z0-9_-]{0,63})/([A-Za-z0-9][A-Za-z0-9_-]{0,63}(?:@[0-9]{1,9})?)";
constexpr const char* kTask = "([0-9]{1,18})";
constexpr const char* kName =
    "(.+)";  // of a worker or a backup: whoever takes it checks it, and says what is wrong

std::optional<std::string> plain_header(const httplib::Request& request, const char* name, std::size_t most) {
  return plain_text(request.get_header_value(name), most);
}

// May who asks take a person's approval away?
bool overrules(const Caller& caller) { return caller.role >= Role::kSupervisor; }

}  // namespace

void send(httplib::Response& response, const Json& json, int status) {
  response.status = status;
  response.set_content(text_of(json), kJsonType);
}

void refuse(httplib::Response& response, const Error& error) {
  send(response, error_json(error), http_status(error.kind));
}

Handlers::Handlers(GatewayParts parts, std::function<Counts()> refused)
    : parts_(std::move(parts)), refused_(std::move(refused)), access_(parts_.tokens) {
  if (!parts_.token_file.empty()) access_.watch(parts_.token_file);
}

TaskId Handlers::Call::task() const { return TaskId(number_of(at(1)).value_or(0)); }

void Handlers::serve(const Route& route, const Handler& handler, const httplib::Request& request,
                     httplib::Response& response, const httplib::ContentReader* reader) {
  try {
    Call call{request, response, {}, reader};
    if (admit(route, call) && may_touch(route, call) && asks_what_is_known(route, request, response))
      handler(call);
  } catch (const std::exception& e) {
    refuse(response, {ErrorKind::kInternal, std::string("the request could not be served: ") + e.what()});
  }
}

bool Handlers::admit(const Route& route, Call& call) {
  const auto& request = call.request;
  auto access = access_.check(request.get_header_value("Authorization"), request.remote_addr, route.role);
  if (access.refusal == Access::Refusal::kNone) {
    call.caller = std::move(access.caller);
    return true;
  }
  const bool many = access.refusal == Access::Refusal::kTooMany;
  const int status = many ? 429 : access.refusal == Access::Refusal::kRole ? 403 : 401;
  if (status == 401) call.response.set_header("WWW-Authenticate", "Bearer");
  if (many) call.response.set_header("Retry-After", "1");
  send(call.response, {{"error", {{"kind", many ? "too_many" : "denied"}, {"message", access.message}}}},
       status);
  return false;
}

// Of a token with a limit. Tasks of others are as if they were not there: their numbers can be counted through.
bool Handlers::may_touch(const Route& route, Call& call) {
  const Caller& caller = call.caller;
  if (!caller.limited() || route.about == About::kOwn) return true;
  if (route.about == About::kTask) {
    const auto shot = parts_.loop->query([task = call.task()](const State& state, Now) {
      return state.has_task(task) ? state.shots[state.task(task).shot].key : std::string();
    });
    if (!shot)
      refuse(call.response, shot.error());
    else if (!caller.sees(*shot))
      refuse(call.response, {ErrorKind::kNotFound, "task " + call.at(1) + ": there is none"});
    return shot && caller.sees(*shot);
  }
  if (route.about == About::kShot && caller.sees(call.shot())) return true;
  refuse(call.response,
         {ErrorKind::kDenied, "the token of " + caller.name + " is limited to the " + caller.limit()});
  return false;
}

// A slip in a name would answer another question than the one that was asked.
bool Handlers::asks_what_is_known(const Route& route, const httplib::Request& request,
                                  httplib::Response& response) {
  const auto wrong = std::find_if(request.params.begin(), request.params.end(), [&](const auto& parameter) {
    return std::find(route.query.begin(), route.query.end(), parameter.first) == route.query.end();
  });
  if (wrong == request.params.end()) return true;
  std::string known;
  for (const std::string_view name : route.query) known += (known.empty() ? "" : ", ") + std::string(name);
  refuse(response, {ErrorKind::kInvalid, "unknown query parameter '" + shown_name(wrong->first) + "'; " +
                                             request.path + " takes " + (known.empty() ? "none" : known)});
  return false;
}

bool Handlers::read_call_body(Call& call) {
  auto body = whole_body(call.request, *call.reader, parts_.request_body);
  if (body) {
    call.body = std::move(*body);
    return true;
  }
  send(call.response, error_json({ErrorKind::kInvalid, body.error().message}), body.error().status);
  return false;
}

void Handlers::get(httplib::Server& server, const std::string& path, Route route, Handler handler) {
  server.Get(path, [this, route, handler = std::move(handler)](const auto& request, auto& response) {
    serve(route, handler, request, response, nullptr);
  });
}

void Handlers::post(httplib::Server& server, const std::string& path, Route route, Handler handler) {
  post_stream(server, path, route, [this, handler = std::move(handler)](Call& call) {
    if (read_call_body(call)) handler(call);
  });
}

void Handlers::post_stream(httplib::Server& server, const std::string& path, Route route, Handler handler) {
  server.Post(path, [this, route, handler = std::move(handler)](const auto& request, auto& response,
                                                                const httplib::ContentReader& reader) {
    serve(route, handler, request, response, &reader);
  });
}

void Handlers::install(httplib::Server& server) {
  server.Get("/v1/health", [this](const httplib::Request& request, httplib::Response& response) {
    if (asks_what_is_known({}, request, response)) health(request, response);
  });
  install_reads(server);
  install_wishes(server);
  // The library reads the body of what it does not know, for as long as that takes.
  post_stream(server, ".*", {Role::kViewer, About::kOwn}, [](Call& call) {
    refuse(call.response, {ErrorKind::kNotFound, "no such path: POST " + call.request.path});
  });
  server.set_pre_routing_handler([](const httplib::Request& request, httplib::Response& response) {
    if (request.method == "GET" || request.method == "HEAD" || request.method == "POST")
      return httplib::Server::HandlerResponse::Unhandled;
    response.set_header("Allow", "GET, HEAD, POST");
    send(response, error_json({ErrorKind::kInvalid, "expected GET, HEAD or POST, found " + request.method}),
         405);
    return httplib::Server::HandlerResponse::Handled;
  });
}

void Handlers::health(const httplib::Request&, httplib::Response& response) {
  const double uptime = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  // Answered by the core: a farm whose core is stuck is not healthy.
  const auto farm =
      parts_.loop->query([](const State& state, Now) { return view::farm(state); }, std::chrono::seconds(5));
  const Status submit = parts_.may_submit ? parts_.may_submit() : Status{};
  Json json{{"state", !farm    ? "stuck"
                      : submit ? "ok"
                               : "full"},
            {"build", parts_.build},
            {"uptime_seconds", uptime}};
  if (!submit) json["message"] = submit.error().message;
  if (farm) {
    json["epoch"] = farm->epoch;
    json["shots"] = farm->shots;
    json["open_shots"] = farm->open_shots;
    json["workers"] = farm->connected;
    json["slots"] = farm->slots;
    json["stale_results"] = farm->counters.stale_results;
  }
  send(response, json, farm ? 200 : 503);
}

void Handlers::metrics(Call& call) {
  const auto figures = parts_.loop->query([](const State& state, Now) { return view::figures(state); });
  if (!figures) return refuse(call.response, figures.error());
  const auto wire = parts_.authenticator != nullptr ? parts_.authenticator->counts() : Counts{};
  auto disks = parts_.disks ? parts_.disks() : DiskFigures{};
  disks.collectable = collectable_bytes();
  call.response.set_content(parts_.metrics->text(*figures, disks, wire, refused_()), Metrics::kContentType);
}

void Handlers::show(Call& call, const std::string& what, Read read) {
  auto json = parts_.loop->query(std::move(read));
  if (!json) return refuse(call.response, json.error());
  if (!*json) return refuse(call.response, {ErrorKind::kNotFound, what + ": there is none"});
  Json answer = std::move(**json);
  if (!call.message.empty()) answer["message"] = call.message;
  send(call.response, answer);
}

void Handlers::show_shot(Call& call) {
  show(call, "shot " + call.shot(),
       [this, key = call.shot()](const State& state, Now now) -> std::optional<Json> {
         auto json = shot_json(state, key, now);
         return json ? std::optional(with_paths(std::move(*json))) : json;
       });
}

Json Handlers::with_paths(Json shot) const {
  const auto root = std::filesystem::absolute(parts_.deliveries);
  for (Json& delivery : shot["deliveries"])
    delivery["path"] = config::mapped(parts_.path_map, root / delivery["folder"].get<std::string>()).string();
  return shot;
}

void Handlers::show_task(Call& call) {
  show(call, "task " + call.at(1),
       [task = call.task()](const State& state, Now now) { return task_json(state, task, now); });
}

void Handlers::show_worker(Call& call) {
  show(call, "worker " + call.at(1),
       [name = call.at(1)](const State& state, Now now) { return worker_json(state, name, now); });
}

// The rows of a list whose shot the caller may see.
Json seen(Json rows, const Caller& caller) {
  Json left = Json::array();
  for (Json& row : rows)
    if (caller.sees(row["shot"].get_ref<const std::string&>())) left.push_back(std::move(row));
  return left;
}

void Handlers::list_shots(Call& call) {
  show(call, "shots", [caller = call.caller](const State& state, Now now) {
    Json answer = shots_json(state, now);
    if (caller.limited()) answer["shots"] = seen(std::move(answer["shots"]), caller);
    return std::optional(std::move(answer));
  });
}

void Handlers::list_workers(Call& call) {
  show(call, "workers", [caller = call.caller](const State& state, Now now) {
    Json answer = workers_json(state, now);
    if (!caller.limited()) return std::optional(std::move(answer));
    for (Json& worker : answer["workers"]) {
      // Paths and addresses of the farm's hosts, and what it did for others.
      worker["remarks"] = Json::array();
      for (const char* key : {"process", "finished", "failed", "device_seconds"}) worker[key] = nullptr;
      Json left = Json::array();
      for (Json& row : worker["running"])
        if (caller.sees(state.shots[state.task(TaskId(row["task"].get<std::uint64_t>())).shot].key))
          left.push_back(std::move(row));
      worker["running"] = std::move(left);
    }
    return std::optional(std::move(answer));
  });
}

void Handlers::install_reads(httplib::Server& server) {
  const auto reads = [&](About about, const std::string& path, Handler handler,
                         std::vector<std::string_view> query = {}) {
    get(server, path, {Role::kViewer, about, std::move(query)}, std::move(handler));
  };
  const std::string shot = kShot, task = kTask;
  reads(About::kOwn, "/v1/shots", [this](Call& call) { list_shots(call); });
  reads(About::kShot, "/v1/shots/" + shot, [this](Call& call) { show_shot(call); });
  reads(About::kShot, "/v1/critiques/" + shot, [this](Call& call) {
    show(call, "shot " + call.shot(),
         [key = call.shot()](const State& state, Now) { return critiques_json(state, key); });
  });
  reads(About::kShot, "/v1/explain/" + shot, [this](Call& call) {
    show(call, "shot " + call.shot(),
         [key = call.shot()](const State& state, Now now) { return explain_json(state, key, now); });
  });
  reads(About::kTask, "/v1/explain/" + task, [this](Call& call) {
    show(call, "task " + call.at(1),
         [id = call.task()](const State& state, Now now) { return explain_json(state, id, now); });
  });
  reads(About::kTask, "/v1/tasks/" + task, [this](Call& call) { show_task(call); });
  reads(About::kTask, "/v1/logs/" + task, [this](Call& call) { task_logs(call); });
  reads(About::kShot, "/v1/logs/" + shot, [this](Call& call) { shot_logs(call); });
  reads(About::kFarm, "/metrics", [this](Call& call) { metrics(call); });
  reads(About::kOwn, "/v1/workers", [this](Call& call) { list_workers(call); });
  reads(About::kOwn, "/v1/costs", [this](Call& call) { costs(call); }, {"show", "shot"});
  reads(About::kShot, "/v1/shots/" + shot + "/delivery", [this](Call& call) { delivery(call); },
        {"kind", "take", "version"});
  reads(About::kOwn, "/v1/events", [this](Call& call) { events(call); }, {"since", "wait"});
  reads(About::kOwn, "/v1/artifacts/([0-9a-f]{64})", [this](Call& call) { artifact(call); });
  reads(About::kOwn, "/v1/files/(.+)", [this](Call& call) { file(call); });
}

void Handlers::install_wishes(httplib::Server& server) {
  const auto shown = [this](Call& call) { show_shot(call); };
  const auto about_shot = [&](const std::string& verb, Role role, Handler handler) {
    post(server, std::string("/v1/shots/") + kShot + "/" + verb, {role, About::kShot}, std::move(handler));
  };
  // `event_of` reads the body into the event, or says what is wrong with it.
  const auto wishes = [&](const std::string& verb, Role role, auto event_of) {
    about_shot(verb, role, [this, shown, event_of](Call& call) {
      auto event = event_of(call);
      if (!event) return refuse(call.response, event.error());
      wish(call, std::move(*event), shown);
    });
  };
  post_stream(server, "/v1/pictures/([0-9a-f]{64})", {Role::kArtist, About::kOwn},
              [this](Call& call) { picture(call); });
  post(server, "/v1/batches", {Role::kArtist, About::kOwn, {"dry_run", "replace"}},
       [this](Call& call) { submit(call); });
  wishes("cancel", Role::kArtist, [](const Call& call) {
    return Result<Event>(event::Cancel{0, call.shot(), call.who(), overrules(call.caller)});
  });
  wishes("pause", Role::kArtist, [](const Call& call) {
    return Result<Event>(event::Pause{0, call.shot(), call.who()});
  });
  wishes("resume", Role::kArtist, [](const Call& call) {
    return Result<Event>(event::Resume{0, call.shot(), call.who()});
  });
  wishes("upgrade", Role::kSupervisor, [](const Call& call) {
    return Result<Event>(event::Upgrade{0, call.shot(), call.who()});
  });
  wishes("approve", Role::kSupervisor, [](const Call& call) {
    return read_approve(call.body).map([&](std::uint32_t take) -> Event {
      return event::Approve{0, call.shot(), take, call.who()};
    });
  });
  about_shot("retry", Role::kArtist, [this](Call& call) { retry(call); });
  wishes("keep", Role::kSupervisor, [](const Call& call) {
    return read_choice(call.body).map([&](const VersionChoice& choice) -> Event {
      return event::Keep{0, call.shot(), choice.take, call.who()};
    });
  });
  wishes("revert", Role::kSupervisor, [](const Call& call) {
    return read_choice(call.body).map([&](const VersionChoice& choice) -> Event {
      return event::Revert{0, call.shot(), choice.take, choice.version, call.who()};
    });
  });
  wishes("restore-take", Role::kSupervisor, [](const Call& call) {
    return read_choice(call.body).map([&](const VersionChoice& choice) -> Event {
      return event::RestoreTake{0, call.shot(), choice.take, call.who()};
    });
  });
  about_shot("remove", Role::kSupervisor, [this](Call& call) {
    wish(call, event::RemoveShot{0, call.shot(), call.who()}, [](Call& done) {
      send(done.response, Json{{"message", done.message}});
    });
  });
  post(server, std::string("/v1/tasks/") + kTask + "/skip", {Role::kSupervisor, About::kTask},
       [this](Call& call) {
         wish(call, event::Skip{0, call.task(), call.who()}, [this](Call& done) { show_task(done); });
       });
  post(server, "/v1/gc", {Role::kAdmin, About::kFarm}, [this](Call& call) { collect(call); });
  post(server, std::string("/v1/backups/") + kName, {Role::kAdmin, About::kFarm},
       [this](Call& call) { backup(call); });
  install_wishes_about_workers(server);
}

void Handlers::install_wishes_about_workers(httplib::Server& server) {
  const auto about_worker = [&](const std::string& verb, auto event_of, Handler then) {
    post(server, std::string("/v1/workers/") + kName + "/" + verb, {Role::kAdmin, About::kFarm},
         [this, event_of, then = std::move(then)](Call& call) {
           if (config::is_worker_name(call.at(1))) return wish(call, event_of(call.at(1), call.who()), then);
           refuse(call.response,
                  {ErrorKind::kInvalid, std::string("worker: expected ") + config::kWorkerNameRule +
                                            ", found '" + shown_name(call.at(1)) + "'"});
         });
  };
  const Handler shown = [this](Call& call) { show_worker(call); };
  about_worker(
      "drain",
      [](const std::string& worker, const std::string& by) -> Event {
        return event::DrainWorker{0, worker, by};
      },
      shown);
  about_worker(
      "undrain",
      [](const std::string& worker, const std::string& by) -> Event {
        return event::UndrainWorker{0, worker, by};
      },
      shown);
  about_worker(
      "forget",
      [](const std::string& worker, const std::string& by) -> Event {
        return event::ForgetWorker{0, worker, by};
      },
      [](Call& call) {
        send(call.response, Json{{"message", call.message}});
      });
}

void Handlers::wish(Call& call, Event event, const std::function<void(Call&)>& then) {
  const auto done = parts_.loop->request(std::move(event));
  if (!done) return refuse(call.response, done.error());
  if (const auto* words = std::get_if<command::Done>(&*done)) call.message = words->message;
  then(call);
}

// With a new prompt the answer says what the model will not do of it.
void Handlers::retry(Call& call) {
  auto retry = read_retry(call.body);
  if (!retry) return refuse(call.response, retry.error());
  retry->shot = call.shot();
  retry->by = call.who();
  retry->overrules = overrules(call.caller);
  std::string notes;
  if (!retry->prompt.empty()) {
    const auto model = parts_.loop->query([key = call.shot()](const State& state, Now) {
      const Shot* shot = state.find_shot(key);
      return shot != nullptr ? shot->spec.recipe.model : std::string();
    });
    if (!model) return refuse(call.response, model.error());
    if (!model->empty())
      for (const std::string& remark : prompt_remarks(*model, retry->prompt, parts_.model_roots))
        notes += "; note: " + remark;
  }
  wish(call, std::move(*retry), [this, notes](Call& done) {
    done.message += notes;
    show_shot(done);
  });
}

void Handlers::submit(Call& call) {
  BatchRequest request;
  request.by = call.who();
  request.overrules = overrules(call.caller);
  for (const auto& [name, wanted] :
       {std::pair("dry_run", &request.dry_run), std::pair("replace", &request.replace)}) {
    const std::string value = call.request.has_param(name) ? call.request.get_param_value(name) : "0";
    if (value != "0" && value != "1")
      return refuse(call.response, {ErrorKind::kInvalid, std::string(name) + ": expected 0 or 1, found '" +
                                                             shown_name(value) + "'"});
    *wanted = value == "1";
  }
  auto sent =
      read_submission(call.body, call.request.get_header_value("Content-Type").starts_with(kJsonType));
  if (!sent) return refuse(call.response, sent.error());
  request.sent = std::move(*sent);
  std::string& file = request.sent.file;
  if (file.empty()) file = percent_decoded(call.request.get_header_value("X-Rushes-File"));
  file = file.empty() ? "batch.yaml" : shown_name(file);
  const auto key = plain_header(call.request, "Idempotency-Key", kMaxHeader);
  if (!key)
    return refuse(call.response, {ErrorKind::kInvalid,
                                  "Idempotency-Key: expected at most 128 characters of printable ASCII"});
  request.idempotency_key = *key;
  if (!request.dry_run && parts_.may_submit)
    if (const auto may = parts_.may_submit(); !may) return refuse(call.response, may.error());
  auto read = read_batch_request(request, {parts_.model_roots, parts_.picture_roots}, parts_.shared_limits,
                                 *parts_.vault, picture_check_);
  if (!read) {
    if (read.error().kind != ErrorKind::kInvalid) return refuse(call.response, read.error());
    return send(call.response, problems_json(read.error().message), 400);
  }
  const Caller& caller = call.caller;
  for (const auto& shot : read->batch.shots)
    if (!caller.sees(shot.show + "/" + shot.name))
      return refuse(call.response, {ErrorKind::kDenied,
                                    "the token of " + caller.name + " is limited to the " + caller.limit() +
                                        ", this batch has " + shot.show + "/" + shot.name});
  const auto answer = parts_.loop->request(read->event);
  if (!answer && answer.error().kind == ErrorKind::kInvalid)
    return send(call.response, problems_json(answer.error().message), 400);
  if (!answer) return refuse(call.response, answer.error());
  const auto* submitted = std::get_if<command::Submitted>(&*answer);
  if (submitted == nullptr)
    return refuse(call.response, {ErrorKind::kInternal, "the submit got another answer"});
  const bool created = !request.dry_run && !submitted->repeated;
  send(call.response, batch_json(*read, *submitted, request.dry_run), created ? 201 : 200);
}

void Handlers::backup(Call& call) {
  if (parts_.backups == nullptr)
    return refuse(call.response, {ErrorKind::kNotFound, "this farm makes no backups"});
  const auto made = parts_.backups->make(call.at(1));
  if (!made) return refuse(call.response, made.error());
  send(call.response,
       Json{{"backup", call.at(1)},
            {"folder", made->folder.string()},
            {"bytes", made->bytes},
            {"files", made->files},
            {"records", made->records},
            {"seconds", made->seconds}},
       201);
}

void Handlers::events(Call& call) {
  const auto since = number_of(call.request.has_param("since") ? call.request.get_param_value("since") : "0");
  const auto wait = number_of(call.request.has_param("wait") ? call.request.get_param_value("wait") : "0");
  if (!since || !wait)
    return refuse(call.response, {ErrorKind::kInvalid, "since and wait: expected whole numbers"});
  // Waits in short pieces, so that a stopping farm does not hang on its watchers.
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::seconds(std::min<std::uint64_t>(*wait, Gateway::kMaxWaitSeconds));
  if (++waiting_ <= Gateway::kMaxWaiting)
    while (!closing_ && std::chrono::steady_clock::now() < end &&
           !parts_.loop->wait_events(*since, std::chrono::milliseconds(200))) {
    }
  --waiting_;
  show(call, "events", [number = *since, caller = call.caller](const State& state, Now) {
    Json answer = events_json(state, number);
    if (caller.limited()) answer["events"] = seen(std::move(answer["events"]), caller);
    return std::optional(std::move(answer));
  });
}

}  // namespace rushes::scheduler
