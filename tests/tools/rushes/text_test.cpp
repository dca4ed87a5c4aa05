#include "tools/rushes/text.h"

#include <gtest/gtest.h>

#include "tools/rushes/live_table.h"

namespace rushes::tools {
namespace {

Json sample_shots() {
  return Json::parse(
      R"([{"shot": "show/sh010", "name": "sh010", "state": "drafting", "progress": 0.5, "elapsed_seconds": 65,
    "device_seconds": {"cpu": 12.5, "gpu": 0, "total": 12.5, "wasted": 2.25}, "estimate_seconds": 30, "prompt": "a red sphere", "frames": 33, "fps": "24", "model": "tabletop",
    "seconds_per_stage": {"denoise": 10.0, "encode": 0.5}, "tasks": {"succeeded": 3},
    "takes": [{"take": 1, "seed": 7, "state": "judged", "windows": [{"window": 0, "progress": 1.0, "revision": 0}],
      "critique": {"verdict": "revise", "score": 0.41,
        "dimensions": [{"dimension": "flicker", "score": 0.41, "threshold": 0.5}],
        "findings": [{"dimension": "flicker", "frames": [11, 13], "exr_frames": [1012, 1014], "message": "brightness jumps in frames 1012-1014", "remedy": "render again"}]},
      "revisions": [{"revision": 1, "windows": [0], "seed": 77, "prompt": "a blue ball", "reason": "flicker", "score_before": 0.41, "score_after": 0.9, "kept": true, "current": false, "standing": "history"}], "version": 0},
     {"take": 2, "seed": 8, "state": "rendering", "activity": "looks at frames 1-33",
      "windows": [{"window": 0, "progress": 0.25, "revision": 0}]}],
    "deliveries": [{"kind": "draft", "take": 1, "folder": "show/sh010", "files": ["a", "b"]}]}])");
}

TEST(Bar, HasItsWidthAtEveryFraction) {
  for (int i = -5; i <= 105; ++i) EXPECT_EQ(text_width(bar(i / 100.0, 10)), 10u) << i;
  EXPECT_EQ(bar(0.0, 4), "····");
  EXPECT_EQ(bar(1.0, 4), "████");
}

TEST(Padded, CountsCharactersAndCuts) {
  EXPECT_EQ(padded("ab", 4), "ab  ");
  EXPECT_EQ(text_width(padded("é long word", 6)), 6u);
  EXPECT_EQ(text_width(padded(Style{true}.state("drafting"), 12)), 12u);
}

TEST(Column, CutsNoName) {
  EXPECT_EQ(column("ab", 4), "ab  ");
  EXPECT_EQ(column("abcd", 4), "abcd  ");
}

TEST(EventLine, NamesTakeTaskAndWorker) {
  Json event{{"seq", 7},  {"seconds", 65}, {"type", "task.running"}, {"shot", "demo/sh010"},
             {"take", 2}, {"task", 12},    {"worker", "w1"},         {"words", "it began"}};
  EXPECT_EQ(event_line(event),
            "7       1:05      task.running      demo/sh010 take 2 task 12 on w1 it began\n");
  event["take"] = event["task"] = 0;
  event["worker"] = "";
  EXPECT_EQ(event_line(event),
            "7       1:05      task.running      demo/sh010" + std::string(22, ' ') + "it began\n");
}

TEST(WorkersText, SaysNothingOfWhatIsNotTold) {
  Json worker{{"worker", "w1"},
              {"state", "idle"},
              {"finished", 3},
              {"failed", 0},
              {"device_seconds", {{"total", 12.5}, {"cpu", 12.5}, {"gpu", 0}, {"wasted", 0}}}};
  EXPECT_NE(workers_text(Json::array({worker}), Style{}).find("3 done  0 failed  12.5 device s"),
            std::string::npos);
  worker["finished"] = worker["failed"] = worker["device_seconds"] = nullptr;
  for (const char* part : {"done", "failed", "device s"})
    EXPECT_EQ(workers_text(Json::array({worker}), Style{}).find(part), std::string::npos) << part;
}

