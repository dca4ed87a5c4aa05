#include "scheduler/gateway/handlers.h"

#include <fstream>

#include "scheduler/gateway/body.h"
#include "scheduler/gateway/byte_range.h"
#include "scheduler/gateway/submit.h"
#include "storage/records/words_codec.h"

namespace rushes::scheduler {
namespace {

using config::Role;

constexpr const char* kJsonType = "application/json";
constexpr const char* kBytesType = "application/octet-stream";
constexpr const char* kShot =
    "([A-Za-z0-9][A-Za-z0-9_-]{0,63})/([A-Za-z0-9][A-Za-z0-9_-]{0,63}(?:@[0-9]{1,9})?)";
constexpr const char* kTask = "([0-9]{1,18})";
constexpr const char* kWorker = "([A-Za-z0-9][A-Za-z0-9._-]{0,127})";  // as config::is_worker_name()

void send(httplib::Response& response, const Json& json, int status = 200) {
  response.status = status;
  response.set_content(text_of(json), kJsonType);
}

std::optional<std::string> plain_header(const httplib::Request& request, const char* name, std::size_t most) {
  return plain_text(request.get_header_value(name), most);
}

// The bytes of an artifact or a file, or the part of them that the request asks for.
using ReadBytes = std::function<Result<std::string>(std::uint64_t offset, std::uint64_t length)>;
void send_bytes(const httplib::Request& request, httplib::Response& response, std::uint64_t size,
                const char* type, ReadBytes read) {
  const BytePart part = part_of(request.get_header_value("Range"), size);
  response.set_header("Accept-Ranges", "bytes");
  if (!part.content_range.empty()) response.set_header("Content-Range", part.content_range);
  if (part.status == 416)
    return send(response, error_json({ErrorKind::kInvalid, "Range: it begins behind the end"}), part.status);
  response.status = part.status;
  if (part.length == 0) return response.set_content("", type);
  response.set_content_provider(part.length, type,
                                [read = std::move(read), begin = part.offset](
                                    std::size_t offset, std::size_t length, httplib::DataSink& sink) {
                                  const auto bytes = read(
                                      begin + offset, std::min<std::size_t>(length, storage::kChunkBytes));
                                  return bytes && sink.write(bytes->data(), bytes->size());
                                });
}

// A browser plays what it knows the type of; artifacts are known by their first bytes.
const char* type_of(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG")) return "image/png";
  if (bytes.size() >= 8 && bytes.substr(4, 4) == "ftyp") return "video/mp4";
  return bytes.starts_with('{') ? kJsonType : kBytesType;
}

}  // namespace

void refuse(httplib::Response& response, const Error& error) {
  send(response, error_json(error), http_status(error.kind));
}

Handlers::Handlers(GatewayParts parts, std::function<Counts()> refused)
    : parts_(std::move(parts)), refused_(std::move(refused)), access_(parts_.tokens) {
  if (!parts_.token_file.empty()) access_.watch(parts_.token_file);
}

// Token, role and rate first; then the handler, whose exceptions end here.
httplib::Server::Handler Handlers::guarded(Role role, Handler handler) {
  return [this, role, handler = std::move(handler)](const httplib::Request& request,
                                                    httplib::Response& response) {
    try {
      const auto access = access_.check(request.get_header_value("Authorization"), request.remote_addr, role);
      if (access.refusal != Access::Refusal::kNone) {
        const bool many = access.refusal == Access::Refusal::kTooMany;
        const int status = many ? 429 : access.refusal == Access::Refusal::kRole ? 403 : 401;
        if (status == 401) response.set_header("WWW-Authenticate", "Bearer");
        if (many) response.set_header("Retry-After", "1");
        send(response, {{"error", {{"kind", many ? "too_many" : "denied"}, {"message", access.message}}}},
             status);
        return;
      }
      Call call{request, response, access.name};
      handler(call);
    } catch (const std::exception& e) {
      refuse(response, {ErrorKind::kInternal, std::string("the request could not be served: ") + e.what()});
    }
  };
}

void Handlers::install(httplib::Server& server) {
  server.Get("/v1/health", [this](const httplib::Request& request, httplib::Response& response) {
    health(request, response);
  });
  install_reads(server);
  install_wishes(server);
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
  const auto disks = parts_.disks ? parts_.disks() : DiskFigures{};
  call.response.set_content(parts_.metrics->text(*figures, disks, wire, refused_()), Metrics::kContentType);
}

template <class Read>
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
  const TaskId task(number_of(call.at(1)).value_or(0));
  show(call, "task " + call.at(1),
       [task](const State& state, Now now) { return task_json(state, task, now); });
}

