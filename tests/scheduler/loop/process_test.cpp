// The real rushes-scheduler: starts, says what keeps it from starting, stops cleanly, and survives SIGKILL.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "config/digest.h"
#include "scheduler/protocol/keys.h"
#include "tests/folders.h"
#include "tests/scheduler/loop/fake_farm.h"
#include "tests/scheduler/protocol/control_fixture.h"

namespace rushes::scheduler {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

class Process : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(protocol::write_farm_keys(folder_.path() / "keys"));
    write_model(folder_.path() / "models");
    std::ofstream(folder_.path() / "keys" / "tokens.yaml")
        << "version: 1\ntokens: [{name: ann, role: admin, digest: \"" << config::text_digest("secret")
        << "\"}]\n";
    http_ = free_port();
    control_ = free_port();
    artifacts_ = free_port();
    write_config();
  }
  void TearDown() override {
    if (child_ > 0) end(SIGKILL);
    umount2((folder_.path() / "disk").c_str(), MNT_DETACH);  // of the one test that mounts
  }

  void write_config(const std::string& data = "data", const std::string& more = "") {
    std::ofstream(folder_.path() / "farm.yaml")
        << "version: 1\nlisten:\n  control: tcp://127.0.0.1:" << control_
        << "\n  artifacts: tcp://127.0.0.1:" << artifacts_ << "\n  http: {host: 127.0.0.1, port: " << http_
        << "}\nkeys: {secret: keys/scheduler.key, workers: keys/workers, tokens: keys/tokens.yaml}\ndata: "
        << data << "\ndeliveries: renders\nmodel_roots: [models]\n"
        << more;
  }

  void start() {
    child_ = fork();
    if (child_ != 0) return;
    const int log = ::open((folder_.path() / "log").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    dup2(log, 1);
    dup2(log, 2);
    const std::string program = test::build_folder().string() + "/bin/rushes-scheduler";
    const std::string config = (folder_.path() / "farm.yaml").string();
    execl(program.c_str(), program.c_str(), "--config", config.c_str(), nullptr);
    _exit(127);
  }

  bool wait_ready() {
    for (int i = 0; i < 400; ++i) {
      httplib::Client client("127.0.0.1", http_);
      const auto health = client.Get("/v1/health");
      if (health && health->status == 200) return true;
      if (waitpid(child_, nullptr, WNOHANG) == child_) {
        child_ = 0;
        return false;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }

  // Sends a signal (0: none) and returns the exit code, or minus the signal that ended it.
  int end(int signal) {
    if (signal != 0) kill(child_, signal);
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  std::string log() const {
    std::ifstream file(folder_.path() / "log");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  // Starts it and expects it to give up with this code and one line that holds `words`.
  void expect_refused(int code, const std::string& words) {
    start();
    EXPECT_EQ(end(0), code) << log();
    EXPECT_THAT(log(), HasSubstr(words));
    const std::string text = log();
    const auto line = text.find("rushes-scheduler: ");
    EXPECT_NE(line, text.npos);
  }

  int submit(const std::string& shot, const std::string& key) {
    httplib::Client client("127.0.0.1", http_);
    const auto result =
        client.Post("/v1/batches", {{"Authorization", "Bearer secret"}, {"Idempotency-Key", key}},
                    batch_text({shot}), "text/yaml");
    return result ? result->status : -1;
  }
  int shot_status(const std::string& shot) {
    httplib::Client client("127.0.0.1", http_);
    const auto result = client.Get("/v1/shots/demo/" + shot, {{"Authorization", "Bearer secret"}});
    return result ? result->status : -1;
  }

  // Which of sh0 .. sh(count - 1) the farm does not know. One request: many would meet the rate limit.
  std::vector<int> missing(int count) {
    httplib::Client client("127.0.0.1", http_);
    const auto result = client.Get("/v1/shots", {{"Authorization", "Bearer secret"}});
    std::vector<int> missing;
    for (int i = 0; i < count; ++i)
      if (!result || result->body.find("\"demo/sh" + std::to_string(i) + "\"") == std::string::npos)
        missing.push_back(i);
    return missing;
  }

  storage::TemporaryFolder folder_;
  int http_ = 0, control_ = 0, artifacts_ = 0;
  pid_t child_ = 0;
};

TEST_F(Process, StartsAndStopsCleanly) {
  start();
  ASSERT_TRUE(wait_ready()) << log();
  EXPECT_EQ(submit("sh010", "k"), 201);
  EXPECT_EQ(end(SIGTERM), 0) << log();
  start();
  ASSERT_TRUE(wait_ready()) << log();
  EXPECT_EQ(shot_status("sh010"), 200);
  EXPECT_EQ(end(SIGINT), 0);
}

TEST_F(Process, SigkillLosesNothingAcknowledged) {
  int acknowledged = 0;
  for (int round = 0; round < 3; ++round) {
    start();
    ASSERT_TRUE(wait_ready()) << log();
    EXPECT_THAT(missing(acknowledged), testing::IsEmpty()) << round;
    std::atomic<bool> killed{false};
    std::thread killer([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(150 + 100 * round));
      killed = true;
      kill(child_, SIGKILL);
    });
    for (int i = acknowledged; !killed; ++i) {
      const std::string name = std::to_string(i);
      const int status = submit("sh" + name, name);
      if (status == 201 || status == 200) acknowledged = i + 1;
    }
    killer.join();
    EXPECT_EQ(end(0), -SIGKILL);
  }
  EXPECT_GT(acknowledged, 0);
  start();
  ASSERT_TRUE(wait_ready()) << log();
  EXPECT_THAT(missing(acknowledged), testing::IsEmpty());
}

// No restart: a worker whose key is taken out is told, people read it among the events; so with a token.
TEST_F(Process, KeysAndTokensAreTakenOutOfARunningFarm) {
  start();
  ASSERT_TRUE(wait_ready()) << log();
  const fs::path keys = folder_.path() / "keys";
  protocol::test::Client worker({"tcp://127.0.0.1:" + std::to_string(control_),
                                 {protocol::read_public_key(keys / "scheduler.pub").value()},
                                 {protocol::read_public_key(keys / "worker.pub").value(),
                                  protocol::read_secret_key(keys / "worker.key").value()}});
  ASSERT_TRUE(worker.connected());
  protocol::Hello hello = protocol::test::hello("worker");
  hello.offer.numeric_classes = {"none"};
  ASSERT_TRUE(worker.client->send(hello));
  ASSERT_TRUE(std::holds_alternative<protocol::Welcome>(worker.heard.next().value()));
  fs::remove(keys / "workers" / "worker.pub");
  EXPECT_TRUE(std::holds_alternative<protocol::Refused>(worker.heard.next().value()));
  httplib::Client client("127.0.0.1", http_);
  const httplib::Headers token{{"Authorization", "Bearer secret"}};
  std::string events;
  for (int i = 0; i < 200 && events.find("allow-list") == events.npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto answer = client.Get("/v1/events", token);
    if (answer) events = answer->body;
  }
  EXPECT_THAT(events, HasSubstr("its key was taken out of the allow-list"));
  EXPECT_THAT(log(), HasSubstr("its key is no longer in the allow-list"));

  std::ofstream(keys / "tokens.yaml") << "version: 1\ntokens: []\n";
  int status = 200;
  for (int i = 0; i < 100 && status == 200; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto answer = client.Get("/v1/shots", token);
    status = answer ? answer->status : -1;
  }
  EXPECT_EQ(status, 401);
  EXPECT_EQ(end(SIGTERM), 0) << log();
}

TEST_F(Process, PortsInUseAreSaid) {
  start();
  ASSERT_TRUE(wait_ready());
  const pid_t first = child_;
  for (int* port : {&http_, &control_, &artifacts_}) {
    const int taken = *port;
    const int others[3] = {http_, control_, artifacts_};
    http_ = free_port();
    control_ = free_port();
    artifacts_ = free_port();
    *port = taken;
    write_config("data2");
    expect_refused(4, std::to_string(taken));
    EXPECT_THAT(log(), HasSubstr("in use"));
    http_ = others[0];
    control_ = others[1];
    artifacts_ = others[2];
  }
  child_ = first;
  write_config();
}

TEST_F(Process, ALockedDataFolderIsSaid) {
  start();
  ASSERT_TRUE(wait_ready());
  const pid_t first = child_;
  expect_refused(4, "locked by another process");
  child_ = first;
  EXPECT_EQ(shot_status("none"), 404) << "the first one was disturbed";
}

TEST_F(Process, MissingKeysAndWrongFilesAreSaid) {
  write_config("data", "colour: blue\n");
  expect_refused(2, "colour");
  write_config();
  fs::remove(folder_.path() / "keys" / "scheduler.key");
  expect_refused(2, "scheduler.key");
  fs::remove(folder_.path() / "keys" / "tokens.yaml");
  expect_refused(2, "tokens.yaml");
  fs::remove(folder_.path() / "farm.yaml");
  expect_refused(2, "farm.yaml");
}

TEST_F(Process, ADataFolderThatIsAFileIsSaid) {
  std::ofstream(folder_.path() / "file") << "x";
  write_config("file");
  expect_refused(4, "file");
}

// A disk of its own, for those who may mount one.
TEST_F(Process, FullAndReadOnlyDisksAreSaid) {
  const fs::path disk = folder_.path() / "disk";
  fs::create_directory(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=160m") != 0)
    GTEST_SKIP() << "mounting a small disk needs root";
  write_config("disk/data", "limits: {disk_reserve: 40 MiB}\n");
  start();
  EXPECT_TRUE(wait_ready()) << log();
  EXPECT_EQ(submit("sh010", "a"), 201);
  { std::ofstream(disk / "ballast") << std::string(fs::space(disk).available - (20u << 20), 'x'); }
  EXPECT_EQ(submit("sh020", "b"), 507);
  EXPECT_EQ(shot_status("sh010"), 200);
  EXPECT_EQ(end(SIGTERM), 0);
  mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=160m");
  expect_refused(4, "cannot be written");
}

}  // namespace
}  // namespace rushes::scheduler
