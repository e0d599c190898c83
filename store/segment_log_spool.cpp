#include <algorithm>
#include <utility>

#include "store/segment_id.hpp"
#include "store/segment_log.hpp"
#include "store/segment_scan.hpp"
#include "store/spool_writer.hpp"

/// The part of a segment log that takes transactions before they commit.
namespace sluice {

status segment_log::spool(transaction_id transaction, const block_ptr& rows,
                          const std::vector<rows_of_transaction>& of) {
  if (rows == nullptr || rows->empty())
    return {};
  auto found = spools_.find(transaction);
  auto last = found == spools_.end() ? std::nullopt : found->second->position();
  auto admitted = admit_spooled(transaction, rows, of, last);
  if (!admitted)
    return tl::unexpected{std::move(admitted.error())};
  auto done = take_room();
  if (!done)
    return done;
  if (found == spools_.end()) {
    auto made = spool_writer::create(files_, spool_segment(next_number_++));
    if (!made)
      return tl::unexpected{std::move(made.error())};
    found = spools_.emplace(transaction, std::move(*made)).first;
  }
  done = found->second->append(*admitted);
  if (!done && done.error().code == errc::disk_full)
    make_way();
  return done;
}

void segment_log::leave_out(transaction_id transaction, transaction_id sub) {
  if (auto found = spools_.find(transaction); found != spools_.end())
    found->second->leave_out(sub);
}

std::vector<std::uint64_t>
segment_log::abort_spooled(transaction_id transaction) {
  auto found = spools_.find(transaction);
  if (found == spools_.end())
    return {};
  auto result = std::vector{found->second->number()};
  spools_.erase(found);
  return result;
}

expected<spool_end> segment_log::commit_spooled(transaction_id transaction,
                                                const spool_commit& how) {
  auto nothing = [&] {
    index_.note_resolved(how.resolved);
    return spool_end{last().next(), last(), abort_spooled(transaction)};
  };
  auto found = spools_.find(transaction);
  if (found == spools_.end())
    return nothing();
  auto& spool = *found->second;
  if (auto done = spool.settle(); !done)
    return tl::unexpected{std::move(done.error())};
  if (spool.chunks().empty())
    return nothing();
  auto first = committed(spool.chunks().front().summary, how, false).first;
  auto repeated = is_repeated(first, spool.last_cursor(how), appended_to(),
                              index_.last_cursor());
  if (!repeated)
    return tl::unexpected{std::move(repeated.error())};
  if (*repeated) {
    rows_repeated_ += spool.rows();
    return nothing();
  }
  auto result = spool_end{last().next(), {}, {}};
  if (auto done = refer_to(spool, how); !done)
    return tl::unexpected{std::move(done.error())};
  rows_appended_ += spool.rows();
  spools_.erase(found);
  result.last = last();
  return result;
}

// From here on the rows are in the log.
status segment_log::refer_to(const spool_writer& spool,
                             const spool_commit& how) {
  auto done = files_->reserve().restore();
  if (done)
    done = roll_if_full();
  if (done)
    done = writer_->refer(spool.reference(how), last().next(), how.resolved,
                          synced_to_);
  if (!done && done.error().code == errc::disk_full)
    make_way();
  if (!done)
    return done;
  noted_durable_ = synced_to_;
  remember_size();
  const auto& chunks = spool.chunks();
  files_->commit(spool.number(), how, chunks.back().place.offset);
  for (const auto& x : chunks) {
    auto ends = &x == &chunks.back();
    index_.add(committed(x.summary, how, ends),
               {spool.number(), x.place.offset, x.place.size(), {}},
               ends ? how.resolved : timestamp{});
  }
  add_committed(writer_->number(), {spool.number(), last(), spool.size()});
  return {};
}

void segment_log::add_committed(std::uint64_t segment,
                                const committed_spool& spool) {
  committed_[segment].push_back(spool);
  sizes_[spool.number] = spool.bytes;
}

std::vector<std::uint64_t>
segment_log::with_spools(std::vector<std::uint64_t> segments) {
  auto result = segments;
  for (auto segment : segments) {
    auto found = committed_.find(segment);
    if (found == committed_.end())
      continue;
    for (const auto& spool : found->second) {
      sizes_.erase(spool.number);
      result.push_back(spool.number);
    }
    committed_.erase(found);
  }
  return result;
}

std::uint64_t segment_log::bytes_of(std::uint64_t segment) const {
  auto size = sizes_.find(segment);
  auto result = size == sizes_.end() ? 0 : size->second;
  if (auto found = committed_.find(segment); found != committed_.end())
    for (const auto& spool : found->second)
      result += spool.bytes;
  return result;
}

// What they have is in a segment now.
void segment_log::doom_spools_behind(block_index last) {
  for (auto& entry : committed_)
    std::erase_if(entry.second, [&](const committed_spool& x) {
      if (x.last > last)
        doomed_.push_back(x.number);
      return x.last > last;
    });
}

// -- at a start ---------------------------------------------------------------

void segment_log::index_spool(std::uint64_t segment, const found_batch& end) {
  const auto& x = *end.reference;
  files_->add(x.spool, nullptr, true);
  files_->commit(x.spool, x.commit(), x.chunks.back().offset);
  add_committed(segment, {x.spool, end.header.last, end.spooled.size});
}

// Transactions that did not commit: their source sends them again. Where blocks
// are lost, what named a file may be lost, too: then it stays.
std::vector<std::uint64_t>
segment_log::unnamed(const std::vector<std::uint64_t>& spools) const {
  if (index_.gaps().blocks() > 0)
    return {};
  auto result = spools;
  std::erase_if(result, [&](std::uint64_t x) { return sizes_.contains(x); });
  return result;
}

} // namespace sluice