void Handlers::show_worker(Call& call) {
  show(call, "worker " + call.at(1),
       [name = call.at(1)](const State& state, Now now) { return worker_json(state, name, now); });
}

void Handlers::install_reads(httplib::Server& server) {
  const auto get = [&](const std::string& path, Handler handler) {
    server.Get(path, guarded(Role::kViewer, std::move(handler)));
  };
  get("/v1/shots", [this](Call& call) {
    show(call, "shots", [](const State& state, Now now) { return std::optional(shots_json(state, now)); });
  });
  get(std::string("/v1/shots/") + kShot, [this](Call& call) { show_shot(call); });
  get(std::string("/v1/critiques/") + kShot, [this](Call& call) {
    show(call, "shot " + call.shot(),
         [key = call.shot()](const State& state, Now) { return critiques_json(state, key); });
  });
  get(std::string("/v1/explain/") + kShot, [this](Call& call) {
    show(call, "shot " + call.shot(),
         [key = call.shot()](const State& state, Now now) { return explain_json(state, key, now); });
  });
  get(std::string("/v1/explain/") + kTask, [this](Call& call) {
    show(call, "task " + call.at(1),
         [task = TaskId(number_of(call.at(1)).value_or(0))](const State& state, Now now) {
           return explain_json(state, task, now);
         });
  });
  get(std::string("/v1/tasks/") + kTask, [this](Call& call) { show_task(call); });
  get(std::string("/v1/tasks/") + kTask + "/log", [this](Call& call) { log(call); });
  get("/metrics", [this](Call& call) { metrics(call); });
  get("/v1/workers", [this](Call& call) {
    show(call, "workers",
         [](const State& state, Now now) { return std::optional(workers_json(state, now)); });
  });
  get(std::string("/v1/shots/") + kShot + "/delivery", [this](Call& call) { delivery(call); });
  get("/v1/events", [this](Call& call) { events(call); });
  get("/v1/artifacts/([0-9a-f]{64})", [this](Call& call) { artifact(call); });
  get("/v1/files/(.+)", [this](Call& call) { file(call); });
}

