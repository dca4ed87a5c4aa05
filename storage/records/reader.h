// The one reader of Cap'n Proto bytes, and its counterpart, the writer.
//
// Bytes from a disk or a socket are hostile: message size, words visited, nesting, lists, texts, numbers,
// enumerants and digests are bounded. The bounds stand beside the fields of the schema as annotations
// (storage/records/bounds.capnp) and are looked up there, once per field. A Reader keeps the first problem that
// it finds; values read after it are unspecified, and open() answers with that problem instead of a value. Cap'n
// Proto's exceptions end in open().
//
// A codec lists the fields of a struct once, for both directions:
//
//   RUSHES_CODEC(Range, records::Range, range) {
//     FIELD(Begin, range.begin);
//     FIELD(End, range.end);
//     io.require(range.begin <= range.end, "range: ends before it begins");
//   }
//
// which defines write(Writer&, records::Range::Builder, const Range&) and
// read(Reader&, records::Range::Reader, Range&). The header declares both with RUSHES_CODEC_DECLARED.
//
// Thread contract: pure functions; a Reader or Writer belongs to one call.
#pragma once

#include <capnp/message.h>
#include <capnp/schema.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "config/result.h"
#include "storage/records/text.h"
#include "storage/records/words.h"

namespace rushes::records {

// Where bytes come from. A disk holds what this farm has written: every refusal is kCorrupt, a digest that was
// never set is empty, and texts are taken as they are. A socket's texts must be clean and its digests complete;
// refusals are kInvalid (malformed, unknown) or kExhausted (over a bound). A writer for a socket cleans its
// texts and cuts those that are too long.
enum class Source { kDisk, kWire };

// What the schema says about a field.
struct Bounds {
  std::string name;  // "model digest", for messages
  std::uint32_t bytes = 16u << 10, count = 4096;
  std::uint64_t least = 0, most = std::numeric_limits<std::uint64_t>::max();
  bool is_name = false, keep_end = false;
};
// `getter` is the field's name as in getFrames().
Bounds bounds_of(capnp::StructSchema schema, std::string_view getter);
std::string field_name(std::string_view getter);  // "numericClass"

class Reader {
 public:
  explicit Reader(Source source) : source_(source) {}
  bool ok() const { return problem_.message.empty(); }
  Source source() const { return source_; }
  const Error& problem() const { return problem_; }
  void refuse(ErrorKind kind, std::string message);
  void require(bool condition, const char* problem) {
    if (!condition) refuse(ErrorKind::kInvalid, problem);
  }

  // One value of a field; `bounds` are the field's.
  template <class T>
  void get(capnp::Void, T&, const Bounds&) {}
  void get(bool in, bool& out, const Bounds&) { out = in; }
  void get(float in, float& out, const Bounds&) { out = in; }
  void get(double in, double& out, const Bounds&) { out = in; }
  void get(float in, double& out, const Bounds&) { out = in; }
  template <std::integral In, std::integral Out>
  requires(!std::same_as<In, bool>) void get(In in, Out& out, const Bounds& bounds) {
    if constexpr (std::unsigned_integral<In>) {
      const auto most = std::min<std::uint64_t>(bounds.most, std::numeric_limits<Out>::max());
      if (in < bounds.least || in > most) return outside(in, bounds, most);
    }
    out = static_cast<Out>(in);
  }
  template <class In, class Tag, class T, T None>
  void get(In in, Id<Tag, T, None>& out, const Bounds& bounds) {
    T number{};
    get(in, number, bounds);
    out = Id<Tag, T, None>(number);
  }
  template <class In, class Out>
  requires(std::is_enum_v<In>) void get(In in, Out& out, const Bounds& bounds) {
    static const unsigned known = capnp::Schema::from<In>().getEnumerants().size();
    if (static_cast<unsigned>(in) >= known) return unknown(std::to_string(static_cast<unsigned>(in)), bounds);
    out = static_cast<Out>(in);
  }
  void get(capnp::Text::Reader in, std::string& out, const Bounds& bounds);
  template <class Word>
  requires(std::is_enum_v<Word>) void get(capnp::Text::Reader in, Word& out, const Bounds& bounds) {
    const auto word = parse_word<Word>({in.begin(), in.size()});
    if (!word) return unknown('"' + one_line({in.begin(), in.size()}, 80) + '"', bounds);
    out = *word;
  }
  void get(capnp::Data::Reader in, Digest& out, const Bounds& bounds);
  template <class Buffer>  // Bytes or std::string
  requires(std::same_as<Buffer, Bytes> || std::same_as<Buffer, std::string>) void get(capnp::Data::Reader in,
                                                                                      Buffer& out,
                                                                                      const Bounds& bounds) {
    if (in.size() <= bounds.bytes)
      out.assign(in.begin(), in.end());
    else
      too_many(in.size(), bounds.bytes, "bytes", bounds);
  }
  template <class List, class T>
  requires(!std::same_as<T, std::uint8_t>) void get(const List& in, std::vector<T>& out,
                                                    const Bounds& bounds) {
    out.clear();
    if (in.size() > bounds.count) return too_many(in.size(), bounds.count, "entries", bounds);
    out.reserve(std::min(in.size(), 4096u));
    for (auto entry : in) {
      T value{};
      get(entry, value, bounds);
      if (!ok()) return;
      out.push_back(std::move(value));
    }
  }
  template <class Message, class T>
  requires requires(Reader& reader, Message in, T& out) { read(reader, in, out); }
  void get(Message in, T& out, const Bounds&) { read(*this, in, out); }

