#include "store/spool_format.hpp"

#include <utility>

#include "store/little_endian.hpp"
#include "store/segment_id.hpp"

namespace sluice {

namespace {

constexpr std::size_t reference_fixed = 40;
constexpr std::size_t reference_chunk = 24;
constexpr std::size_t run_size = 12;

// The records behind the runs; empty if there are none.
std::string records_of(const batch_header& header, std::string payload) {
  payload.erase(0, header.ends * run_size);
  return payload;
}

} // namespace

std::string encode(const spool_reference& x) {
  auto result = std::string{};
  result.reserve(reference_fixed + x.chunks.size() * reference_chunk);
  put(result, x.spool);
  put(result, x.commit_ts.value);
  put(result, x.start_ts.value);
  put(result, x.position);
  put(result, static_cast<std::uint64_t>(x.chunks.size()));
  for (const auto& chunk : x.chunks) {
    put(result, chunk.offset);
    put(result, chunk.payload_size);
    put(result, chunk.rows);
    put(result, chunk.header_sum);
  }
  return result;
}

expected<spool_reference> decode_reference(std::string_view payload) {
  auto number = [&](std::size_t at) {
    return load<std::uint64_t>(payload, at);
  };
  if (payload.size() <= reference_fixed
      || (payload.size() - reference_fixed) % reference_chunk != 0
      || number(32) != (payload.size() - reference_fixed) / reference_chunk
      || !is_spool(number(0)))
    return fail(errc::log_corrupt, "reference to a spool file");
  auto result = spool_reference{
    number(0), {number(8)}, {number(16)}, number(24), {}};
  for (auto at = reference_fixed; at < payload.size(); at += reference_chunk)
    result.chunks.push_back({number(at), load<std::uint32_t>(payload, at + 8),
                             load<std::uint32_t>(payload, at + 12),
                             number(at + 16)});
  return result;
}

std::string encode_runs(const std::vector<rows_of_transaction>& x) {
  auto result = std::string{};
  result.reserve(x.size() * run_size);
  for (const auto& run : x) {
    put(result, run.transaction.value);
    put(result, run.rows);
  }
  return result;
}

expected<spooled_rows> decode_chunk(const batch_header& header,
                                    std::string payload) {
  if (payload.size() / run_size < header.ends)
    return fail(errc::log_corrupt, "runs of a chunk");
  auto result = spooled_rows{};
  auto count = std::uint64_t{0};
  for (std::size_t i = 0; i < header.ends; ++i) {
    auto at = i * run_size;
    result.of.push_back({{load<std::uint64_t>(payload, at)},
                         load<std::uint32_t>(payload, at + 8)});
    count += result.of.back().rows;
  }
  auto rows = row_block::parse(records_of(header, std::move(payload)), {});
  if (!rows)
    return fail(errc::log_corrupt, std::move(rows.error().detail));
  if ((*rows)->rows() != header.rows || count != header.rows)
    return fail(errc::log_corrupt, "row count of a chunk");
  result.block = std::move(*rows);
  return result;
}

expected<block_ptr> decode_committed(const batch_header& header,
                                     std::string payload,
                                     const spool_commit& how, bool ends) {
  if (payload.size() / run_size < header.ends)
    return fail(errc::log_corrupt, "runs of a chunk");
  return committed_rows(records_of(header, std::move(payload)), header.rows,
                        how, ends);
}

} // namespace sluice
