#include "store/segment_scan.hpp"

#include <fmt/format.h>

namespace sluice {

namespace {

// Walks over the bytes of one file.
struct scanner {
  std::string_view bytes;
  store_uuid uuid;
  scanned_segment& result;
  std::uint64_t previous_sum = 0;

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
    auto found = found_batch{at, *header, false, {}, {}};
    if (intact && header->kind == batch_kind::mark && header->payload_size > 0)
      if (auto listing = decode_manifest(payload_at(at, *header)))
        found.listing = std::move(*listing);
    found.trusted = intact && !result.damaged_at && result.header
                    && header->previous_sum == previous_sum;
    if (found.trusted && header->kind == batch_kind::rows) {
      auto block = decode_rows(*header, std::string{payload_at(at, *header)});
      found.trusted = block.has_value();
      if (block)
        found.summary = summarize(**block);
    }
    auto trusted = found.trusted;
    result.batches.push_back(std::move(found));
    previous_sum = header->header_sum;
    if (!trusted && !result.damaged_at)
      result.damaged_at = at;
    return at + (intact ? header->extent() : batch_alignment);
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
      if (*next == 0 && !result.damaged_at)
        result.damaged_at = at;
      at = *next == 0 ? at + batch_alignment : *next;
    }
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
  auto run = scanner{*bytes, uuid, result, 0};
  if (header && header->segment == number) {
    result.header = *header;
    run.previous_sum = sum_of_file_header(*bytes);
  } else {
    result.damaged_at = 0;
  }
  if (auto done = run.run(); !done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

// -- judge --------------------------------------------------------------------

namespace {

constexpr auto no_limit = block_index::max();

// One file of the log as the newest manifest has it.
struct candidate {
  const scanned_segment* file = nullptr;
  block_index first; // 0: the file itself must say
  block_index last = no_limit;
};

struct judgement {
  recovery_verdict result;
  std::vector<candidate> candidates;
  block_index durable; // proven by what was written later
  block_index expected_next;
  std::uint64_t previous_number = 0;
  bool cut = false;

  status select(const std::vector<scanned_segment>& segments);
  void find_durable();
  std::optional<std::uint64_t> walk(const candidate& x, kept_segment& keep);
  status visit(const candidate& x);
};

// The newest manifest knows which older files count and how much of each. Its
// word holds even if it is not durable itself: it was written.
status judgement::select(const std::vector<scanned_segment>& segments) {
  const found_batch* newest = nullptr;
  std::uint64_t from = 0;
  for (const auto& segment : segments)
    for (const auto& batch : segment.batches)
      if (batch.listing) {
        newest = &batch;
        from = segment.number;
      }
  auto next = segments.begin();
  if (newest != nullptr) {
    expected_next = newest->listing->state.last_closed.next();
    for (const auto& range : newest->listing->segments) {
      while (next != segments.end() && next->number < range.number)
        result.dropped.push_back((next++)->number);
      // Names become durable in order, so this is not a power cut.
      if (next == segments.end() || next->number != range.number)
        return fail(errc::log_corrupt,
                    fmt::format("segment {} with blocks {} to {} is missing",
                                range.number, range.first.value,
                                range.last.value));
      candidates.push_back({&*next++, range.first, range.last});
    }
  }
  for (; next != segments.end(); ++next)
    if (next->number < from)
      result.dropped.push_back(next->number);
    else
      candidates.push_back({&*next, {}, no_limit});
  return {};
}

void judgement::find_durable() {
  for (const auto& x : candidates)
    for (const auto& batch : x.file->batches)
      if (batch.header.last <= x.last)
        durable = std::max(durable, batch.header.durable_before);
}

// Takes what is sound of one file. Returns where it stops being so, if it
// does before everything that counts was found.
std::optional<std::uint64_t> judgement::walk(const candidate& x,
                                             kept_segment& keep) {
  if (!x.file->header)
    return 0;
  if (!x.first && previous_number != 0
      && (x.file->number != previous_number + 1
          || x.file->header->first != expected_next))
    return 0;
  expected_next = x.first ? x.first : x.file->header->first;
  keep.range = {x.file->number, expected_next, expected_next.previous()};
  auto all = [&] { return x.last != no_limit && keep.range.last == x.last; };
  for (const auto& batch : x.file->batches) {
    if (!batch.trusted || all())
      break;
    if (batch.header.kind == batch_kind::rows) {
      if (batch.header.first != expected_next)
        return batch.offset;
      keep.range.last = expected_next;
      keep.blocks.push_back(&batch);
      expected_next = expected_next.next();
    } else if (batch.listing) {
      result.manifests.push_back(&batch);
    }
  }
  if (x.last != no_limit)
    return all() ? std::nullopt
                 : std::optional{x.file->damaged_at.value_or(x.file->size)};
  return x.file->damaged_at;
}

status judgement::visit(const candidate& x) {
  if (cut) {
    result.bytes_cut += x.file->size;
    result.dropped.push_back(x.file->number);
    return {};
  }
  auto keep = kept_segment{};
  if (x.first)
    expected_next = x.first;
  auto stop = walk(x, keep);
  if (stop && expected_next <= durable)
    return fail(errc::log_corrupt,
                fmt::format("{}: damaged at byte {}: block {} was durable, as "
                            "was everything up to {}",
                            x.file->path, *stop, expected_next.value,
                            durable.value));
  if (stop) {
    cut = true;
    result.bytes_cut += x.file->size - *stop;
  }
  if (keep.blocks.empty())
    result.dropped.push_back(x.file->number);
  else
    result.kept.push_back(std::move(keep));
  // Only files that no manifest lists are checked against the one before.
  if (!x.first)
    previous_number = x.file->number;
  return {};
}

} // namespace

expected<recovery_verdict> judge(const std::vector<scanned_segment>& segments) {
  auto work = judgement{};
  work.expected_next = {1};
  if (auto done = work.select(segments); !done)
    return tl::unexpected{std::move(done.error())};
  work.find_durable();
  for (const auto& x : work.candidates)
    if (auto done = work.visit(x); !done)
      return tl::unexpected{std::move(done.error())};
  return std::move(work.result);
}

} // namespace sluice
