// Safetensors files: what is written is read back, and no broken file is believed or read beyond its end.
#include "worker/model/safetensors.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "tests/worker/model/tiny_model.h"

namespace rushes::worker {
namespace {

using Bytes = std::vector<std::byte>;

// A file from a header text and a number of data bytes.
Bytes file_of(const std::string& header, std::size_t data) {
  Bytes bytes(8 + header.size() + data);
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

std::string error_of(const std::string& header, std::size_t data) {
  auto file = TensorFile::from_bytes(file_of(header, data), "test");
  return file ? "" : file.error().message;
}

Bytes sample() {
  const std::vector<float> a = {1, 2, 3, 4, 5, 6};
  const std::vector<std::int64_t> ids = {7, -8};
  return *write_tensors(
      {float_tensor("b", {2, 3}, a), float_tensor("a", {6}, a), integer_tensor("ids", {2}, ids)},
      {{"kind", "test"}, {"note", "a \"quoted\" line"}});
}

TEST(Safetensors, ReadsWhatItWrites) {
  auto file = TensorFile::from_bytes(sample(), "test");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(*file->floats("b"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(*file->integers("ids"), (std::vector<std::int64_t>{7, -8}));
  EXPECT_EQ(file->find("b")->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file->meta("note"), "a \"quoted\" line");
  EXPECT_FALSE(file->integers("a"));
  EXPECT_NE(file->get("c").error().message.find("'c' is missing"), std::string::npos);
}

TEST(Safetensors, BytesDependOnContentOnly) {
  const std::vector<float> x = {1, 2};
  const std::vector<std::int64_t> n = {3};
  auto one =
      write_tensors({float_tensor("x", {2}, x), integer_tensor("n", {1}, n), float_tensor("a", {2}, x)}, {});
  auto two =
      write_tensors({float_tensor("a", {2}, x), float_tensor("x", {2}, x), integer_tensor("n", {1}, n)}, {});
  EXPECT_EQ(*one, *two);
}

TEST(Safetensors, WidensEveryType) {
  const std::uint16_t bf16[] = {0x3f80, 0xc040};                 // 1, -3
  const std::uint16_t f16[] = {0x3c00, 0x0001, 0xfbff, 0x7c00};  // 1, 2^-24, -65504, inf
  const double f64[] = {0.5};
  const std::uint8_t flags[] = {1, 0};
  auto bytes = write_tensors({{"bf16", StoredType::kBF16, {2}, std::as_bytes(std::span(bf16))},
                              {"f16", StoredType::kF16, {4}, std::as_bytes(std::span(f16))},
                              {"f64", StoredType::kF64, {}, std::as_bytes(std::span(f64))},
                              {"flags", StoredType::kBool, {2}, std::as_bytes(std::span(flags))}},
                             {});
  auto file = TensorFile::from_bytes(*bytes, "test");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(*file->floats("bf16"), (std::vector<float>{1, -3}));
  EXPECT_EQ(*file->floats("f16"),
            (std::vector<float>{1, 0x1p-24f, -65504, std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(*file->floats("f64"), (std::vector<float>{0.5f}));
  EXPECT_EQ(*file->integers("flags"), (std::vector<std::int64_t>{1, 0}));
}

TEST(Safetensors, RefusesWrongHeaders) {
  const auto expect = [](const std::string& header, std::size_t data, const std::string& part) {
    const std::string error = error_of(header, data);
    EXPECT_NE(error.find(part), std::string::npos) << header << "\n-> " << error;
    EXPECT_EQ(error.find('\n'), std::string::npos);
  };
  const std::string ok = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(error_of(ok, 8), "");
  expect(ok, 7, "outside the 7 bytes");
  expect(ok, 9, "behind the last tensor");
  expect(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "needs 8 bytes");
  expect(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "outside");
  expect(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "hole");
  expect(
      R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
      6, "overlap");
  expect(
      R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
      8, "twice");
  expect(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,8]}})", 8,
         "overflows");
  expect(R"({"a":{"dtype":"F32","shape":[9223372036854775807,2],"data_offsets":[0,8]}})", 8, "overflows");
  expect(R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})", 8, "63 bits");
  expect(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8, "found -2");
  expect(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}})", 8, "found number 1.5");
  expect(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4, "more than 8");
  expect(R"({"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})", 4, "8-bit floats");
  expect(R"({"a":{"dtype":"Q4","shape":[4],"data_offsets":[0,4]}})", 4, "found 'Q4'");
  expect(R"({"a":{"dtype":7,"shape":[4],"data_offsets":[0,4]}})", 4, "found 7");
  expect(R"({"a":{"shape":[4],"data_offsets":[0,4]}})", 4, "'dtype' is missing");
  expect(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1}})", 4, "unknown key 'x'");
  expect(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0]}})", 4, "two numbers");
  expect(R"({"a":{"dtype":"U8","shape":[[4]],"data_offsets":[0,4]}})", 4, "found an array");
  expect(R"({"__metadata__":{"a":{"b":"c"}}})", 0, "found an object");
  expect(R"({"__metadata__":{"a":1}})", 0, "found 1");
  expect(R"([])", 0, "found an array");
  expect(R"({"a":)", 0, "broken at byte");
  expect(R"({"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0, "empty name");
  expect(std::string(100000, '['), 0, "found an array");
  expect("{\"__metadata__\":" + std::string(100000, '{'), 0, "JSON");
}

