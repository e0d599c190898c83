#include "store/segment_format.hpp"

#include <algorithm>
#include <cstring>

#ifdef SLUICE_XXH_DISPATCH
  // The same sums with the widest instructions that the CPU has: 4 x as fast.
  #include <xxh_x86dispatch.h>
#else
  #include <xxhash.h>
#endif

#include "store/block_summary.hpp"
#include "store/little_endian.hpp"

namespace sluice {

namespace {

constexpr std::string_view file_magic = "sluicelg";
constexpr std::string_view store_magic = "sluiceid";
constexpr std::uint32_t batch_magic = 0x48435442; // "BTCH"
constexpr std::size_t file_sum_at = file_header_size - 8;
constexpr std::size_t batch_sum_at = batch_header_size - 8;
constexpr std::size_t store_file_size = 40;
constexpr std::size_t manifest_fixed = 48;
constexpr std::size_t manifest_entry = 24;
// What a manifest begins with.
constexpr std::size_t manifest_state = 40;

std::uint64_t sum(std::string_view bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint64_t sum(const std::vector<std::string_view>& parts,
                  std::uint64_t seed) {
  if (parts.size() == 1)
    return sum(parts.front(), seed);
  auto* state = XXH3_createState();
  XXH3_64bits_reset_withSeed(state, seed);
  for (const auto& part : parts)
    XXH3_64bits_update(state, part.data(), part.size());
  auto result = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return result;
}

std::uint64_t seed_of(const batch_place& place) noexcept {
  char bytes[32];
  std::memcpy(bytes, place.uuid.data(), 16);
  std::memcpy(bytes + 16, &place.segment, 8);
  std::memcpy(bytes + 24, &place.offset, 8);
  return sum({bytes, sizeof(bytes)}, 0);
}

std::string newer(std::uint64_t found) {
  return "format " + std::to_string(found) + ", this program knows "
         + std::to_string(segment_format);
}

} // namespace

// -- file header --------------------------------------------------------------

std::string encode(const file_header& header) {
  auto result = std::string(file_header_size, '\0');
  std::copy(file_magic.begin(), file_magic.end(), result.begin());
  store(result, 8, header.version);
  store(result, 12, static_cast<std::uint32_t>(file_header_size));
  std::memcpy(result.data() + 16, header.uuid.data(), 16);
  store(result, 32, header.segment);
  store(result, 40, header.first.value);
  store(result, 48, header.last.value);
  store(result, 56, static_cast<std::uint64_t>(header.begun.count()));
  store(result, file_sum_at,
        sum(std::string_view{result}.substr(0, file_sum_at), header.segment));
  return result;
}

expected<file_header> decode_file_header(std::string_view bytes) {
  if (bytes.size() < file_header_size)
    return fail(errc::log_corrupt, "file header is cut");
  auto result = file_header{};
  result.version = load<std::uint32_t>(bytes, 8);
  std::memcpy(result.uuid.data(), bytes.data() + 16, 16);
  result.segment = load<std::uint64_t>(bytes, 32);
  result.first = {load<std::uint64_t>(bytes, 40)};
  result.last = {load<std::uint64_t>(bytes, 48)};
  result.begun = std::chrono::seconds{load<std::int64_t>(bytes, 56)};
  if (bytes.substr(0, 8) != file_magic
      || sum(bytes.substr(0, file_sum_at), result.segment)
           != sum_of_file_header(bytes))
    return fail(errc::log_corrupt, "file header");
  // After the sum: a flipped bit must not look like a newer format.
  if (result.version > segment_format)
    return fail(errc::log_format_newer, newer(result.version));
  return result;
}

std::uint64_t sum_of_file_header(std::string_view bytes) noexcept {
  return load<std::uint64_t>(bytes, file_sum_at);
}

std::string encode_store_file(const store_uuid& uuid) {
  auto result = std::string{store_magic};
  put(result, segment_format);
  put(result, std::uint32_t{0});
  result.append(reinterpret_cast<const char*>(uuid.data()), uuid.size());
  put(result, sum(result, 0));
  return result;
}

expected<store_uuid> decode_store_file(std::string_view bytes) {
  if (bytes.size() != store_file_size || bytes.substr(0, 8) != store_magic
      || sum(bytes.substr(0, 32), 0) != load<std::uint64_t>(bytes, 32))
    return fail(errc::log_corrupt, "the store's identity");
  if (auto version = load<std::uint32_t>(bytes, 8); version > segment_format)
    return fail(errc::log_format_newer, newer(version));
  auto result = store_uuid{};
  std::memcpy(result.data(), bytes.data() + 16, 16);
  return result;
}

// -- batches ------------------------------------------------------------------

std::string encode(batch_header& header, const batch_place& place,
                   const std::vector<std::string_view>& payload) {
  auto seed = seed_of(place);
  std::size_t size = 0;
  for (const auto& part : payload)
    size += part.size();
  header.payload_size = static_cast<std::uint32_t>(size);
  header.payload_sum = sum(payload, seed);
  auto result = std::string(batch_header_size, '\0');
  store(result, 0, batch_magic);
  store(result, 4, static_cast<std::uint16_t>(batch_header_size));
  store(result, 6, static_cast<std::uint16_t>(header.kind));
  store(result, 8, header.flags);
  store(result, 12, header.payload_size);
  store(result, 16, header.rows);
  store(result, 20, header.ends);
  store(result, 24, header.first.value);
  store(result, 32, header.last.value);
  store(result, 40, header.resolved.value);
  store(result, 48, header.durable_before.value);
  store(result, 56, header.previous_sum);
  store(result, 64, header.payload_sum);
  header.header_sum = sum(std::string_view{result}.substr(0, batch_sum_at),
                          seed);
  store(result, batch_sum_at, header.header_sum);
  return result;
}

expected<batch_header> decode_batch_header(std::string_view bytes,
                                           const batch_place& place) {
  if (bytes.size() < batch_header_size
      || load<std::uint32_t>(bytes, 0) != batch_magic
      || load<std::uint64_t>(bytes, batch_sum_at)
           != sum(bytes.substr(0, batch_sum_at), seed_of(place)))
    return fail(errc::log_corrupt, "batch header");
  auto result = batch_header{};
  auto kind = load<std::uint16_t>(bytes, 6);
  result.kind = static_cast<batch_kind>(kind);
  result.flags = load<std::uint32_t>(bytes, 8);
  result.payload_size = load<std::uint32_t>(bytes, 12);
  result.rows = load<std::uint32_t>(bytes, 16);
  result.ends = load<std::uint32_t>(bytes, 20);
  result.first = {load<std::uint64_t>(bytes, 24)};
  result.last = {load<std::uint64_t>(bytes, 32)};
  result.resolved = {load<std::uint64_t>(bytes, 40)};
  result.durable_before = {load<std::uint64_t>(bytes, 48)};
  result.previous_sum = load<std::uint64_t>(bytes, 56);
  result.payload_sum = load<std::uint64_t>(bytes, 64);
  result.header_sum = load<std::uint64_t>(bytes, batch_sum_at);
  auto known = kind >= static_cast<std::uint16_t>(batch_kind::rows)
               && kind <= static_cast<std::uint16_t>(batch_kind::chunk);
  if (load<std::uint16_t>(bytes, 4) != batch_header_size || !known
      || (result.flags & must_understand) != 0)
    return fail(errc::log_format_newer, "batch of kind " + std::to_string(kind)
                                          + " with flags "
                                          + std::to_string(result.flags));
  return result;
}

std::uint64_t checksum(const batch_place& place, std::string_view bytes) {
  return sum(bytes, seed_of(place));
}

bool payload_is_intact(const batch_header& header, const batch_place& place,
                       const std::vector<std::string_view>& payload) {
  return sum(payload, seed_of(place)) == header.payload_sum;
}

std::string encode_ends(const std::vector<std::uint32_t>& ends) {
  auto result = std::string(ends.size() * 4, '\0');
  if (!ends.empty())
    std::memcpy(result.data(), ends.data(), result.size());
  return result;
}

namespace {

expected<std::vector<std::uint32_t>> decode_ends(const batch_header& header,
                                                 std::string_view bytes) {
  if (bytes.size() / 4 < header.ends)
    return fail(errc::log_corrupt, "end marks of a batch");
  auto result = std::vector<std::uint32_t>(header.ends);
  if (!result.empty())
    std::memcpy(result.data(), bytes.data(), result.size() * 4);
  return result;
}

} // namespace

expected<block_ptr> decode_rows(const batch_header& header,
                                std::string payload) {
  auto ends = payload.substr(0, header.ends * std::size_t{4});
  payload.erase(0, ends.size());
  return decode_rows(header, ends, std::move(payload));
}

expected<block_ptr> decode_rows(const batch_header& header,
                                std::string_view ends, std::string rows) {
  auto marks = decode_ends(header, ends);
  if (!marks)
    return tl::unexpected{std::move(marks.error())};
  auto result = row_block::parse(std::move(rows), std::move(*marks));
  if (!result)
    return fail(errc::log_corrupt, std::move(result.error().detail));
  if ((*result)->rows() != header.rows || (*result)->empty())
    return fail(errc::log_corrupt, "row count of a batch");
  return result;
}

expected<block_summary> survey_rows(const batch_header& header,
                                    std::string_view payload) {
  auto ends = decode_ends(header, payload);
  if (!ends)
    return tl::unexpected{std::move(ends.error())};
  auto rows = payload.substr(ends->size() * 4);
  auto places = locate_rows(rows);
  if (!places)
    return fail(errc::log_corrupt, std::move(places.error().detail));
  if (places->offsets.size() != header.rows || header.rows == 0)
    return fail(errc::log_corrupt, "row count of a batch");
  if (!are_ends(*ends, header.rows))
    return fail(errc::log_corrupt, "end marks of a batch");
  return summarize(rows, *places, *ends);
}

// -- manifest -----------------------------------------------------------------

std::string encode(const log_state& x) {
  auto result = std::string{};
  put(result, x.last_closed.value);
  put(result, x.resolved.value);
  put(result, x.complete_to.commit_ts.value);
  put(result, x.complete_to.start_ts.value);
  put(result, x.complete_to.position);
  return result;
}

expected<log_state> decode_state(std::string_view payload) {
  if (payload.size() < manifest_state)
    return fail(errc::log_corrupt, "state");
  auto number = [&](std::size_t at) {
    return load<std::uint64_t>(payload, at);
  };
  return log_state{
    {number(0)}, {{number(16)}, {number(24)}, number(32)}, {number(8)}};
}

std::string encode(const manifest& x) {
  auto result = encode(x.state);
  put(result, static_cast<std::uint64_t>(x.segments.size()));
  for (const auto& segment : x.segments) {
    put(result, segment.number);
    put(result, segment.first.value);
    put(result, segment.last.value);
  }
  return result;
}

expected<manifest> decode_manifest(std::string_view payload) {
  if (payload.size() < manifest_fixed
      || (payload.size() - manifest_fixed) % manifest_entry != 0
      || load<std::uint64_t>(payload, 40)
           != (payload.size() - manifest_fixed) / manifest_entry)
    return fail(errc::log_corrupt, "manifest");
  auto number = [&](std::size_t at) {
    return load<std::uint64_t>(payload, at);
  };
  auto result = manifest{*decode_state(payload), {}};
  for (auto at = manifest_fixed; at < payload.size(); at += manifest_entry)
    result.segments.push_back(
      {number(at), {number(at + 8)}, {number(at + 16)}});
  return result;
}

} // namespace sluice