 private:
  void outside(std::uint64_t found, const Bounds& bounds, std::uint64_t most);
  void too_many(std::size_t found, std::size_t most, const char* of, const Bounds& bounds);
  void unknown(const std::string& found, const Bounds& bounds);

  Source source_;
  Error problem_;
};

class Writer {
 public:
  explicit Writer(Source source = Source::kDisk) : source_(source) {}

  // A value as a setter of type `Wire` takes it.
  template <class Wire, class T>
  auto as(const T& value, const Bounds& bounds) {
    if constexpr (std::is_same_v<Wire, capnp::Text::Builder>) {
      return text(value, bounds);
    } else if constexpr (std::is_same_v<Wire, capnp::Data::Builder>) {
      return data(value);
    } else if constexpr (std::is_same_v<Wire, capnp::Void>) {
      return capnp::VOID;
    } else if constexpr (requires { value.number(); }) {  // an Id
      return static_cast<Wire>(value.number());
    } else {
      return static_cast<Wire>(value);
    }
  }
  template <class List, class T>
  void list(List out, const std::vector<T>& values, const Bounds& bounds) {
    for (unsigned i = 0; i < out.size(); ++i) {
      if constexpr (requires(Writer & writer) { write(writer, out[i], values[i]); })
        write(*this, out[i], values[i]);
      else
        out.set(i, as<std::decay_t<decltype(out[i])>>(values[i], bounds));
    }
  }

 private:
  template <class T>
  capnp::Data::Reader data(const T& value) {
    if constexpr (requires { value.data(); })
      return {reinterpret_cast<const kj::byte*>(value.data()), value.size()};
    else  // a record inside a message, as bytes of its own
      return data(held_ = data_of(value));
  }
  capnp::Text::Reader text(const std::string& text, const Bounds& bounds);
  template <class Word>
  requires(std::is_enum_v<Word>) capnp::Text::Reader text(Word word, const Bounds&) {
    return to_string(word);
  }

