#include <string>

#include "store/segment_format.hpp"
#include "store/spool_format.hpp"
#include "tests/fuzz/fuzz_input.hpp"

// Any bytes as a mark's payload, a batch's header, a file's header and a
// store's identity: they are refused, or they are what their reading encodes
// to. With sums that are put right, or few would pass.

using namespace sluice;
using fuzz::must;

namespace {

constexpr auto place = batch_place{{1, 2, 3}, 4, 4096};

void read_mark(std::string_view bytes) {
  auto state = decode_state(bytes);
  if (state)
    must(encode(*state) == bytes.substr(0, 40));
  auto listing = decode_manifest(bytes);
  if (listing)
    must(state && listing->state == *state && encode(*listing) == bytes);
}

void read_reference(std::string_view bytes) {
  if (auto reference = decode_reference(bytes))
    must(encode(*reference) == bytes);
}

void read_chunk(const batch_header& header, std::string_view payload) {
  auto open = decode_chunk(header, std::string{payload});
  if (open) {
    auto bytes = encode_runs(open->of);
    bytes += open->block->bytes();
    must(bytes == payload);
  }
  auto committed = decode_committed(header, std::string{payload},
                                    {{7}, {6}, {}}, true);
  if (!committed)
    return;
  must((*committed)->closed() && (*committed)->rows() == header.rows);
  must((*committed)->first_cursor().commit_ts == timestamp{7});
}

void read_batch(std::string_view bytes) {
  auto header = decode_batch_header(bytes, place);
  if (header)
    must(header->extent() % batch_alignment == 0);
  auto in = fuzz::input{reinterpret_cast<const std::uint8_t*>(bytes.data()),
                        bytes.size()};
  auto x = batch_header{};
  x.kind = in.take<batch_kind>();
  x.flags = in.take<std::uint32_t>();
  x.rows = in.take<std::uint32_t>();
  x.ends = in.take<std::uint32_t>();
  x.first = {in.take<std::uint64_t>()};
  x.last = {in.take<std::uint64_t>()};
  x.resolved = {in.take<std::uint64_t>()};
  x.durable_before = {in.take<std::uint64_t>()};
  auto encoded = encode(x, place, {in.rest()});
  auto again = decode_batch_header(encoded, place);
  if (!again) {
    must(again.error().code == errc::log_format_newer);
    return;
  }
  must(payload_is_intact(*again, place, {in.rest()}));
  must(encode(*again, place, {in.rest()}) == encoded);
  (void) decode_rows(*again, std::string{in.rest()});
  read_chunk(*again, in.rest());
}

void read_file_header(std::string_view bytes) {
  auto in = fuzz::input{reinterpret_cast<const std::uint8_t*>(bytes.data()),
                        bytes.size()};
  auto x = file_header{in.take<std::uint32_t>(),
                       in.take<store_uuid>(),
                       in.take<std::uint64_t>(),
                       {in.take<std::uint64_t>()}};
  auto encoded = encode(x);
  auto again = decode_file_header(encoded);
  must(again.has_value() == (x.version <= segment_format));
  if (again)
    must(encode(*again) == encoded);
  // One byte of it otherwise is never taken for another header.
  auto at = in.take<std::uint16_t>() % encoded.size();
  auto other = static_cast<char>(in.take<std::uint8_t>());
  if (other == encoded[at])
    return;
  encoded[at] = other;
  auto damaged = decode_file_header(encoded);
  must(!damaged && damaged.error().code == errc::log_corrupt);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  auto bytes = std::string_view{reinterpret_cast<const char*>(data), size};
  read_mark(bytes);
  read_reference(bytes);
  read_batch(bytes);
  read_file_header(bytes);
  if (auto uuid = decode_store_file(bytes))
    must(encode_store_file(*uuid) == bytes);
  return 0;
}
