#include "tools/parity/parity.h"

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

namespace rushes::parity {

using worker::StoredTensor;
using worker::StoredType;
using worker::TensorFile;

Result<double> meta_number(const TensorFile& file, const std::string& key) {
  const auto broken = [&](const std::string& found) {
    return fail(ErrorKind::kCorrupt,
                file.path() + ": metadata '" + key + "': expected a number, found " + found);
  };
  if (const auto text = file.meta(key)) {
    char* end = nullptr;
    const double value = std::strtod(text->c_str(), &end);
    if (text->empty() || *end || !std::isfinite(value)) return broken("'" + *text + "'");
    return value;
  }
  const auto config = file.meta("config");
  if (!config) return broken("nothing");
  const auto json = nlohmann::json::parse(*config, nullptr, false);
  if (!json.is_object() || !json.contains(key) || !json[key].is_number())
    return broken("nothing in its config");
  return json[key].get<double>();
}

Result<std::int64_t> meta_integer(const TensorFile& file, const std::string& key) {
  auto value = meta_number(file, key);
  if (!value) return tl::unexpected(value.error());
  if (*value != std::floor(*value) || std::abs(*value) > 1e9)
    return fail(ErrorKind::kCorrupt, file.path() + ": metadata '" + key + "': expected an integer, found " +
                                         std::to_string(*value));
  return static_cast<std::int64_t>(*value);
}

Result<std::int64_t> head_dim(const TensorFile& file) {
  if (auto value = meta_integer(file, "head_dim")) return value;
  auto dim = meta_integer(file, "dim"), heads = meta_integer(file, "num_heads");
  if (!dim) return dim;
  if (!heads) return heads;
  if (*heads < 1 || *dim % *heads)
    return fail(ErrorKind::kCorrupt, file.path() + ": num_heads does not divide dim");
  return *dim / *heads;
}

Result<worker::Volume> volume(const TensorFile& file, const std::string& name) {
  auto tensor = file.get(name);
  if (!tensor) return tl::unexpected(tensor.error());
  const auto& shape = (*tensor)->shape;
  if (shape.size() != 4 || (*tensor)->count() < 1)
    return fail(ErrorKind::kCorrupt, file.path() + ": tensor '" + name + "': expected [C, T, H, W], found " +
                                         worker::shape_text(shape));
  return worker::Volume{shape[0], shape[1], shape[2], shape[3], *file.floats(name)};
}

Outputs recompute(const TensorFile& file, const Engine& engine) {
  const std::string kind = file.meta("kind").value_or("");
  if (kind == "dit_t2v" || kind == "dit_i2v" || kind == "dit_vace" || kind == "dit_ti2v")
    return recompute_dit(file, engine);
  if (kind == "cross_attn_i2v") return recompute_cross_attention(file, engine);
  if (kind == "cfg_sample") return recompute_cfg_sample(file, engine);
  if (kind == "vae21" || kind == "vae22") return recompute_vae(file, engine);
  if (kind == "umt5") return recompute_umt5(file, engine);
  if (kind == "schedulers") return recompute_schedulers(file, engine);
  if (kind.empty())
    return fail(ErrorKind::kInvalid, file.path() + ": no 'kind' in its metadata: not a golden file");
  return fail(ErrorKind::kInvalid, file.path() + ": kind '" + kind + "' not supported yet");
}

namespace {

Compared compare_one(const std::string& name, const std::vector<float>& expected, const Output& output) {
  Compared result{name, 0, output.tolerance, false, ""};
  if (output.values.size() != expected.size()) {
    result.relative_l2 = std::nan("");
    result.note = "expected " + std::to_string(expected.size()) + " elements, recomputed " +
                  std::to_string(output.values.size());
    return result;
  }
  auto ranges = output.ranges;
  if (ranges.empty()) ranges.emplace_back(0, expected.size());
  double difference = 0, norm = 0;
  bool equal = true;
  for (const auto& [first, last] : ranges)
    for (std::size_t i = first; i < last; ++i) {
      const double a = output.values[i], b = expected[i];
      equal &= a == b;
      difference += (a - b) * (a - b);
      norm += b * b;
    }
  result.relative_l2 = norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
  result.ok = output.tolerance > 0 ? result.relative_l2 <= output.tolerance : equal;
  if (!result.ok && output.tolerance == 0) result.note = "must be exact";
  return result;
}

}  // namespace

std::vector<Compared> compare(const TensorFile& file, const std::vector<Output>& outputs) {
  std::vector<Compared> results;
  for (const auto& [name, tensor] : file.tensors()) {
    if (!name.starts_with("out.")) continue;
    const Output* found = nullptr;
    for (const Output& output : outputs)
      if (output.name == name) found = &output;
    if (found)
      results.push_back(compare_one(name, *file.floats(name), *found));
    else
      results.push_back({name, std::nan(""), 0, false, "not recomputed"});
  }
  return results;
}

Status dump(const TensorFile& file, const std::vector<Output>& outputs, const std::string& path) {
  std::vector<std::vector<std::int64_t>> integers;  // keeps converted values alive until they are written
  integers.reserve(outputs.size());
  std::vector<worker::TensorToWrite> tensors;
  for (const Output& output : outputs) {
    const StoredTensor* stored = file.find(output.name);
    if (!stored || static_cast<std::size_t>(stored->count()) != output.values.size()) continue;
    if (stored->type == StoredType::kI64) {
      integers.emplace_back(output.values.begin(), output.values.end());
      tensors.push_back(worker::integer_tensor(output.name, stored->shape, integers.back()));
    } else {
      tensors.push_back(worker::float_tensor(output.name, stored->shape, output.values));
    }
  }
  return worker::write_tensor_file(path, std::move(tensors),
                                   {file.metadata().begin(), file.metadata().end()});
}

}  // namespace rushes::parity
