#include "worker/model/safetensors_header.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace rushes::worker {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxName = 1024;

std::optional<StoredType> type_named(const std::string& name) {
  for (StoredType type : {StoredType::kF32, StoredType::kF16, StoredType::kBF16, StoredType::kF64,
                          StoredType::kI64, StoredType::kI32, StoredType::kU8, StoredType::kBool})
    if (name == stored_name(type)) return type;
  return std::nullopt;
}

// What is common to both documents: values of a kind that no key expects are refused with one message.
class StrictSax : public nlohmann::json_sax<Json> {
 public:
  std::string error;

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a boolean"); }
  bool number_integer(number_integer_t value) override { return refuse(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return refuse(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return refuse("number " + text); }
  bool string(string_t&) override { return refuse("a string"); }
  bool binary(binary_t&) override { return refuse("binary"); }
  bool start_array(std::size_t) override { return refuse("an array"); }
  bool end_array() override { return true; }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    error = "the JSON is broken at byte " + std::to_string(position);
    return false;
  }

 protected:
  std::string where_ = "top level";

  bool stop(std::string text) {
    error = std::move(text);
    return false;
  }
  bool refuse(const std::string& found) {
    return stop(where_ + ": expected " + wanted() + ", found " + found);
  }
  virtual std::string wanted() const = 0;
};

class HeaderSax : public StrictSax {
 public:
  Header header;

  bool start_object(std::size_t) override {
    if (depth_ == 0 || (depth_ == 1 && (in_metadata_ || !entry_.name.empty()))) {
      ++depth_;
      return true;
    }
    return refuse("an object");
  }

  bool key(std::string& name) override {
    if (name.size() > kMaxName) return stop("a name is longer than 1024 bytes");
    if (depth_ == 1) return top_key(name);
    if (!fields_.insert(name).second) return stop(where_ + ": key '" + name + "' appears twice");
    field_ = name;
    if (!in_metadata_ && name != "dtype" && name != "shape" && name != "data_offsets")
      return stop(where_ + ": unknown key '" + name + "', expected dtype, shape or data_offsets");
    return true;
  }

  bool string(std::string& value) override {
    if (depth_ == 2 && in_metadata_) {
      header.metadata.emplace(field_, std::move(value));
      return true;
    }
    if (depth_ != 2 || field_ != "dtype") return refuse("a string");
    const auto type = type_named(value);
    if (!type && value.starts_with("F8"))
      return stop(where_ + ": dtype " + value +
                  " (8-bit floats) is not supported; convert it to BF16 or F16");
    if (!type)
      return stop(where_ + ": dtype expected F32, F16, BF16, F64, I64, I32, U8 or BOOL, found '" + value +
                  "'");
    entry_.type = *type;
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || in_array_ || field_ == "dtype") return refuse("an array");
    in_array_ = true;
    return true;
  }

  bool end_array() override {
    in_array_ = false;
    if (field_ == "data_offsets" && offsets_.size() != 2)
      return stop(where_ + ": data_offsets needs two numbers");
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (!in_array_) return refuse(std::to_string(value));
    auto& numbers = field_ == "shape" ? extents_ : offsets_;
    if (numbers.size() == kMaxRank) return stop(where_ + ": " + field_ + " has more than 8 numbers");
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return stop(where_ + ": " + field_ + " " + std::to_string(value) + " is beyond 63 bits");
    numbers.push_back(value);
    return true;
  }

  bool end_object() override {
    if (--depth_ == 0) return true;
    if (!in_metadata_) {
      for (const char* name : {"dtype", "shape", "data_offsets"})
        if (!fields_.contains(name)) return stop(where_ + ": key '" + name + "' is missing");
      entry_.shape.assign(extents_.begin(), extents_.end());
      entry_.begin = offsets_[0];
      entry_.end = offsets_[1];
      header.entries.push_back(std::move(entry_));
      entry_ = {};
    }
    in_metadata_ = false;
    return true;
  }

