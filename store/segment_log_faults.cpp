#include <algorithm>
#include <utility>

#include "store/segment_log.hpp"

/// The part of a segment log that goes on when its disk does not: it is full,
/// or a sync of it failed.
namespace sluice {

namespace {

// Blocks pass through memory. Without a large transaction they are few.
constexpr std::uint64_t renewed_bytes_max = 1U << 30U;

} // namespace

// -- a full disk --------------------------------------------------------------

// Nothing is appended in room that is kept for what gives room back. It may be
// a note that has found the disk full first.
status segment_log::take_room() {
  auto done = files_->reserve().restore();
  if (!done && done.error().code == errc::disk_full)
    make_way();
  return done;
}

// An append found the disk full. What gives room back must not find it so, and
// what is in the segment that is written must be able to go, too.
void segment_log::make_way() {
  (void) files_->reserve().give_up();
  if (!index_.last_segment_has_blocks() || index_.open())
    return;
  auto done = roll(true);
  while (!done && done.error().code == errc::disk_full && files_->make_room())
    done = roll(true);
}

status segment_log::begin_with_room(const segment_writer::start& how) {
  auto done = begin(how);
  while (!done && done.error().code == errc::disk_full && files_->make_room()) {
    auto again = how;
    again.number = next_number_;
    done = begin(again);
  }
  return done;
}

// A manifest behind the last batch; the file that it stands in goes on.
status segment_log::write_mark(const manifest& listing) {
  auto write = [&]() -> status {
    if (must_roll_ || writer_->broken())
      if (auto done = roll(); !done)
        return done;
    auto rest = listing;
    std::erase_if(rest.segments, [&](const segment_range& x) {
      return x.number == writer_->number();
    });
    return writer_->list(rest, last(), synced_to_);
  };
  auto done = write();
  while (!done && done.error().code == errc::disk_full && files_->make_room())
    done = write();
  if (done) {
    noted_durable_ = synced_to_;
    remember_size();
  }
  return done;
}

void segment_log::note_stated() {
  if (stated_ <= synced_to_)
    stated_durably_ = std::max(stated_durably_, stated_);
}

// -- a failed sync ------------------------------------------------------------

// What is in memory, or is read and has its checksum, is what was appended.
status segment_log::renew() {
  auto blocks = index_.blocks_behind(durable_.at);
  if (blocks.empty())
    return {};
  auto bytes = std::uint64_t{0};
  for (const auto& x : blocks)
    bytes += x.at.size;
  if (bytes > renewed_bytes_max)
    return fail(errc::log_io, files_->directory() + ": " + std::to_string(bytes)
                                + " bytes were not synced, too many to be "
                                  "written once more");
  if (auto done = files_->sync_names(); !done)
    return done;
  auto how = segment_writer::start{
    next_number_, durable_.at.next(), {durable_.state, index_.segments()},
    {},           index_.state(),     durable_.at,
    true};
  for (auto& x : how.listing.segments)
    x.last = std::min(x.last, durable_.at);
  std::erase_if(how.listing.segments,
                [](const segment_range& x) { return x.last < x.first; });
  for (const auto& x : blocks) {
    auto block = index_.block(x.first).block;
    if (block == nullptr) {
      auto read = files_->read(x.at);
      if (!read)
        return tl::unexpected{std::move(read.error())};
      block = std::move(*read);
    }
    how.blocks.push_back({std::move(block), x.first, x.resolved});
  }
  if (auto done = begin_with_room(how); !done)
    return done;
  // So says its first mark; others may go with their files.
  stated_ = stated_durably_ = durable_.state.last_closed;
  for (const auto& x : index_.segments())
    if (x.first > durable_.at)
      doomed_.push_back(x.number);
  doom_spools_behind(durable_.at);
  index_.move_behind(durable_.at, writer_->first_blocks(), begun_);
  noted_durable_ = synced_to_ = last();
  closed_durably_ = last_closed();
  durable_ = {last(), index_.state()};
  return {};
}

} // namespace sluice