  Source source_;
  std::string held_;  // the last text or record that was made here, until it is set
};

// ---- codecs: the same list of fields for an In and an Out

template <class Message>
struct In {
  using Schema = typename Message::Reads;
  static constexpr bool kReads = true;
  Reader& reader;
  Message message;
  void require(bool condition, const char* problem) const { reader.require(condition, problem); }
};
template <class Message>
struct Out {
  using Schema = typename Message::Builds;
  static constexpr bool kReads = false;
  Writer& writer;
  Message message;
  void require(bool, const char*) const {}
};
template <class Io, class T>
using Of = std::conditional_t<Io::kReads, T, const T>;

template <class T>
inline constexpr bool kIsList = false;
template <class T>
inline constexpr bool kIsList<std::vector<T>> = !std::same_as<T, std::uint8_t>;  // Bytes are data

// NOLINTBEGIN(bugprone-macro-parentheses): a type takes none
#define RUSHES_CODEC_DECLARED(WORD, SCHEMA)                                    \
  void write(records::Writer& writer, SCHEMA::Builder out, const WORD& value); \
  void read(records::Reader& reader, SCHEMA::Reader in, WORD& value);

#define RUSHES_CODEC(WORD, SCHEMA, value)                                      \
  template <class Io>                                                          \
  static void fields(Io& io, records::Of<Io, WORD>& value);                    \
  void write(records::Writer& writer, SCHEMA::Builder out, const WORD& word) { \
    records::Out<SCHEMA::Builder> io{writer, out};                             \
    fields(io, word);                                                          \
  }                                                                            \
  void read(records::Reader& reader, SCHEMA::Reader in, WORD& word) {          \
    records::In<SCHEMA::Reader> io{reader, in};                                \
    fields(io, word);                                                          \
  }                                                                            \
  template <class Io>                                                          \
  static void fields(Io& io, records::Of<Io, WORD>& value)
// NOLINTEND(bugprone-macro-parentheses)

// One field: NAME as in getNAME(), and the member that holds it.
#define FIELD(NAME, MEMBER)                                                                          \
  do {                                                                                               \
    static const records::Bounds bounds =                                                            \
        records::bounds_of(capnp::Schema::from<typename Io::Schema>(), #NAME);                       \
    using Member = std::remove_cvref_t<decltype(MEMBER)>;                                            \
    if constexpr (Io::kReads) {                                                                      \
      io.reader.get(io.message.get##NAME(), MEMBER, bounds);                                         \
    } else if constexpr (records::kIsList<Member>) {                                                 \
      io.writer.list(io.message.init##NAME(static_cast<unsigned>((MEMBER).size())), MEMBER, bounds); \
    } else if constexpr (requires { write(io.writer, io.message.get##NAME(), MEMBER); }) {           \
      write(io.writer, io.message.init##NAME(), MEMBER);                                             \
    } else {                                                                                         \
      io.message.set##NAME(                                                                          \
          io.writer.template as<std::decay_t<decltype(io.message.get##NAME())>>(MEMBER, bounds));    \
    }                                                                                                \
  } while (false)

// ---- whole messages

inline constexpr int kMaxNesting = 24;

// The words of a message that may lie anywhere in memory: `bytes` itself, which has to outlive them, or a copy at
// word boundaries; empty when it is not made of whole words.
kj::Array<const capnp::word> aligned_words(std::span<const std::uint8_t> bytes);
inline std::span<const std::uint8_t> octets(std::string_view bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

// Runs `body(Reader&) -> T`; its first problem, or Cap'n Proto's exception, becomes the error.
template <class T, class Body>
Result<T> guarded(Source source, const char* what, const Body& body) {
  Reader reader(source);
  try {
    T value = body(reader);
    if (reader.ok()) return value;
  } catch (const kj::Exception& error) {
    reader.refuse(ErrorKind::kInvalid, "malformed: " + one_line(error.getDescription().cStr(), 160));
  }
  return with_context(reader.problem(), what);
}

// Reads a flat message (with its segment table) of at most `most` bytes with `body(Reader&, Root::Reader) -> T`.
template <class Root, class T, class Body>
Result<T> open(Source source, std::span<const std::uint8_t> bytes, std::size_t most, const char* what,
               const Body& body) {
  return guarded<T>(source, what, [&](Reader& reader) -> T {
    if (bytes.size() > most)
      reader.refuse(ErrorKind::kExhausted, "expected at most " + std::to_string(most) + " bytes, found " +
                                               std::to_string(bytes.size()));
    const auto words = aligned_words(bytes);
    if (words.size() == 0)
      reader.refuse(ErrorKind::kInvalid,
                    "not a Cap'n Proto message (" + std::to_string(bytes.size()) + " bytes)");
    if (!reader.ok()) return T{};
    // Twice the size: a message may be walked twice, pointers that overlap to inflate it may not.
    capnp::FlatArrayMessageReader message(words, {2 * words.size() + 1024, kMaxNesting});
    return body(reader, message.getRoot<Root>());
  });
}
// The same with the codec of T.
template <class Root, class T>
Result<T> decode(Source source, std::span<const std::uint8_t> bytes, std::size_t most, const char* what) {
  return open<Root, T>(source, bytes, most, what, [](Reader& reader, typename Root::Reader root) {
    T value{};
    read(reader, root, value);
    return value;
  });
}

// The message with its segment table (https://capnproto.org/encoding.html#serialization-over-a-stream): the number of
// segments less one, their words, padded to whole words.
template <class Buffer>  // Bytes or std::string
Buffer flat_bytes(capnp::MessageBuilder& message) {
  const auto segments = message.getSegmentsForOutput();
  std::vector<std::uint32_t> table{static_cast<std::uint32_t>(segments.size() - 1)};
  for (const auto& segment : segments) table.push_back(static_cast<std::uint32_t>(segment.size()));
  if (table.size() % 2 != 0) table.push_back(0);
  Buffer flat;
  flat.reserve(capnp::computeSerializedSizeInWords(segments) * sizeof(capnp::word));
  const auto append = [&flat](const void* bytes, std::size_t size) {
    const auto* begin = static_cast<const typename Buffer::value_type*>(bytes);
    flat.insert(flat.end(), begin, begin + size);
  };
  append(table.data(), table.size() * sizeof(std::uint32_t));
  for (const auto& segment : segments) append(segment.begin(), segment.size() * sizeof(capnp::word));
  return flat;
}

// A builder whose first segment is the thread's own, or allocated where that is in use or too small. Cap'n Proto
// leaves a segment zeroed, as the next message wants it, and clears no more of it than was written.
class Building {
 public:
  static constexpr std::size_t kSegmentBytes = std::size_t{8} << 10;
  explicit Building(std::size_t segment = kSegmentBytes);
  Building(const Building&) = delete;
  Building& operator=(const Building&) = delete;
  ~Building();
  capnp::MallocMessageBuilder& message() { return *message_; }

 private:
  const bool lent_;
  std::optional<capnp::MallocMessageBuilder> message_;
};

// A flat message of one value. What lies beyond the first segment costs up to 16 bytes more for each text and list
// (far pointers and their landing pads): a `segment` of the whole message's bytes makes its size predictable.
template <class Root, class Buffer = Bytes, class T>
Buffer encode(Source source, const T& value, std::size_t segment = Building::kSegmentBytes) {
  Building building(segment);
  Writer writer(source);
  write(writer, building.message().initRoot<Root>(), value);
  return flat_bytes<Buffer>(building.message());
}

}  // namespace rushes::records
