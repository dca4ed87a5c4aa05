// Golden files of the UMT5 encoder.
#include "tools/parity/parity.h"
#include "worker/model/text_encoder.h"

namespace rushes::parity {

using worker::TensorFile;

Outputs recompute_umt5(const TensorFile& file, const Engine& engine) {
  auto encoder = worker::TextEncoder::load(*engine.backend, file);
  if (!encoder) return tl::unexpected(encoder.error());
  auto ids = file.integers("in.ids"), mask = file.integers("in.mask");
  if (!ids) return tl::unexpected(ids.error());
  if (!mask) return tl::unexpected(mask.error());
  const auto& shape = file.find("in.ids")->shape;
  if (shape.size() != 2 || file.find("in.mask")->shape != shape || ids->empty())
    return fail(ErrorKind::kCorrupt, file.path() + ": in.ids and in.mask: expected two equal matrices");
  const auto length = static_cast<std::size_t>(shape[1]),
             width = static_cast<std::size_t>(encoder->sizes().dim);

  const double tolerance = engine.pick(1e-5, 2e-2);
  Output hidden{"out.hidden", {}, tolerance, {}};
  std::vector<Output> outputs;
  for (std::size_t b = 0; b < static_cast<std::size_t>(shape[0]); ++b) {
    std::vector<std::int32_t> row(ids->begin() + static_cast<std::ptrdiff_t>(b * length),
                                  ids->begin() + static_cast<std::ptrdiff_t>((b + 1) * length));
    std::vector<std::int32_t> keys(mask->begin() + static_cast<std::ptrdiff_t>(b * length),
                                   mask->begin() + static_cast<std::ptrdiff_t>((b + 1) * length));
    auto states = encoder->encode(row, keys);
    if (!states) return with_context(states.error(), file.path());
    std::size_t valid = 0;
    while (valid < length && keys[valid]) ++valid;
    hidden.ranges.emplace_back(hidden.values.size(), hidden.values.size() + valid * width);
    hidden.values.insert(hidden.values.end(), states->begin(), states->end());
    states->resize(valid * width);
    outputs.push_back({"out.context" + std::to_string(b), std::move(*states), tolerance, {}});
  }
  outputs.push_back(std::move(hidden));
  if (file.has("in.rel_pos")) {
    auto positions = file.integers("in.rel_pos");
    if (!positions) return tl::unexpected(positions.error());
    Output buckets{"out.rel_bucket", {}, 0, {}};
    for (std::int64_t position : *positions)
      buckets.values.push_back(
          static_cast<float>(worker::relative_bucket(position, encoder->sizes().buckets)));
    outputs.push_back(std::move(buckets));
  }
  return outputs;
}

}  // namespace rushes::parity
