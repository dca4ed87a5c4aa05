// The HTTP API over loopback, with a real loop, ledger and vault behind it.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "config/digest.h"
#include "scheduler/gateway/gateway.h"
#include "scheduler/gateway/json.h"
#include "tests/scheduler/loop/fake_farm.h"

namespace rushes::scheduler {

class GatewayTest : public testing::Test {
 protected:
  void SetUp() override {
    farm_.on_sync = [this](auto duration) { metrics_.observe_sync(duration); };
    farm_.on_dispatch = [this](auto duration) { metrics_.observe_dispatch(duration); };
    std::filesystem::create_directories(farm_.folder() / "workers");
    auto authenticator =
        protocol::ZapAuthenticator::open(protocol::make_keys()->secret_key, farm_.folder() / "workers");
    ASSERT_TRUE(authenticator) << authenticator.error().message;
    authenticator_ = std::move(*authenticator);
    farm_.start();
    open_gateway();
  }

  void open_gateway() {
    GatewayParts parts;
    parts.loop = &farm_.loop();
    parts.ledger = &farm_.ledger();
    parts.vault = &farm_.vault();
    backups_ =
        std::make_unique<Backups>(farm_.ledger(), farm_.vault(), farm_.janitor(),
                                  BackupPlace{farm_.folder(), farm_.folder() / "backups", 0, "test", "1"});
    parts.backups = backups_.get();
    parts.janitor = &farm_.janitor();
    parts.metrics = &metrics_;
    parts.authenticator = authenticator_.get();
    parts.tokens = {{"vic", config::Role::kViewer, config::text_digest("v")},
                    {"ann", config::Role::kArtist, config::text_digest("a")},
                    {"sue", config::Role::kSupervisor, config::text_digest("s")},
                    {"adm", config::Role::kAdmin, config::text_digest("root")},
                    {"demo-only", config::Role::kAdmin, config::text_digest("demo-secret"), "", "demo"},
                    {"other-only", config::Role::kAdmin, config::text_digest("other-secret"), "", "other"},
                    {"gus", config::Role::kGuest, config::text_digest("g"), "demo/sh010"},
                    {"late", config::Role::kAdmin, config::text_digest("late-secret"), "", "", 1000}};
    parts.model_roots = {farm_.models()};
    parts.picture_roots = {farm_.folder() / "plates" / ""};  // with a slash, as people write them
    parts.deliveries = farm_.folder() / "renders";
    std::filesystem::create_directories(parts.deliveries);
    parts.request_body = 64 * 1024;
    parts.may_submit = [this]() -> Status {
      if (!disk_full_) return {};
      return fail(ErrorKind::kExhausted, "no space");
    };
    parts.build = "test";
    auto gateway = Gateway::start(std::move(parts), "127.0.0.1", 0);
    ASSERT_TRUE(gateway) << gateway.error().message;
    gateway_ = std::move(*gateway);
  }

  void restart() {
    gateway_.reset();
    farm_.stop();
    farm_.start();
    open_gateway();
  }

  struct Reply {
    int status = 0;
    Json json;
    std::string body;
  };

  static Reply reply_of(const httplib::Result& result) {
    if (!result) return {-1, Json::object(), httplib::to_string(result.error())};
    return {result->status, Json::parse(result->body, nullptr, false), result->body};
  }

  httplib::Client client() {
    httplib::Client client("127.0.0.1", gateway_->port());
    client.set_read_timeout(40);
    return client;
  }
  static httplib::Headers token(const std::string& secret, httplib::Headers more = {}) {
    more.emplace("Authorization", "Bearer " + secret);
    return more;
  }
  Reply get(const std::string& path, const std::string& secret = "v") {
    return reply_of(client().Get(path, token(secret)));
  }
  Reply post(const std::string& path, const std::string& body, const std::string& secret,
             httplib::Headers headers = {}) {
    const char* type = body.starts_with('{') ? "application/json" : "application/yaml";
    return reply_of(client().Post(path, token(secret, std::move(headers)), body, type));
  }

  std::uint64_t count(const std::string& name) {
    for (const auto& [known, value] : gateway_->counts())
      if (known == name) return value;
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }
  int open_socket() {
    const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(gateway_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(file, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return file;
  }
  // Sends the bytes as they are and reads the first answer whole: its head and its body may come apart.
  std::string raw(const std::string& bytes) {
    const int file = open_socket();
    [[maybe_unused]] const auto sent = ::send(file, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    std::string answer;
    std::array<char, 4096> piece;
    for (ssize_t got = 1; got > 0 && !is_whole(answer);) {
      got = ::recv(file, piece.data(), piece.size(), 0);
      answer.append(piece.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
    ::close(file);
    return answer;
  }
  static bool is_whole(const std::string& answer) {
    const std::size_t head = answer.find("\r\n\r\n"), length = answer.find("Content-Length: ");
    if (head == std::string::npos) return false;
    return length > head || answer.size() >= head + 4 + std::stoul(answer.substr(length + 16));
  }

  std::unique_ptr<Backups> backups_;
  Metrics metrics_;
  std::unique_ptr<protocol::ZapAuthenticator> authenticator_;
  FakeFarm farm_;
  std::unique_ptr<Gateway> gateway_;
  std::atomic<bool> disk_full_{false};
};

}  // namespace rushes::scheduler
