#include "store/segment_scan.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "store/window_format.hpp"

namespace sluice {

namespace {

// What is read at once, if a batch is not larger. Little: what is read is
// looked at while it is in the cache of the processor.
constexpr std::uint64_t chunk_bytes = 64 << 10;

// A file from its front to its back, through one buffer.
class forward_reader {
public:
  forward_reader(const open_file& file, std::uint64_t size)
    : file_{file}, size_{size} {
    // nop
  }

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// Up to `count` bytes from `at` on, fewer only at the end of the file; valid
  /// until the next call.
  expected<std::string_view> take(std::uint64_t at, std::uint64_t count) {
    count = std::min(count, size_ - at);
    if (at < begin_ || at + count > begin_ + filled_)
      if (auto done = fill(at, count); !done)
        return tl::unexpected{std::move(done.error())};
    return std::string_view{buffer_}.substr(at - begin_, count);
  }

private:
  status fill(std::uint64_t at, std::uint64_t count) {
    auto kept = std::uint64_t{0};
    if (at >= begin_ && at < begin_ + filled_)
      kept = begin_ + filled_ - at;
    if (kept > 0 && at != begin_)
      std::memmove(buffer_.data(), buffer_.data() + (at - begin_), kept);
    auto wanted = std::min(std::max(count, chunk_bytes), size_ - at);
    if (buffer_.size() < wanted)
      buffer_.resize(wanted);
    begin_ = at;
    filled_ = kept;
    auto done = file_.read_into(buffer_.data() + kept, at + kept,
                                wanted - kept);
    filled_ = done ? wanted : 0;
    return done;
  }

  const open_file& file_;
  std::uint64_t size_;
  std::string buffer_; // bytes [begin_, begin_ + filled_) of the file
  std::uint64_t begin_ = 0;
  std::uint64_t filled_ = 0;
};

// Walks over the batches of one file.
struct scanner {
  forward_reader& file;
  store_uuid uuid;
  scanned_segment& result;
  std::optional<std::uint64_t> previous_sum = {}; // none: it cannot be read
  std::optional<std::uint64_t> unread = {};

  // Takes the batch at `at`; 0 when there is none, else the offset after it.
  expected<std::uint64_t> take(std::uint64_t at) {
    auto head = file.take(at, batch_header_size);
    if (!head)
      return tl::unexpected{std::move(head.error())};
    auto place = batch_place{uuid, result.number, at};
    auto header = decode_batch_header(*head, place);
    if (!header && header.error().code == errc::log_format_newer)
      return fail(
        errc::log_format_newer,
        fmt::format("{}: byte {}: {}", result.path, at, header.error().detail));
    if (!header)
      return 0;
    auto left = file.size() - at - batch_header_size;
    auto whole = header->payload_size <= left;
    auto batch = file.take(at, batch_header_size
                                 + (whole ? header->payload_size : 0));
    if (!batch)
      return tl::unexpected{std::move(batch.error())};
    auto payload = batch->substr(batch_header_size);
    auto intact = whole && payload_is_intact(*header, place, {payload});
    auto found = found_batch{at, *header, intact, {}, {}, {}, unread, {}, {}};
    if (intact && header->kind == batch_kind::mark)
      take_mark(found, payload);
    // A lone manifest is believed: it was written.
    found.sound = intact
                  && header->previous_sum
                       == previous_sum.value_or(header->previous_sum);
    if (found.sound && has_rows(header->kind))
      take_rows(found, place, payload);
    previous_sum = header->header_sum;
    unread.reset();
    result.batches.push_back(std::move(found));
    return at + (whole ? header->extent() : batch_alignment);
  }

  static void take_mark(found_batch& found, std::string_view payload) {
    if (auto listing = decode_manifest(payload))
      found.listing = std::move(*listing);
    if (auto state = decode_state(payload))
      found.state = *state;
  }

  static void take_rows(found_batch& found, const batch_place& place,
                        std::string_view payload) {
    if (found.header.kind == batch_kind::spool_reference)
      return take_reference(found, payload);
    auto summary = found.header.kind == batch_kind::window
                     ? survey_window(found.header, place, payload)
                     : survey_rows(found.header, payload);
    found.sound = summary.has_value();
    if (summary)
      found.summary = std::move(*summary);
  }

  // Whether its blocks are there, expand_references finds out.
  static void take_reference(found_batch& found, std::string_view payload) {
    auto reference = decode_reference(payload);
    auto blocks = found.header.last.value - found.header.first.value + 1;
    found.sound = reference && reference->chunks.size() == blocks;
    if (found.sound)
      found.reference = std::make_shared<const spool_reference>(
        std::move(*reference));
  }

  status run() {
    std::uint64_t at = file_header_size;
    while (at < file.size()) {
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
  auto reader = forward_reader{file, *size};
  auto head = reader.take(0, file_header_size);
  if (!head)
    return tl::unexpected{std::move(head.error())};
  auto result = scanned_segment{number, file.path(), *size, {}, {}, {}};
  auto header = decode_file_header(*head);
  if (!header && header.error().code == errc::log_format_newer)
    return fail(errc::log_format_newer,
                file.path() + ": " + header.error().detail);
  if (header && header->uuid != uuid)
    return fail(errc::log_corrupt, file.path() + ": is of another store");
  auto run = scanner{reader, uuid, result};
  if (header && header->segment == number) {
    result.header = *header;
    run.previous_sum = sum_of_file_header(*head);
  }
  if (auto done = run.run(); !done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

} // namespace sluice