void Handlers::install_wishes(httplib::Server& server) {
  const auto post = [&](const std::string& path, Role role, Handler handler) {
    server.Post(path, guarded(role, std::move(handler)));
  };
  const std::string shot = std::string("/v1/shots/") + kShot;
  const auto shown = [this](Call& call) { show_shot(call); };
  post("/v1/batches", Role::kArtist, [this](Call& call) { submit(call); });
  post(shot + "/cancel", Role::kArtist, [this, shown](Call& call) {
    wish(call, event::Cancel{0, call.shot(), call.who}, shown);
  });
  post(shot + "/pause", Role::kArtist, [this, shown](Call& call) {
    wish(call, event::Pause{0, call.shot(), call.who}, shown);
  });
  post(shot + "/resume", Role::kArtist, [this, shown](Call& call) {
    wish(call, event::Resume{0, call.shot(), call.who}, shown);
  });
  post(shot + "/upgrade", Role::kSupervisor, [this, shown](Call& call) {
    wish(call, event::Upgrade{0, call.shot(), call.who}, shown);
  });
  post(shot + "/approve", Role::kSupervisor, [this, shown](Call& call) {
    const auto take = read_approve(call.request.body);
    if (!take) return refuse(call.response, take.error());
    wish(call, event::Approve{0, call.shot(), *take, call.who}, shown);
  });
  post(shot + "/retry", Role::kArtist, [this, shown](Call& call) {
    auto retry = read_retry(call.request.body);
    if (!retry) return refuse(call.response, retry.error());
    retry->shot = call.shot();
    retry->by = call.who;
    wish(call, std::move(*retry), shown);
  });
  const auto choose = [&](const std::string& verb, auto event_of) {
    post(shot + "/" + verb, Role::kSupervisor, [this, shown, event_of](Call& call) {
      const auto choice = read_choice(call.request.body);
      if (!choice) return refuse(call.response, choice.error());
      wish(call, event_of(call, *choice), shown);
    });
  };
  choose("keep", [](const Call& call, const VersionChoice& choice) {
    return event::Keep{0, call.shot(), choice.take, call.who};
  });
  choose("revert", [](const Call& call, const VersionChoice& choice) {
    return event::Revert{0, call.shot(), choice.take, choice.version, call.who};
  });
  choose("restore-take", [](const Call& call, const VersionChoice& choice) {
    return event::RestoreTake{0, call.shot(), choice.take, call.who};
  });
  post(shot + "/remove", Role::kSupervisor, [this](Call& call) {
    wish(call, event::RemoveShot{0, call.shot(), call.who}, [](Call& done) {
      send(done.response, Json{{"message", done.message}});
    });
  });
  post(std::string("/v1/tasks/") + kTask + "/skip", Role::kSupervisor, [this](Call& call) {
    const TaskId task(number_of(call.at(1)).value_or(0));
    wish(call, event::Skip{0, task, call.who}, [this](Call& done) { show_task(done); });
  });
  const std::string worker = std::string("/v1/workers/") + kWorker;
  post(worker + "/drain", Role::kAdmin, [this](Call& call) {
    wish(call, event::DrainWorker{0, call.at(1), call.who}, [this](Call& done) { show_worker(done); });
  });
  post(std::string("/v1/backups/") + kWorker, Role::kAdmin, [this](Call& call) { backup(call); });
  post(worker + "/undrain", Role::kAdmin, [this](Call& call) {
    wish(call, event::UndrainWorker{0, call.at(1), call.who}, [this](Call& done) { show_worker(done); });
  });
  post(worker + "/forget", Role::kAdmin, [this](Call& call) {
    wish(call, event::ForgetWorker{0, call.at(1), call.who}, [](Call& done) {
      send(done.response, Json{{"message", done.message}});
    });
  });
}

void Handlers::wish(Call& call, Event event, const std::function<void(Call&)>& then) {
  const auto done = parts_.loop->request(std::move(event));
  if (!done) return refuse(call.response, done.error());
  if (const auto* words = std::get_if<command::Done>(&*done)) call.message = words->message;
  then(call);
}

void Handlers::submit(Call& call) {
  BatchRequest request;
  request.text = call.request.body;
  request.by = call.who;
  const std::string dry = call.request.get_param_value("dry_run");
  request.dry_run = !dry.empty() && dry != "0";
  const std::string replace = call.request.get_param_value("replace");
  request.replace = !replace.empty() && replace != "0";
  const auto file = plain_header(call.request, "X-Rushes-File", kMaxHeader);
  const auto folder = plain_header(call.request, "X-Rushes-Folder", 1024);
  const auto key = plain_header(call.request, "Idempotency-Key", kMaxHeader);
  if (!file || !folder || !key)
    return refuse(call.response,
                  {ErrorKind::kInvalid,
                   "X-Rushes-File, X-Rushes-Folder and Idempotency-Key: expected printable ASCII, at most "
                   "128, 1024 and 128 characters"});
  request.file = file->empty() ? "batch.yaml" : *file;
  request.folder = folder->starts_with('/') ? *folder : "/";
  request.idempotency_key = *key;
  if (!request.dry_run && parts_.may_submit)
    if (const auto may = parts_.may_submit(); !may) return refuse(call.response, may.error());
  auto read = read_batch_request(request, parts_.model_roots, parts_.shared_limits, *parts_.vault);
  if (!read) {
    if (read.error().kind != ErrorKind::kInvalid) return refuse(call.response, read.error());
    return send(call.response, problems_json(read.error().message), 400);
  }
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
  show(call, "events",
       [number = *since](const State& state, Now) { return std::optional(events_json(state, number)); });
}