 protected:
  std::string wanted() const override {
    if (depth_ == 0) return "an object";
    if (depth_ == 1) return "an object";
    if (in_metadata_) return "a string for '" + field_ + "'";
    if (field_ == "dtype") return "a string for 'dtype'";
    return "an array of unsigned integers for '" + field_ + "'";
  }

 private:
  bool top_key(std::string& name) {
    if (!names_.insert(name).second) return stop("tensor '" + name + "' appears twice");
    if (name.empty()) return stop("a tensor has an empty name");
    for (unsigned char c : name)
      if (c < 0x20 || c == 0x7f) return stop("a tensor name holds control characters");
    in_metadata_ = name == kMetadataKey;
    where_ = in_metadata_ ? std::string(kMetadataKey) : "tensor '" + name + "'";
    fields_.clear();
    extents_.clear();
    offsets_.clear();
    field_.clear();
    entry_ = {};
    if (!in_metadata_) entry_.name = name;
    return true;
  }

  int depth_ = 0;
  bool in_metadata_ = false, in_array_ = false;
  std::string field_;
  std::set<std::string> names_, fields_;
  std::vector<std::uint64_t> extents_, offsets_;
  HeaderEntry entry_;
};

class IndexSax : public StrictSax {
 public:
  std::map<std::string, std::string> files;

  bool start_object(std::size_t) override {
    if (depth_ >= 2) return refuse("an object");
    ++depth_;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool key(std::string& name) override {
    if (name.size() > kMaxName) return stop("a name is longer than 1024 bytes");
    (depth_ == 1 ? section_ : name_) = name;
    return true;
  }
  bool string(std::string& value) override {
    if (section_ != "weight_map") return true;  // metadata of other tools
    if (depth_ != 2) return refuse("a string");
    if (value.empty() || value.size() > 255 || value[0] == '.' || value.find('/') != std::string::npos)
      return stop("weight_map '" + name_ + "': expected a file name beside the index, found '" + value + "'");
    if (!files.emplace(name_, value).second) return stop("weight_map: '" + name_ + "' appears twice");
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override { return meta_only(std::to_string(value)); }
  bool number_integer(number_integer_t value) override { return meta_only(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return meta_only(text); }

 protected:
  std::string wanted() const override { return "{\"weight_map\": {tensor: file}}"; }

 private:
  bool meta_only(const std::string& found) { return section_ == "weight_map" ? refuse(found) : true; }

  int depth_ = 0;
  std::string section_, name_;
};

template <typename Sax>
Status run(std::string_view text, Sax& sax) {
  if (!Json::sax_parse(text.begin(), text.end(), &sax))
    return fail(ErrorKind::kCorrupt, sax.error.empty() ? "broken JSON" : sax.error);
  return {};
}

}  // namespace

Result<Header> parse_header(std::string_view text) {
  HeaderSax sax;
  if (auto ok = run(text, sax); !ok) return with_context(ok.error(), "header");
  return std::move(sax.header);
}

Result<std::map<std::string, std::string>> parse_index(std::string_view text) {
  IndexSax sax;
  if (auto ok = run(text, sax); !ok) return with_context(ok.error(), "index");
  if (sax.files.empty()) return fail(ErrorKind::kCorrupt, "index: weight_map is missing or empty");
  return std::move(sax.files);
}

std::string format_header(const std::vector<HeaderEntry>& entries,
                          const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json root = nlohmann::ordered_json::object();
  if (!metadata.empty()) {
    auto& block = root[std::string(kMetadataKey)];
    for (const auto& [key, value] : metadata) block[key] = value;
  }
  for (const HeaderEntry& entry : entries) {
    auto& item = root[entry.name];
    item["dtype"] = stored_name(entry.type);
    item["shape"] = entry.shape;
    item["data_offsets"] = {entry.begin, entry.end};
  }
  return root.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace rushes::worker