TEST(Safetensors, RefusesWrongLengths) {
  EXPECT_NE(TensorFile::from_bytes(Bytes(5), "x").error().message.find("at least 8"), std::string::npos);
  for (std::uint64_t length : {std::uint64_t{1}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    Bytes bytes(8);
    std::memcpy(bytes.data(), &length, 8);
    EXPECT_NE(TensorFile::from_bytes(bytes, "x").error().message.find("header length"), std::string::npos);
  }
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const Bytes whole = sample();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(TensorFile::from_bytes(std::move(cut), "cut")) << size;
  }
}

// Any change of the header is refused or gives a file whose every tensor can be read inside its bytes.
TEST(Safetensors, MutatedHeadersNeverReadOutside) {
  std::mt19937 random(7);
  const Bytes whole = sample();
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), 8);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    Bytes changed = whole;
    for (int n = 0; n <= round % 3; ++n)
      changed[random() % (8 + header)] = static_cast<std::byte>(
          random() % 3 ? "0123456789[]{},:\"FBI "[random() % 21] : static_cast<char>(random()));
    auto file = TensorFile::from_bytes(std::move(changed), "mutated");
    if (!file) continue;
    ++accepted;
    for (const auto& [name, tensor] : file->tensors()) {
      EXPECT_EQ(tensor.data.size(), static_cast<std::size_t>(tensor.count()) * stored_size(tensor.type));
      EXPECT_TRUE(file->floats(name));
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(Safetensors, RoundTripOfAnyContent) {
  EXPECT_TRUE(rc::check([](const std::map<std::string, std::vector<std::uint8_t>>& content,
                           const std::map<std::string, std::string>& notes) {
    const auto plain = [](const std::string& text) {
      return !text.empty() && text != "__metadata__" &&
             std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    };
    std::vector<TensorToWrite> tensors;
    for (const auto& [name, data] : content)
      if (plain(name))
        tensors.push_back({name,
                           StoredType::kU8,
                           {static_cast<std::int64_t>(data.size())},
                           std::as_bytes(std::span(data))});
    std::map<std::string, std::string> metadata;
    for (const auto& [key, value] : notes)
      if (plain(key) && plain(value)) metadata[key] = value;
    auto bytes = write_tensors(tensors, metadata);
    RC_ASSERT(bytes.has_value());
    auto file = TensorFile::from_bytes(*bytes, "test");
    RC_ASSERT(file.has_value());
    RC_ASSERT(file->tensors().size() == tensors.size());
    RC_ASSERT(file->metadata().size() == metadata.size());
    for (const TensorToWrite& tensor : tensors) {
      const auto found = file->find(tensor.name)->data;
      RC_ASSERT(std::equal(found.begin(), found.end(), tensor.data.begin(), tensor.data.end()));
    }
  }));
}

class Sharded : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = temporary_.path();
    const std::vector<float> x = {1, 2};
    ASSERT_TRUE(write_tensor_file((folder_ / "one.safetensors").string(), {float_tensor("x", {2}, x)}, {}));
    ASSERT_TRUE(write_tensor_file((folder_ / "two.safetensors").string(), {float_tensor("y", {2}, x)}, {}));
  }
  std::string index(const std::string& map) {
    const std::string path = (folder_ / "w.index.json").string();
    std::ofstream(path) << R"({"metadata": {"total_size": 16}, "weight_map": )" << map << "}";
    auto file = TensorFile::open(path);
    return file ? "" : file.error().message;
  }
  TestFolder temporary_;
  std::filesystem::path folder_;
};

TEST_F(Sharded, OpensThroughItsIndex) {
  EXPECT_EQ(index(R"({"x": "one.safetensors", "y": "two.safetensors"})"), "");
  auto file = TensorFile::open((folder_ / "w.index.json").string());
  EXPECT_EQ(*file->floats("y"), (std::vector<float>{1, 2}));
}

TEST_F(Sharded, RefusesWrongIndexes) {
  EXPECT_NE(index(R"({"x": "one.safetensors", "z": "two.safetensors"})").find("'z' expected in"),
            std::string::npos);
  EXPECT_NE(index(R"({"x": "two.safetensors", "y": "one.safetensors"})").find("expected in"),
            std::string::npos);
  EXPECT_NE(index(R"({"x": "one.safetensors", "y": "gone.safetensors"})").find("cannot open"),
            std::string::npos);
  EXPECT_NE(index(R"({"x": "../one.safetensors"})").find("beside the index"), std::string::npos);
  EXPECT_NE(index(R"({"x": 1})").find("found 1"), std::string::npos);
  EXPECT_NE(index("{}").find("empty"), std::string::npos);
}

TEST(Safetensors, MissingFileIsNotFound) {
  auto file = TensorFile::open("/nonexistent.safetensors");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace rushes::worker