TEST(Duration, ReadsAsAClock) {
  EXPECT_EQ(duration(65), "1:05");
  EXPECT_EQ(duration(3661), "1:01:01");
  EXPECT_EQ(duration(-1), "-");
}

TEST(LiveTable, ShowsEveryTakeWithABarPerWindowAndWhatCriticsSay) {
  const std::string text = LiveTable::render(sample_shots(), Style{}, 200);
  for (const char* part :
       {"show/sh010", "50 %", "1:05", "about 0:30 left", "██████████", "revise 0.41", "looks at frames 1-33"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(LiveTable, NoLineIsWiderThanTheTerminal) {
  const std::string text = LiveTable::render(sample_shots(), Style{true}, 40);
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_LE(text_width(text.substr(begin, end - begin)), 40u);
}

TEST(ShotText, SaysWhereThePicturesOfATakeAre) {
  Json shot = sample_shots()[0];
  EXPECT_EQ(look_text(shot), "") << "nothing to look at yet";
  const Json movie{{"digest", "aa"}, {"bytes", 1536 << 10}}, sheet{{"digest", "bb"}, {"bytes", 20 << 10}};
  shot["takes"][0]["versions"] = {
      {{"version", 0}, {"current", false}, {"judged", true}, {"movie", nullptr}, {"sheet", nullptr}},
      {{"version", 1}, {"current", true}, {"judged", true}, {"movie", movie}, {"sheet", sheet}},
      {{"version", 2}, {"current", false}, {"judged", false}, {"movie", nullptr}, {"sheet", nullptr}}};
  const std::string text = shot_text(shot, Style{});
  EXPECT_NE(text.find("version 0: no proxy: rendered by an older worker\n"), std::string::npos) << text;
  EXPECT_NE(text.find("version 1 (current): movie 2 MiB, sheet 20 KiB\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("version 2"), std::string::npos) << text;
  EXPECT_NE(look_text(shot).find("rushes export show/sh010 DIR --take N --kind proxy"), std::string::npos);
}

TEST(ShotText, SaysWhereTheTimeWentAndWhoApproved) {
  Json shot = sample_shots()[0];
  for (const char* part : {"queued", "approved"})
    EXPECT_EQ(shot_text(shot, Style{}).find(part), std::string::npos) << "nothing to say of it";
  shot["times"] = {{"queued_seconds", 12}, {"running_seconds", 100}, {"person_seconds", 185}};
  shot["approved"] = 2;
  EXPECT_NE(shot_text(shot, Style{}).find("  take 2 approved\n"), std::string::npos) << "an older journal";
  shot["approved_by"] = "ann";
  shot["approved_at"] = "2026-12-01T17:00:00.250Z";
  const std::string text = shot_text(shot, Style{});
  for (const char* part : {"  queued 0:12, running 1:40, waited for people 3:05\n",
                           "  take 2 approved by ann at 2026-12-01T17:00:00.250Z\n"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(ShotText, NamesTheTasksThatFailedOrRun) {
  Json shot = sample_shots()[0];
  EXPECT_EQ(shot_text(shot, Style{}).find("  task "), std::string::npos);
  shot["notable_tasks"] = {{{"task", 12},
                            {"name", "sh010 take 1 decode tile 0"},
                            {"state", "failed"},
                            {"worker", "w1"},
                            {"progress", 0},
                            {"words", "it broke"}}};
  for (int i = 0; i < 17; ++i)
    shot["notable_tasks"].push_back({{"task", 20 + i},
                                     {"name", "n"},
                                     {"state", "running"},
                                     {"worker", "w2"},
                                     {"progress", 0.25},
                                     {"words", ""}});
  const std::string text = shot_text(shot, Style{});
  for (const char* part :
       {"  task 12 failed on w1: sh010 take 1 decode tile 0: it broke\n", "  task 20 running on w2 25 %: n\n",
        "  and 2 tasks more; --json has them\n", "  see: rushes logs 12, rushes explain 12\n"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(ClosingReport, SaysVerdictFindingRevisionSecondsAndPlace) {
  const std::string text = closing_report(sample_shots(), Style{});
  for (const char* part :
       {"revise 0.41", "flicker: brightness jumps in frames 1012-1014 (render again)",
        "again with seed 77 and the prompt \"a blue ball\": flicker; score 0.41 -> 0.90, taken back",
        "denoise 10.0 s", "draft of take 1 in show/sh010"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(Critiques, SayTheSeedAndWhatWasFoundAtCheckpoints) {
  const Json answer =
      Json::parse(R"({"takes": [{"take": 1, "seed": 7, "state": "judged", "critique": null, "windows": [
    {"window": 1, "revision": 2, "state": "succeeded", "doing": "", "verdict": "revise", "score": 0.3,
     "findings": [{"dimension": "freeze", "message": "frame 1011 repeats the frame before"}]},
    {"window": 0, "revision": 2, "state": "running", "doing": "looks at frames 1001-1033"}]}]})");
  const std::string text = critiques_text(answer, Style{});
  for (const char* part : {"take 1  judged  seed 7\n", "    window 1 version 2: revise 0.30\n",
                           "      - freeze: frame 1011 repeats the frame before\n",
                           "    window 0 version 2: running, looks at frames 1001-1033\n"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(Critiques, SayThatNobodyJudgedInsteadOfAScore) {
  EXPECT_EQ(critique_line(Json::parse(R"({"verdict": "unknown", "score": null})")), "not judged");
  EXPECT_EQ(critique_line(Json::parse(R"({"verdict": "unknown", "score": 1.0})")), "not judged")
      << "an older farm";
  EXPECT_EQ(critique_line(Json::parse(R"({"verdict": "pass", "score": 1.0})")), "pass 1.00");
  EXPECT_NE(revision_line(Json::parse(R"({"revision": 1, "windows": [0], "seed": 7, "score_before": null,
                                          "score_after": null, "kept": true, "current": true})"))
                .find("score not judged -> not judged, current"),
            std::string::npos);
}

TEST(ShotText, TellsWhatIsCurrentFromWhatIsHistory) {
  EXPECT_NE(
      shot_text(sample_shots()[0], Style{})
          .find(
              "    current: version 0, the first rendering\n    history: revision 1 rendered window 0 again"),
      std::string::npos);
  const auto line = [](const char* kept, const char* current, const char* standing) {
    return revision_line(Json::parse(std::string(R"({"revision": 1, "windows": [0], "seed": 7, "kept": )") +
                                     kept + R"(, "current": )" + current + R"(, "standing": ")" + standing +
                                     "\"}"));
  };
  EXPECT_TRUE(line("true", "true", "current").ends_with("not judged, current"));
  EXPECT_TRUE(line("true", "false", "part").ends_with(", part of the current version"));
  EXPECT_TRUE(line("null", "false", "pending").ends_with(", rendered now"));
  EXPECT_TRUE(line("null", "false", "history").ends_with(", stopped"));
  EXPECT_TRUE(line("false", "false", "history").ends_with(", never current"));
  for (const char* standing : {"current", "part", "pending"})
    EXPECT_EQ(line("true", "false", standing).find("history"), std::string::npos) << standing;
}

TEST(ShotText, SaysOfWhatRenewedWindowsWereMade) {
  Json shot = sample_shots()[0];
  shot["takes"][0]["renewed"] =
      Json::parse(R"([{"windows": [0, 2], "revision": 1, "seed": 77, "prompt": "a blue ball"}])");
  EXPECT_NE(
      shot_text(shot, Style{}).find("now window 0, 2 is of revision 1: seed 77, prompt \"a blue ball\"\n"),
      std::string::npos);
  shot["takes"][0]["revisions"][0]["again"] = true;
  EXPECT_NE(shot_text(shot, Style{}).find("revision 1 made the take again as it was: flicker"),
            std::string::npos);
}

TEST(LogsText, HasAHeadingForEveryAttempt) {
  const Json answer = Json::parse(R"({"left_off": 1, "tasks": [
    {"task": 12, "name": "sh010 decode tile 0", "state": "succeeded", "attempts": [
      {"attempt": 1, "worker": "", "state": "unknown", "started": null, "ended": null, "seconds": null,
       "message": "", "log": "an old line\n"},
      {"attempt": 9, "worker": "w1", "state": "failed", "kind": "memory", "started": "2026-12-01T17:00:00.250Z",
       "ended": "2026-12-01T17:00:05.250Z", "seconds": 5, "message": "it broke", "log": "first\nlast words"},
      {"attempt": 10, "worker": "w2", "state": "succeeded", "started": null, "ended": "2026-12-01T17:01:05.250Z",
       "seconds": 2.5, "message": "", "log": null}]},
    {"task": 13, "name": "sh010 deliver", "state": "succeeded", "attempts": [
      {"attempt": 1, "worker": "w2", "state": "succeeded", "log": null}]}]})");
  EXPECT_EQ(logs_text(answer, Style{}), R"(task 12, sh010 decode tile 0: succeeded
--- attempt 1: long ago, only its lines are left ---
an old line
--- attempt 9 on w1: failed, from 2026-12-01T17:00:00.250Z to 2026-12-01T17:00:05.250Z, 5.0 s: it broke ---
first
last words
--- attempt 10 on w2: succeeded, ended 2026-12-01T17:01:05.250Z, 2.5 s ---
(it sent no lines)
and 1 task more than one answer holds: rushes logs TASK
)");
  const Json waits =
      Json::parse(R"({"tasks": [{"task": 2, "name": "n", "state": "ready", "attempts": []}]})");
  EXPECT_EQ(logs_text(waits, Style{}), "task 2, n: ready\nno worker has tried it yet\n");
  EXPECT_EQ(logs_text(Json::object(), Style{}), "no attempt has printed anything yet\n");
}

TEST(Workers, SayWhatIsTakenOfWhatTheyOffer) {
  const Json workers = Json::parse(R"([{"worker": "bay1", "state": "busy",
    "resources": {"cpu_slots": 2, "gpu_slots": 1, "host_bytes": 17179869184, "device_bytes": 77309411328},
    "taken": {"cpu_slots": 1, "gpu_slots": 1, "host_bytes": 524288000, "device_bytes": 21474836480}}])");
  const std::string text = workers_text(workers, Style{});
  EXPECT_NE(text.find("1/2 cpu 500 MiB/16.0 GiB, 1/1 gpu 20.0 GiB/72.0 GiB"), std::string::npos) << text;
}

TEST(Workers, SayWhatIsKnownOfOneThatIsLost) {
  const Json workers = Json::parse(R"([
    {"worker": "bay1", "state": "lost", "since": null, "unheard_since": "2026-12-01T17:00:00.250Z"},
    {"worker": "bay2", "state": "lost", "since": "2026-12-01T16:00:00.250Z", "unheard_since": null}])");
  const std::string text = workers_text(workers, Style{});
  EXPECT_NE(text.find("not heard of since the scheduler started at 2026-12-01T17:00:00.250Z"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("since 2026-12-01T16:00:00.250Z"), std::string::npos) << text;
}

TEST(Workers, SayHowTheirGpusAre) {
  const Json workers =
      Json::parse(R"([{"worker": "bay1", "state": "busy", "numeric_classes": ["cpu-a+cpu-b"], "devices": [
    {"name": "NVIDIA H200", "capability": "9.0", "driver": "580.95.05", "total_bytes": 150323855360,
     "free_bytes": 21474836480, "celsius": 54, "memory_errors": 2, "trouble": ""},
    {"name": "GPU 1", "capability": "", "driver": "", "total_bytes": 0, "free_bytes": 0, "celsius": null,
     "memory_errors": 0, "trouble": "NVML: GPU is lost"}]}])");
  const std::string text = workers_text(workers, Style{});
  EXPECT_NE(text.find("  class cpu-a+cpu-b\n  NVIDIA H200 (9.0, driver 580.95.05)  20.0 GiB of 140.0 GiB "
                      "free  54 C  2 memory errors\n"
                      "  GPU 1  NVML: GPU is lost\n"),
            std::string::npos)
      << text;
}

TEST(Text, AnswersOfAnyShapeDoNotThrow) {
  for (const char* text : {"null", "[]", "[1]", "[{}]", R"([{"takes": 5, "progress": "x", "tasks": []}])",
                           R"([{"takes": [{"critique": {"findings": [{"frames": ["a", 1]}]}}]}])"}) {
    const Json json = Json::parse(text);
    EXPECT_NO_THROW(closing_report(json, Style{}));
    EXPECT_NO_THROW(LiveTable::render(json, Style{}, 80));
    EXPECT_NO_THROW(workers_text(json, Style{}));
    EXPECT_NO_THROW(logs_text(json, Style{}));
    EXPECT_NO_THROW(logs_text(Json{{"tasks", json}}, Style{}));
  }
}

TEST(Text, AGcSaysWhatLeavesAndWhatIsFreed) {
  Json answer =
      Json::parse(R"({"takes": [{"shot": "feature/sh010", "take": 2, "reason": "never approved, 30 days",
    "since": "2026-11-01T10:00:00Z", "artifacts": 12, "bytes": 26214400}], "artifacts": 12, "bytes": 26214400,
    "uploads": {"artifacts": 1, "bytes": 2048}, "freed": null, "dry_run": true})");
  EXPECT_EQ(collected_text(answer),
            "feature/sh010 take 2  25 MiB    never approved, 30 days since 2026-11-01\n"
            "1 take would leave: 12 artifacts, 25 MiB\n"
            "1 upload that no result names: 2 KiB\n");
  Json lately = answer;
  lately["later"] = {{"artifacts", 2}, {"bytes", 1048576}};
  EXPECT_NE(collected_text(lately).find("25 MiB\n1 MiB of it later: made within times.upload_sweep\n"),
            std::string::npos);
  answer["dry_run"] = false;
  answer["freed"] = {{"artifacts", 12}, {"bytes", 26214400}};
  EXPECT_NE(collected_text(answer).find("1 take left: 12 artifacts"), std::string::npos);
  EXPECT_NE(collected_text(answer).find("25 MiB freed; the disk shows it once the vault is compacted\n"
                                        "what was uploaded lately follows (times.upload_sweep)\n"),
            std::string::npos);
  answer["freed"]["bytes"] = 26216448;
  EXPECT_EQ(collected_text(answer).find("lately"), std::string::npos);
  EXPECT_EQ(collected_text(Json::object()),
            "0 takes left: 0 artifacts, 0 KiB\n0 uploads that no result names: 0 KiB\n");
}

TEST(Deliveries, TheNewestDeliveryIsTheMasterOfTheHighestVersion) {
  const auto delivery = [](const char* kind, const char* version) {
    return Json{{"kind", kind}, {"version", version}};
  };
  const Json draft = delivery("draft", "v001"), master = delivery("master", "v001"),
             later = delivery("draft", "v002"), tenth = delivery("draft", "v1000");
  EXPECT_EQ(newest_delivery({draft, master}), master);
  EXPECT_EQ(newest_delivery({master, draft}), master) << "the master was written first";
  EXPECT_EQ(newest_delivery({master, draft, later}), later);
  EXPECT_EQ(newest_delivery({later, tenth, master}), tenth);
}

}  // namespace
}  // namespace rushes::tools
