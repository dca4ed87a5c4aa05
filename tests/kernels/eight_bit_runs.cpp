#include "tests/kernels/eight_bit_runs.h"

#include "tests/kernels/device_memory.h"

namespace rushes::kernels::cuda {

namespace {

template <typename T>
std::vector<T> cut(const std::vector<std::byte>& memory, const std::byte* base, const T* from,
                   std::size_t count) {
  std::vector<T> out(count);
  std::memcpy(out.data(), memory.data() + (reinterpret_cast<const std::byte*>(from) - base),
              count * sizeof(T));
  return out;
}

EightBitOperands read_operands(const DeviceVector<std::byte>& memory, const Attention8Arguments& a,
                               const AttentionCase& c, Attention8Form form) {
  const std::vector<std::byte> bytes = memory.values();
  const auto heads = static_cast<std::size_t>(c.batch * c.heads), width = static_cast<std::size_t>(c.width),
             padded = static_cast<std::size_t>(a.padded);
  const std::byte* base = memory.data();
  EightBitOperands o;
  o.q = cut(bytes, base, a.q, c.q.size());
  o.k = cut(bytes, base, a.k, c.k.size());
  o.q_scale = cut(bytes, base, a.q_scale, heads * static_cast<std::size_t>(c.lq));
  o.k_scale = cut(bytes, base, a.k_scale, heads * padded / kKeyGroup);
  if (form == kValuesBf16) return o;
  o.v = cut(bytes, base, a.v, heads * width * padded);
  o.v_scale = cut(bytes, base, a.v_scale, heads * width);
  return o;
}

}  // namespace

EightBitResult run_eight_bit(DeviceApi& api, const AttentionCase& c, Attention8Form form, bool hopper) {
  Queue queue(api);
  const DeviceVector<std::uint16_t> q(queue, c.q), k(queue, c.k), v(queue, c.v),
      y(queue, std::vector<std::uint16_t>(c.q.size(), 0x7fc0));  // NaN where nothing is written
  const DeviceVector<std::int32_t> first(queue, c.plan.first), tile(queue, c.plan.tile);
  const DeviceVector<float> log_sum(
      queue, std::vector<float>(static_cast<std::size_t>(c.batch * c.heads * c.lq), std::nanf("")));
  AttentionArguments a{q.data(), k.data(), v.data(), y.data(), c.heads, c.lq, c.lk, c.scale};
  a.query_tile = c.listed ? static_cast<int>(c.plan.query_tile) : c.lq;
  a.key_tile = c.listed ? static_cast<int>(c.plan.key_tile) : c.lk;
  if (c.listed) a.first = first.data(), a.tile = tile.data();
  a.log_sum = log_sum.data();
  const DeviceVector<std::byte> memory(
      queue, std::vector<std::byte>(attention8_bytes(form, a, c.batch, c.width), std::byte{0xff}));
  check(api, launch_quantise(api, queue.stream, form, a, c.batch, c.width, memory.data()), "quantise");
  if (hopper && !hopper_attention8_takes(a, c.width))
    throw DeviceFault(kInvalidValue, "the Hopper kernel does not take this case");
  check(api,
        hopper ? launch_hopper_attention8(api, queue.stream, a, c.batch, memory.data())
               : launch_attention8(api, queue.stream, form, a, c.batch, c.width, memory.data()),
        "attention_s8");
  EightBitResult result;
  result.error = api.stream_synchronize(queue.stream);
  if (result.error) return result;
  result.operands =
      read_operands(memory, attention8_arguments(form, a, c.batch, c.width, memory.data()), c, form);
  for (const std::uint16_t bits : y.values()) result.y.push_back(bf16_to_float(bits));
  result.log_sum = log_sum.values();
  return result;
}

EightBitShape eight_bit_shape(const AttentionCase& c) {
  return {c.batch, c.heads, c.lq, c.lk, c.width, c.scale};
}
EightBitOperands quantise(const AttentionCase& c) {
  return kernels::quantise(eight_bit_shape(c), c.q.data(), c.k.data(), c.v.data());
}
std::vector<float> attend(const AttentionCase& c, const EightBitOperands& operands) {
  return kernels::attend(eight_bit_shape(c), operands, c.listed ? &c.plan : nullptr);
}

AttentionCase outlier_case(int width, int lq, int lk, int key_tile) {
  AttentionCase c;
  c.width = width, c.heads = 2, c.lq = lq, c.lk = lk;
  c.key_bias = 8.0f, c.value_bias = 0.25f;
  c.listed = key_tile > 0, c.plan.query_tile = 64, c.plan.key_tile = key_tile;
  complete(c, 7);
  return c;
}

}  // namespace rushes::kernels::cuda
