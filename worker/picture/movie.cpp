#include "worker/picture/movie.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

#include "config/file_kind.h"
#include "worker/picture/atomic_file.h"
#include "worker/picture/yuv.h"

namespace rushes::worker {
namespace {

tl::unexpected<Error> av_error(const std::string& path, const std::string& doing, int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  const ErrorKind kind = code == AVERROR(ENOSPC) ? ErrorKind::kExhausted : ErrorKind::kInternal;
  return fail(kind, path + ": cannot " + doing + ": " + text.data());
}

struct FreeFormat {
  void operator()(AVFormatContext* context) const {
    if (context->pb != nullptr && context->oformat != nullptr) avio_closep(&context->pb);
    if (context->iformat != nullptr) {
      avformat_close_input(&context);
    } else {
      avformat_free_context(context);
    }
  }
};
struct FreeCodec {
  void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
};
struct FreeFrame {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct FreePacket {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
using Format = std::unique_ptr<AVFormatContext, FreeFormat>;
using Codec = std::unique_ptr<AVCodecContext, FreeCodec>;
using Frame = std::unique_ptr<AVFrame, FreeFrame>;
using Packet = std::unique_ptr<AVPacket, FreePacket>;

constexpr std::int64_t kLookahead = std::int64_t{40} * 1920 * 1088;  // pixels

// The library speaks to stderr by itself; what matters comes back as error values.
void quiet() { av_log_set_level(AV_LOG_QUIET); }

}  // namespace

struct MovieWriter::Impl {
  std::string path;
  AtomicFile file;
  Format format;
  Codec codec;
  Frame frame;
  Packet packet;
  AVStream* stream = nullptr;  // owned by format
  int width = 0;
  int height = 0;
  std::int64_t count = 0;