void Handlers::log(Call& call) {
  const TaskId task(number_of(call.at(1)).value_or(0));
  const auto known = parts_.loop->query([task](const State& state, Now) { return state.has_task(task); });
  if (!known) return refuse(call.response, known.error());
  if (!*known) return refuse(call.response, {ErrorKind::kNotFound, "task " + call.at(1) + ": there is none"});
  const auto logs = parts_.ledger->logs(task.number());
  if (!logs) return refuse(call.response, logs.error());
  std::string text;
  for (const auto& [attempt, lines] : *logs)
    text += "--- attempt " + std::to_string(attempt) + " ---\n" + lines + (lines.ends_with('\n') ? "" : "\n");
  call.response.set_content(text, "text/plain; charset=utf-8");
}

void Handlers::artifact(Call& call) {
  const auto digest = digest_from_hex(call.at(1));
  if (!digest) return refuse(call.response, digest.error());
  const auto found = parts_.vault->find(*digest);
  if (!found) return refuse(call.response, found.error());
  if (!*found)
    return refuse(call.response, {ErrorKind::kNotFound, "artifact " + call.at(1) + ": there is none"});
  const auto begin = parts_.vault->read(*digest, 0, 16);
  if (!begin) return refuse(call.response, begin.error());
  call.response.set_header("Cache-Control", "private, max-age=31536000, immutable");
  send_bytes(call.request, call.response, (*found)->bytes, type_of(*begin),
             [vault = parts_.vault, id = *digest](std::uint64_t offset, std::uint64_t length) {
               return vault->read(id, offset, length);
             });
}

void Handlers::delivery(Call& call) {
  const auto& query = call.request;
  const auto choice = read_take_choice(query.get_param_value("kind"), query.get_param_value("take"),
                                       query.get_param_value("version"));
  if (!choice) return refuse(call.response, choice.error());
  auto spec = parts_.loop->query([key = call.shot(), choice = *choice](const State& state, Now) {
    return delivery_of(state, key, choice);
  });
  if (!spec) return refuse(call.response, spec.error());
  if (!*spec) return refuse(call.response, spec->error());
  call.response.set_content(encode_task(**spec), kBytesType);
}

// A delivered file. The resolved path must lie below the deliveries folder, links and dots included.
void Handlers::file(Call& call) {
  const Error missing{ErrorKind::kNotFound,
                      "file " + call.at(1) + ": there is none below the deliveries folder"};
  std::error_code code;
  const auto root = std::filesystem::canonical(parts_.deliveries, code);
  if (code) return refuse(call.response, missing);
  const auto path =
      std::filesystem::canonical(root / std::filesystem::path(call.at(1)).relative_path(), code);
  if (code || !std::filesystem::is_regular_file(path, code) ||
      std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first != root.end())
    return refuse(call.response, missing);
  auto stream = std::make_shared<std::ifstream>(path, std::ios::binary);
  const auto size = std::filesystem::file_size(path, code);
  if (code || !*stream) return refuse(call.response, missing);
  send_bytes(call.request, call.response, size, kBytesType,
             [stream](std::uint64_t offset, std::uint64_t length) -> Result<std::string> {
               std::string bytes(length, '\0');
               stream->seekg(static_cast<std::streamoff>(offset));
               stream->read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
               bytes.resize(static_cast<std::size_t>(stream->gcount()));
               if (bytes.empty()) return fail(ErrorKind::kNotFound, "the file got shorter");
               return bytes;
             });
}

}  // namespace rushes::scheduler
