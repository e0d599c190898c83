#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>

#include "store/segment_directory.hpp"
#include "store/segment_id.hpp"
#include "store/segment_log.hpp"
#include "store/segment_scan.hpp"
#include "store/spool_scan.hpp"
#include "store/spool_writer.hpp"

/// Opening a segment log. Nothing is changed before the new segment with its
/// manifest is durable; what is deleted afterwards does not count any more. So
/// recovery may be killed anywhere and starts over.
namespace sluice {

expected<std::unique_ptr<segment_log>>
segment_log::open(segment_log_options options) {
  auto result = std::unique_ptr<segment_log>(
    new segment_log(std::move(options)));
  auto& ops = *result->options_.ops;
  auto begin = ops.now();
  if (auto done = result->recover(); !done)
    return tl::unexpected{std::move(done.error())};
  result->report_.took = ops.now() - begin;
  return result;
}

status segment_log::recover() {
  auto& directory = options_.directory;
  auto lock = directory_lock::take(options_.ops, directory);
  if (!lock)
    return tl::unexpected{std::move(lock.error())};
  auto numbers = list_segments(options_.ops, directory);
  if (!numbers)
    return tl::unexpected{std::move(numbers.error())};
  auto uuid = store_identity(options_.ops, directory, *numbers);
  if (!uuid)
    return tl::unexpected{std::move(uuid.error())};
  files_ = std::make_shared<segment_files>(
    options_.ops, directory, *uuid, options_.reserve_bytes, std::move(*lock));
  files_->reserve().look();
  auto found = scan_segments(options_.ops, directory, *numbers, *uuid);
  if (!found)
    return tl::unexpected{std::move(found.error())};
  for (const auto& x : *found)
    sizes_[x.number] = x.size;
  auto verdict = judge(*found, directory);
  if (!verdict)
    return tl::unexpected{std::move(verdict.error())};
  for (auto i : *numbers)
    next_generation_ = std::max(next_generation_, generation_of(i) + 1);
  auto spools = list_spools(options_.ops, directory);
  if (!spools)
    return tl::unexpected{std::move(spools.error())};
  auto last = numbers->empty() ? 0 : number_of(numbers->back());
  if (!spools->empty())
    last = std::max(last, number_of(spools->back()));
  return start_after(*verdict, last + 1, *spools);
}

namespace {

status write_again(open_file& file, const batch_place& place,
                   std::uint64_t size) {
  auto bytes = file.read(place.offset, size);
  if (!bytes)
    return tl::unexpected{std::move(bytes.error())};
  auto header = decode_batch_header(*bytes, place);
  auto payload = std::string_view{*bytes}.substr(batch_header_size);
  if (!header || !payload_is_intact(*header, place, {payload}))
    return fail(errc::log_corrupt, file.path() + ": changes while it is read");
  return file.write({*bytes}, place.offset);
}

// As below, of a spool file. @param end Of the transaction.
status make_durable(const segment_files& files, const found_batch& end,
                    block_index durable) {
  const auto& x = *end.reference;
  auto path = files.path(x.spool);
  auto again = end.header.last > durable;
  if (!again && files.ops()->access(path.c_str()) != 0 && errno == ENOENT)
    return {}; // which is damage
  auto file = open_file::open(files.ops(), path, again ? O_RDWR : O_RDONLY);
  if (!file)
    return tl::unexpected{std::move(file.error())};
  auto index = block_index{end.header.last.value - x.chunks.size()};
  for (const auto& chunk : x.chunks) {
    index = index.next();
    auto place = batch_place{files.uuid(), x.spool, chunk.offset};
    if (index > durable)
      if (auto done = write_again(**file, place, chunk.size()); !done)
        return done;
  }
  return (*file)->sync_all();
}

// What a killed process wrote may be in the page cache only. If a sync of it
// failed, the system takes it for durable all the same, and would do so again
// unless it is written again.
status make_durable(const segment_files& files, const kept_segment& segment,
                    block_index durable) {
  if (segment.range.last <= durable)
    return {};
  auto number = segment.range.number;
  auto file = open_file::open(files.ops(), files.path(number), O_RDWR);
  if (!file)
    return tl::unexpected{std::move(file.error())};
  for (const auto& part : segment.parts) {
    if (part.batch != nullptr && part.batch->reference != nullptr
        && part.batch->state)
      if (auto done = make_durable(files, *part.batch, durable); !done)
        return done;
    if (part.batch == nullptr || part.batch->header.last <= durable)
      continue;
    // Chunks of a spool file have one place here, that of the reference.
    if (part.batch->reference != nullptr && !part.batch->state)
      continue;
    auto size = batch_header_size
                + std::uint64_t{part.batch->header.payload_size};
    auto place = batch_place{files.uuid(), number, part.batch->offset};
    if (auto done = write_again(**file, place, size); !done)
      return done;
  }
  return (*file)->sync_all();
}

} // namespace

void segment_log::index_batch(std::uint64_t number, const found_batch& batch) {
  const auto& header = batch.header;
  auto at = block_location{number,
                           batch.offset,
                           batch_header_size
                             + std::uint64_t{header.payload_size},
                           {}};
  if (batch.reference != nullptr)
    at = batch.spooled;
  if (header.kind == batch_kind::window)
    index_.add({header.first, header.last, at, header.resolved, batch.summary});
  else
    index_.add(batch.summary, at, header.resolved);
}

void segment_log::index_segment(const kept_segment& segment) {
  auto number = segment.range.number;
  files_->add(number, nullptr, true);
  index_.begin_segment(number, segment.range.first, segment.begun);
  for (const auto& part : segment.parts) {
    const auto* batch = part.batch;
    if (batch == nullptr)
      index_.add_gap(part.lost_to, part.why);
    else if (batch->state) {
      index_.restore(*batch->state);
      if (batch->reference != nullptr)
        index_spool(number, *batch);
    } else
      index_batch(number, *batch);
  }
}

status segment_log::start_after(const recovery_verdict& verdict,
                                std::uint64_t number,
                                const std::vector<std::uint64_t>& spools) {
  for (const auto& segment : verdict.kept) {
    if (!segment.missing)
      if (auto done = make_durable(*files_, segment, verdict.durable); !done)
        return done;
    index_segment(segment);
  }
  // So may names be, and they become durable in order.
  if (auto done = sync_directory(options_.ops, options_.directory); !done)
    return done;
  if (auto done = index_.settle_gaps(); !done)
    return done;
  auto cut = index_.keep_to();
  auto first = cut.next();
  auto rest = complete_part(index_, *files_);
  if (!rest)
    return tl::unexpected{std::move(rest.error())};
  next_number_ = number;
  auto how = start_without_open(*rest, cut);
  if (auto done = begin_with_room(how); !done)
    return done;
  report_.bytes_cut = verdict.bytes_cut + index_.bytes_behind(cut);
  auto dropped = verdict.dropped;
  for (const auto& segment : verdict.kept)
    if (segment.range.first >= first)
      dropped.push_back(segment.range.number);
  auto orphans = unnamed(spools);
  dropped.insert(dropped.end(), orphans.begin(), orphans.end());
  index_.cut_open(writer_->number(), begun_);
  stated_durably_ = last_closed();
  if (*rest != nullptr)
    index_.add(*rest, writer_->first_blocks().front(), resolved());
  synced_to_ = last();
  closed_durably_ = last_closed();
  durable_ = {last(), index_.state()};
  report_.segments = index_.segments().size() - (*rest == nullptr ? 1 : 0);
  report_.blocks = index_.stats().blocks;
  report_.blocks_lost = index_.gaps().blocks();
  for (auto i : dropped) {
    sizes_.erase(i);
    files_->add(i, nullptr, true);
  }
  if (auto done = files_->remove(dropped); !done)
    return done;
  files_->reserve().make();
  return {};
}

} // namespace sluice