  Impl(std::string p, AtomicFile f) : path(std::move(p)), file(std::move(f)) {}
  Status open_encoder(config::Rate fps, const MovieOptions& options);
  Status open_file(const MovieOptions& options);
  Status encode(AVFrame* picture);  // null flushes
};

Status MovieWriter::Impl::open_encoder(config::Rate fps, const MovieOptions& options) {
  const AVCodec* encoder = avcodec_find_encoder_by_name("libx264");
  if (encoder == nullptr) return fail(ErrorKind::kInternal, path + ": libavcodec has no libx264 encoder");
  codec.reset(avcodec_alloc_context3(encoder));
  if (!codec) return fail(ErrorKind::kExhausted, path + ": not enough memory for the encoder");
  codec->width = width + (width & 1);
  codec->height = height + (height & 1);
  codec->pix_fmt = AV_PIX_FMT_YUV420P;
  codec->time_base = AVRational{fps.denominator, fps.numerator};
  codec->framerate = AVRational{fps.numerator, fps.denominator};
  codec->sample_aspect_ratio = AVRational{1, 1};
  codec->color_primaries = AVCOL_PRI_BT709;
  codec->color_trc = AVCOL_TRC_BT709;
  codec->colorspace = AVCOL_SPC_BT709;
  codec->color_range = AVCOL_RANGE_MPEG;
  codec->chroma_sample_location = AVCHROMA_LOC_LEFT;
  codec->gop_size =
      std::max(1, static_cast<int>(fps.value() / 2));  // a key frame twice a second: reviewers scrub
  codec->thread_count = 1;                             // the number of threads changes x264's bytes
  codec->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
  av_opt_set(codec->priv_data, "preset", options.preset.c_str(), 0);
  av_opt_set(codec->priv_data, "crf", std::to_string(options.crf).c_str(), 0);
  // Macroblock-tree rate control of x264 164 reads beside its planes: bytes would depend on what the heap held before.
  av_opt_set(codec->priv_data, "mbtree", "0", 0);
  // x264 holds the pictures that it looks ahead: of large ones fewer than its 40.
  if (const int pictures = static_cast<int>(kLookahead / (std::int64_t{width} * height)); pictures < 40)
    av_opt_set(codec->priv_data, "rc-lookahead", std::to_string(std::max(pictures, 8)).c_str(), 0);
  if (const int code = avcodec_open2(codec.get(), encoder, nullptr); code < 0) {
    return av_error(path, "open the H.264 encoder", code);
  }
  return {};
}

Status MovieWriter::Impl::open_file(const MovieOptions& options) {
  const char* container = std::filesystem::path(path).extension() == ".mov" ? "mov" : "mp4";
  // The file: prefix keeps a name such as "a:b" from being read as a protocol.
  const std::string url = "file:" + file.temporary_path();
  AVFormatContext* raw = nullptr;
  if (const int code = avformat_alloc_output_context2(&raw, nullptr, container, url.c_str()); code < 0) {
    return av_error(path, "open the container", code);
  }
  format.reset(raw);
  format->flags |= AVFMT_FLAG_BITEXACT;
  stream = avformat_new_stream(raw, nullptr);
  if (stream == nullptr) return fail(ErrorKind::kExhausted, path + ": not enough memory for the container");
  stream->time_base = codec->time_base;
  stream->avg_frame_rate = codec->framerate;
  if (const int code = avcodec_parameters_from_context(stream->codecpar, codec.get()); code < 0) {
    return av_error(path, "describe the stream", code);
  }
  if (options.first_timecode) {
    av_dict_set(&stream->metadata, "timecode", config::to_string(*options.first_timecode).c_str(), 0);
  }
  if (const int code = avio_open(&format->pb, url.c_str(), AVIO_FLAG_WRITE); code < 0) {
    return av_error(path, "open the file", code);
  }
  AVDictionary* settings = nullptr;
  av_dict_set(&settings, "movflags", "+faststart+write_colr",
              0);  // plays before it is loaded; colours in the container
  const int code = avformat_write_header(raw, &settings);
  av_dict_free(&settings);
  if (code < 0) return av_error(path, "write the header", code);
  return {};
}

Status MovieWriter::Impl::encode(AVFrame* picture) {
  if (const int code = avcodec_send_frame(codec.get(), picture); code < 0)
    return av_error(path, "encode", code);
  for (;;) {
    const int code = avcodec_receive_packet(codec.get(), packet.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return {};
    if (code < 0) return av_error(path, "encode", code);
    packet->duration = 1;
    av_packet_rescale_ts(packet.get(), codec->time_base, stream->time_base);
    packet->stream_index = stream->index;
    if (const int written = av_interleaved_write_frame(format.get(), packet.get()); written < 0) {
      return av_error(path, "write", written);
    }
  }
}

MovieWriter::MovieWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MovieWriter::MovieWriter(MovieWriter&&) noexcept = default;
MovieWriter::~MovieWriter() = default;

Result<MovieWriter> MovieWriter::create(const std::string& path, int width, int height, config::Rate fps,
                                        const MovieOptions& options) {
  quiet();
  if (auto checked = make_clip(1, 1, 1, fps); !checked) return with_context(checked.error(), path);
  if (width < kMinDeliveredSide || height < kMinDeliveredSide || width > kMaxPictureSide ||
      height > kMaxPictureSide) {
    return fail(ErrorKind::kInvalid, path + ": expected sides of 2 to " + std::to_string(kMaxPictureSide) +
                                         ", found " + std::to_string(width) + "x" + std::to_string(height));
  }
  auto file = AtomicFile::create(path);
  if (!file) return tl::unexpected<Error>(file.error());
  auto impl = std::make_unique<Impl>(path, std::move(*file));
  impl->width = width;
  impl->height = height;
  if (auto status = impl->open_encoder(fps, options); !status) return tl::unexpected<Error>(status.error());
  if (auto status = impl->open_file(options); !status) return tl::unexpected<Error>(status.error());
  impl->packet.reset(av_packet_alloc());
  impl->frame.reset(av_frame_alloc());
  if (!impl->packet || !impl->frame)
    return fail(ErrorKind::kExhausted, path + ": not enough memory for a frame");
  impl->frame->format = AV_PIX_FMT_YUV420P;
  impl->frame->width = impl->codec->width;
  impl->frame->height = impl->codec->height;
  if (const int code = av_frame_get_buffer(impl->frame.get(), 0); code < 0) {
    return av_error(path, "take memory for a frame", code);
  }
  return MovieWriter(std::move(impl));
}

Status MovieWriter::add(const std::vector<float>& display) {
  Impl& m = *impl_;
  const std::size_t expected =
      static_cast<std::size_t>(m.width) * static_cast<std::size_t>(m.height) * kChannels;
  if (display.size() != expected) {
    return fail(ErrorKind::kInvalid, m.path + ": expected " + std::to_string(expected) +
                                         " values in a frame, found " + std::to_string(display.size()));
  }
  if (const int code = av_frame_make_writable(m.frame.get()); code < 0)
    return av_error(m.path, "reuse a frame", code);
  const Yuv420 yuv = to_yuv420(display, m.width, m.height);
  const auto copy_plane = [&](int plane, const std::vector<std::uint8_t>& source, int plane_width) {
    const auto row = static_cast<std::size_t>(plane_width);
    for (std::size_t y = 0; y < source.size() / row; ++y) {
      std::copy_n(source.data() + y * row, row,
                  m.frame->data[plane] + static_cast<std::ptrdiff_t>(y) * m.frame->linesize[plane]);
    }
  };
  copy_plane(0, yuv.y, yuv.width);
  copy_plane(1, yuv.cb, yuv.width / 2);
  copy_plane(2, yuv.cr, yuv.width / 2);
  m.frame->pts = m.count++;
  return m.encode(m.frame.get());
}

Status MovieWriter::finish() {
  Impl& m = *impl_;
  if (m.count == 0) return fail(ErrorKind::kInvalid, m.path + ": expected at least one frame, found none");
  if (auto status = m.encode(nullptr); !status) return status;
  if (const int code = av_write_trailer(m.format.get()); code < 0)
    return av_error(m.path, "finish the file", code);
  if (const int code = avio_closep(&m.format->pb); code < 0) return av_error(m.path, "close the file", code);
  return m.file.commit();
}

Status write_movie(const std::string& path, ClipView clip, const DisplayView& view,
                   const MovieOptions& options) {
  auto writer = MovieWriter::create(path, clip.width(), clip.height(), clip.fps(), options);
  if (!writer) return tl::unexpected<Error>(writer.error());
  for (int t = 0; t < clip.frames(); ++t) {
    auto display = view.apply(clip, t);
    if (!display) return with_context(display.error(), path);
    if (auto added = writer->add(*display); !added) return added;
  }
  return writer->finish();
}

// ---- probe

namespace {

std::string or_empty(const char* text) { return text == nullptr ? "" : text; }

// The frames of a timecode have as many digits as its rate needs there: "01:00:00:5" at 8 fps, "01:00:00:005" at 120.
std::string two_digits(const std::string& timecode) {
  const std::size_t at = timecode.find_last_of(":;") + 1;
  int frames = 0;
  const char* end = timecode.data() + timecode.size();
  const auto [stop, error] = std::from_chars(timecode.data() + at, end, frames);
  if (error != std::errc() || stop != end) return timecode;
  return timecode.substr(0, at) + (frames < 10 ? "0" : "") + std::to_string(frames);
}

std::string find_timecode(const AVFormatContext& format) {
  for (unsigned i = 0; i < format.nb_streams; ++i) {
    if (const auto* tag = av_dict_get(format.streams[i]->metadata, "timecode", nullptr, 0))
      return two_digits(tag->value);
  }
  return {};
}

// Decodes to the end and counts.
Result<int> count_frames(AVFormatContext& format, int stream, AVCodecContext& codec,
                         const std::string& path) {
  const Packet packet(av_packet_alloc());
  const Frame frame(av_frame_alloc());
  if (!packet || !frame) return fail(ErrorKind::kExhausted, path + ": not enough memory for a frame");
  int frames = 0;
  const auto drain = [&]() -> int {
    for (;;) {
      const int code = avcodec_receive_frame(&codec, frame.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return 0;
      if (code < 0) return code;
      if (frame->decode_error_flags != 0) return AVERROR_INVALIDDATA;
      ++frames;
    }
  };
  for (;;) {
    const int code = av_read_frame(&format, packet.get());
    if (code == AVERROR_EOF) break;
    if (code < 0)
      return fail(ErrorKind::kCorrupt,
                  path + ": the movie breaks off after " + std::to_string(frames) + " frames");
    int sent = 0;
    if (packet->stream_index == stream) sent = avcodec_send_packet(&codec, packet.get());
    av_packet_unref(packet.get());
    if (sent < 0 || drain() < 0) {
      return fail(ErrorKind::kCorrupt,
                  path + ": frame " + std::to_string(frames) + " of the movie does not decode");
    }
  }
  if (avcodec_send_packet(&codec, nullptr) < 0 || drain() < 0) {
    return fail(ErrorKind::kCorrupt, path + ": the end of the movie does not decode");
  }
  return frames;
}

}  // namespace

Result<MovieInfo> probe_movie(const std::string& path) {
  quiet();
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    return fail(ErrorKind::kNotFound, path + ": expected a movie, found " + config::kind_of_file(path));
  }
  AVFormatContext* raw = nullptr;
  if (avformat_open_input(&raw, ("file:" + path).c_str(), nullptr, nullptr) < 0) {
    return fail(ErrorKind::kCorrupt, path + ": not a readable movie");
  }
  const Format format(raw);
  if (avformat_find_stream_info(raw, nullptr) < 0)
    return fail(ErrorKind::kCorrupt, path + ": not a readable movie");
  const AVCodec* decoder = nullptr;
  const int index = av_find_best_stream(raw, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
  if (index < 0 || decoder == nullptr)
    return fail(ErrorKind::kInvalid, path + ": expected a video stream, found none");
  const AVStream* stream = raw->streams[index];
  const Codec codec(avcodec_alloc_context3(decoder));
  if (!codec || avcodec_parameters_to_context(codec.get(), stream->codecpar) < 0 ||
      avcodec_open2(codec.get(), decoder, nullptr) < 0) {
    return fail(ErrorKind::kInternal, path + ": cannot open the decoder");
  }
  auto frames = count_frames(*raw, index, *codec, path);
  if (!frames) return tl::unexpected<Error>(frames.error());
  const AVCodecParameters& p = *stream->codecpar;
  MovieInfo info;
  info.width = p.width;
  info.height = p.height;
  info.fps = config::Rate{stream->avg_frame_rate.num, std::max(1, stream->avg_frame_rate.den)};
  info.frames = *frames;
  info.codec = avcodec_get_name(p.codec_id);
  info.pixel_format = or_empty(av_get_pix_fmt_name(static_cast<AVPixelFormat>(p.format)));
  info.primaries = or_empty(av_color_primaries_name(p.color_primaries));
  info.transfer = or_empty(av_color_transfer_name(p.color_trc));
  info.matrix = or_empty(av_color_space_name(p.color_space));
  info.range = or_empty(av_color_range_name(p.color_range));
  info.timecode = find_timecode(*raw);
  return info;
}

}  // namespace rushes::worker
