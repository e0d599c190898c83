#include "store/segment_scan.hpp"

#include <fmt/format.h>

#include "store/window_format.hpp"

namespace sluice {

namespace {

// Walks over the bytes of one file.
struct scanner {
  std::string_view bytes;
  store_uuid uuid;
  scanned_segment& result;
  std::optional<std::uint64_t> previous_sum = {}; // none: it cannot be read
  std::optional<std::uint64_t> unread = {};

  // Takes the batch at `at`; 0 when there is none, else the offset after it.
  expected<std::uint64_t> take(std::uint64_t at) {
    auto place = batch_place{uuid, result.number, at};
    auto header = decode_batch_header(bytes.substr(at), place);
    if (!header && header.error().code == errc::log_format_newer)
      return fail(
        errc::log_format_newer,
        fmt::format("{}: byte {}: {}", result.path, at, header.error().detail));
    if (!header)
      return 0;
    auto left = bytes.size() - at - batch_header_size;
    auto intact = header->payload_size <= left
                  && payload_is_intact(*header, place, payload_at(at, *header));
    auto found = found_batch{at, *header, intact, {}, {}, {}, unread};
    if (intact && header->kind == batch_kind::mark)
      take_mark(found);
    // A lone manifest is believed: it was written.
    found.sound = intact
                  && header->previous_sum
                       == previous_sum.value_or(header->previous_sum);
    if (found.sound && has_rows(header->kind))
      take_rows(found);
    previous_sum = header->header_sum;
    unread.reset();
    result.batches.push_back(std::move(found));
    return at
           + (header->payload_size <= left ? header->extent()
                                           : batch_alignment);
  }

  void take_mark(found_batch& found) {
    auto payload = payload_at(found.offset, found.header);
    if (auto listing = decode_manifest(payload))
      found.listing = std::move(*listing);
    if (auto state = decode_state(payload))
      found.state = *state;
  }

  void take_rows(found_batch& found) {
    auto payload = payload_at(found.offset, found.header);
    auto place = batch_place{uuid, result.number, found.offset};
    auto block = found.header.kind == batch_kind::window
                   ? decode_window(found.header, place, payload)
                   : decode_rows(found.header, std::string{payload});
    found.sound = block.has_value();
    if (block)
      found.summary = summarize(**block);
  }

  std::string_view payload_at(std::uint64_t at, const batch_header& header) {
    return bytes.substr(at + batch_header_size, header.payload_size);
  }

  status run() {
    std::uint64_t at = file_header_size;
    while (at < bytes.size()) {
      auto next = take(at);
      if (!next)
        return tl::unexpected{std::move(next.error())};
      if (*next == 0) {
        previous_sum.reset();
        unread = unread.value_or(at);
      }
      at = *next == 0 ? at + batch_alignment : *next;
    }
    result.unread_at_end = unread;
    return {};
  }
};

} // namespace

expected<scanned_segment> scan_segment(const open_file& file,
                                       std::uint64_t number,
                                       const store_uuid& uuid) {
  auto size = file.size();
  if (!size)
    return tl::unexpected{std::move(size.error())};
  auto bytes = file.read(0, *size);
  if (!bytes)
    return tl::unexpected{std::move(bytes.error())};
  auto result = scanned_segment{number, file.path(), *size, {}, {}, {}};
  auto header = decode_file_header(*bytes);
  if (!header && header.error().code == errc::log_format_newer)
    return fail(errc::log_format_newer,
                file.path() + ": " + header.error().detail);
  if (header && header->uuid != uuid)
    return fail(errc::log_corrupt, file.path() + ": is of another store");
  auto run = scanner{*bytes, uuid, result};
  if (header && header->segment == number) {
    result.header = *header;
    run.previous_sum = sum_of_file_header(*bytes);
  }
  if (auto done = run.run(); !done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

} // namespace sluice
