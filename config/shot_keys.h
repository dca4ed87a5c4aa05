// Every key of a shot file, for people: what may stand there, what holds where it is not written, and what it does. The
// table of the README is made of it (shot_keys_table()), and a test holds it against the keys that the reader asks for.
//
// Thread contract: constants and pure functions.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace rushes::config {

struct ShotKey {
  std::string_view key;       // below a shot; of the file where it begins with '/'
  std::string_view value;     // what may stand there
  std::string_view standard;  // what holds without it; empty: it must be written
  std::string_view meaning;
};

inline constexpr std::array kShotKeys{
    ShotKey{"/version", "1", "", "form of the file"},
    ShotKey{"/show", "name", "", "the show; shots are SHOW/NAME"},
    ShotKey{"/defaults", "map", "{}", "keys of a shot, but name, that hold for all shots of the file"},
    ShotKey{"/shots", "list", "", "the shots, at most 1000"},
    ShotKey{"name", "name", "", "the shot's name, such as sh010; becomes file names"},
    ShotKey{"prompt", "text", "",
            "what the shot shows; submit says which words the model does not know and where it cuts"},
    ShotKey{"negative_prompt", "text", "the model's", "what guidance leads away from"},
    ShotKey{"model", "name", "", "a folder of model_roots; decides rate, size and native length"},
    ShotKey{"frames", "1 to 20000", "seconds", "length in frames; rendered up to 4n+1 and trimmed"},
    ShotKey{"seconds", "number", "frames", "length in seconds; one of the two is needed"},
    ShotKey{"fps", "24, 23.976, 12.5, 30000/1001, ...", "the model's",
            "rate of the delivery; another one than the model's needs retime"},
    ShotKey{"retime", "none, conform", "none", "conform: the same frames, played at fps"},
    ShotKey{"takes", "1 to 64", "1", "attempts with different seeds"},
    ShotKey{"seed", "whole number", "from the name", "of take 1; take k has seed + k - 1"},
    ShotKey{"seeds", "list", "-", "one for each take, instead of takes and seed"},
    ShotKey{"sampling.sampler", "euler, unipc, dpmpp", "the model's", "solver of the draft"},
    ShotKey{"sampling.steps", "1 to 200", "the model's", "denoise steps of the draft"},
    ShotKey{"sampling.shift", "0.1 to 100", "the model's", "how long the draft stays at high noise"},
    ShotKey{"sampling.guidance", "0 to 30", "the model's", "how strictly the prompt is followed"},
    ShotKey{"sampling.start_sigma", "-", "-", "of upgrade only: a draft starts from noise"},
    ShotKey{"priority", "0 to 100", "50", "ten points double the rate beside other shots of the show"},
    ShotKey{"deadline", "ISO 8601, none", "none",
            "when it must be delivered; served faster while that is at risk"},
    ShotKey{"limits", "list of names", "[]", "counted licences of farm.yaml that its tasks use"},
    ShotKey{"gate", "true, false", "false",
            "wait for the critics in the middle of denoising, instead of running ahead"},
    ShotKey{"approve", "person, best", "person", "who chooses the take that is delivered"},
    ShotKey{"upgrade", "none, map", "none", "what happens to the approved take"},
    ShotKey{"upgrade.scale", "2, 4", "4", "how much larger the master is"},
    ShotKey{"upgrade.sampler", "euler, unipc, dpmpp", "the model's", "solver of the master"},
    ShotKey{"upgrade.steps", "1 to 200", "the model's", "denoise steps of the master"},
    ShotKey{"upgrade.shift", "0.1 to 100", "the model's", "as of sampling"},
    ShotKey{"upgrade.guidance", "0 to 30", "the model's", "as of sampling"},
    ShotKey{"upgrade.start_sigma", "0.01 to 1", "the model's",
            "noise that the master starts from: more of it, more new detail"},
    ShotKey{"budget.windows", "0 to 10000", "2", "windows of a take that critics may have rendered again"},
    ShotKey{"budget.device_seconds", "number", "no bound",
            "what those may cost, failed attempts too: seconds for which a slot is held"},
    ShotKey{"key_frames[].frame", "0", "", "a frame, from 0, that a picture is given for"},
    ShotKey{"key_frames[].image", "file", "",
            "PNG or EXR, relative to the shot file; an EXR is the whole display window in square pixels; "
            "a PNG has the colours that it names; sides at most 16 to 1"},
    ShotKey{"critics.NAME", "on, off, map", "on", "a critic of this farm (the list is below)"},
    ShotKey{"critics.NAME.revise", "0 to 1", "the farm's", "score under which a window is rendered again"},
    ShotKey{"critics.NAME.reject", "0 to 1", "the farm's", "score under which the take is dropped"},
    ShotKey{"start_frame", "0 to 9000000", "1001", "number of the first EXR file"},
    ShotKey{"timecode", "HH:MM:SS:FF", "01:00:00:00", "of the first frame; ';' before FF for drop-frame"},
    ShotKey{"reel", "text", "none", "reel name, at most 32 characters"},
};

// The rows as a table in Markdown, ending with a line break.
std::string shot_keys_table();

}  // namespace rushes::config
