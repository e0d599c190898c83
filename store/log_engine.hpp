#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "messages/disk.hpp"
#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/retention.hpp"
#include "messages/row.hpp"
#include "messages/scan_plan.hpp"
#include "messages/spool.hpp"

/// The contract of a partition's log. Every engine passes one contract test.
///
/// Threads: a `log_engine` belongs to one thread. Its `log_disk` may be used
/// from any thread; it does what can block: reads, syncs, deletions.
namespace sluice {

/// What can block, callable from any thread.
class log_disk {
public:
  virtual ~log_disk() = default;
  /// Reads and checks one block: of a plan for `all_tables` as it was appended;
  /// of a plan for one table at least that table's rows, and an engine need not
  /// say where their transactions end. What `abandon_open` forgets is read as
  /// it was or not at all, never as what took its place.
  /// @error log_corrupt (checksum), log_io, out_of_range (segment removed)
  [[nodiscard]] virtual expected<block_ptr> read(const block_location& at) = 0;
  /// Makes everything of `order` durable, also the names of new files. A
  /// failure is final for those segments: calling again proves nothing.
  /// @error log_io
  [[nodiscard]] virtual status sync(const sync_order& order) = 0;
  /// Deletes segments that the engine has let go of, once that is durable: no
  /// restart takes them for lost. Those that it does not know are skipped.
  virtual status remove(const std::vector<std::uint64_t>& segments) = 0;
  /// Gives up room that is kept for a full disk, for what gives room back.
  /// @returns Whether there was any.
  virtual bool make_room() { return false; }
};

/// A rewrite under way. Unless it gets done, nothing of it stays.
class log_rewrite {
public:
  virtual ~log_rewrite() = default;
  /// Does a part of it, about a block. @returns Whether it is done.
  /// @error log_io, disk_full, log_corrupt, out_of_range (released meanwhile),
  ///        malformed (too large for one window); everything is as it was
  [[nodiscard]] virtual expected<bool> step() = 0;
  /// @pre It is done.
  [[nodiscard]] virtual rewrite_result result() = 0;
  /// The segment that a step failed at.
  [[nodiscard]] virtual std::uint64_t segment() const = 0;
};

/// Writes what is live of old segments into a new one, in any thread. Changes
/// nothing that counts before `log_engine::rewritten`.
class log_rewriter {
public:
  virtual ~log_rewriter() = default;
  [[nodiscard]] virtual std::unique_ptr<log_rewrite>
  begin(rewrite_order order) = 0;
  /// The whole of one.
  [[nodiscard]] expected<rewrite_result> run(const rewrite_order& order);
};

/// What the rows of a spooled transaction get when it commits.
struct spool_commit {
  timestamp commit_ts;
  timestamp start_ts;
  timestamp resolved; ///< As of `append`; stored with the last block.
};

/// How a spooled transaction ended.
struct spool_end {
  block_index first; ///< The new blocks; none if `last < first`.
  block_index last;
  std::vector<std::uint64_t> gone; ///< Segments for `log_disk::remove`.
};

/// Counters; none ever goes back while the engine is open.
struct log_stats {
  std::uint64_t rows_appended = 0;
  std::uint64_t rows_repeated = 0; ///< Dropped: the log had them.
  std::uint64_t blocks = 0;        ///< Live now, missing ones included.
  std::uint64_t disk_bytes = 0;    ///< Live now.
  std::uint64_t memory_bytes = 0;  ///< Blocks held for readers, now.
  std::uint64_t segments = 0;      ///< Live now.
  std::uint64_t segments_removed = 0;
  std::uint64_t bytes_cut = 0; ///< By recovery: torn or open tail.
  std::uint64_t bytes_rewritten = 0;
  std::uint64_t spooled_bytes = 0; ///< Of transactions that go on, now.
};

/// An append-only log of row blocks. Block indices are consecutive from 1 and
/// survive a restart. Rows stand in ascending cursor order. Blocks lie in
/// segments, which are let go of as a whole. How large one is, when the next
/// one begins and where its bytes are is the engine's own affair; their numbers
/// ascend with the blocks and are not used twice.
class log_engine {
public:
  virtual ~log_engine() = default;

  /// Appends `block` with buffered writes; it survives a kill of the process
  /// when this returns. Rows <= `appended_to()` are dropped (they are repeated
  /// by a source that resumed); when nothing is left, no block is appended
  /// and the result is null.
  /// @param resolved Stored with the block: no row <= it follows.
  /// @returns The block as it went to the log, without repeated rows.
  /// @error append_out_of_order (a row sorts at or before an earlier row that
  ///        is not repeated), log_io, disk_full
  [[nodiscard]] virtual expected<block_ptr> append(block_ptr block,
                                                   timestamp resolved) = 0;
  /// Forgets the rows behind the last end mark, because their source started
  /// over, and all that is spooled. Their indices are given out again; nobody
  /// was told of them.
  [[nodiscard]] virtual status abandon_open() = 0;

  // -- transactions that go on ------------------------------------------------

  /// Takes rows of a transaction that has not committed and may be larger than
  /// memory. They are in no block yet; a restart forgets them.
  /// @param rows One block, once it commits. With commit_ts and start_ts 0, and
  ///        without end marks; positions ascend through the transaction.
  /// @param of Whose rows these are, one run after another; empty: all of them
  ///        are the transaction's own.
  /// @error malformed, append_out_of_order (positions), log_io, disk_full;
  ///        nothing of `rows` is taken
  [[nodiscard]] virtual status
  spool(transaction_id transaction, const block_ptr& rows,
        const std::vector<rows_of_transaction>& of) = 0;
  /// Rows of `sub` are not part of what commits.
  virtual void leave_out(transaction_id transaction, transaction_id sub) = 0;
  /// Appends what was spooled, with an end mark behind its last row: a block
  /// for each call of `spool` of which something is left. Blocks are not held
  /// in memory. What the log has already is dropped, as `append` does.
  /// @error append_out_of_order, log_io, disk_full, log_corrupt; the
  ///        transaction goes on
  [[nodiscard]] virtual expected<spool_end>
  commit_spooled(transaction_id transaction, const spool_commit& how) = 0;
  /// Forgets what was spooled. @returns Segments for `log_disk::remove`.
  [[nodiscard]] virtual std::vector<std::uint64_t>
  abort_spooled(transaction_id transaction) = 0;

  // -- where it stands --------------------------------------------------------

  /// The last block; 0 when there is none.
  [[nodiscard]] virtual block_index last() const = 0;
  /// The last block up to which every transaction is complete.
  [[nodiscard]] virtual block_index last_closed() const = 0;
  /// Cursor at the last end mark, or the end of the resolved ts stored with
  /// the last closed block if that ts is higher. A source resumes after it.
  [[nodiscard]] virtual row_cursor appended_to() const = 0;
  /// Highest resolved ts stored with a closed block.
  [[nodiscard]] virtual timestamp resolved() const = 0;

  /// Of each wish: the blocks with rows of its table after its cursor, up to
  /// block `to`, at least one piece and then until their rows of that table
  /// exceed `bytes_max`, or the blocks to read do (1 MiB if that is more). No
  /// check of floors here. Many wishes at once take less time than one by one:
  /// what is looked up of them must come into the cache.
  [[nodiscard]] virtual planned_scans
  plan_scans(std::span<const scan_wish> wishes) const = 0;

  /// What to sync now. The engine goes on appending meanwhile.
  [[nodiscard]] virtual sync_order begin_sync() = 0;
  /// `log_disk::sync(order)` succeeded.
  virtual void synced(const sync_order& order) = 0;
  /// `log_disk::sync` failed: writes what is not durable anew, elsewhere, and
  /// durably. Blocks.
  /// @error log_io, disk_full, log_corrupt: that failed, too, so nothing more
  ///        may be appended
  [[nodiscard]] virtual status renew() {
    return fail(errc::log_io, "this log cannot write again what is not synced");
  }
  /// Durable up to this block.
  [[nodiscard]] virtual block_index synced_to() const = 0;

  /// Tables with rows in what `release` would let go of; `all_tables` when
  /// it is not known of a part of it.
  [[nodiscard]] virtual std::vector<table_id>
  releasable(const std::function<timestamp(table_id)>& floor_of) const = 0;
  /// Lets go of segments in which every row is closed and at or below its
  /// table's floor, and of no others. Which of those go at once is up to the
  /// engine: the one that is written may stay, and so may what is not durable.
  /// Indices and `appended_to` stay what they are, also over a restart.
  /// @param floor_of Rows with commit_ts <= its result may go. Of
  ///        `all_tables`: of whichever table.
  /// @returns Segments for `log_disk::remove`.
  [[nodiscard]] virtual std::vector<std::uint64_t>
  release(const std::function<timestamp(table_id)>& floor_of) = 0;

  /// What a budget keeps beyond what somebody needs. Ages count from when a
  /// segment was begun; an engine may forget that over a restart, and then
  /// keeps rows for longer.
  [[nodiscard]] virtual retained_rows
  retained(const retention_budget& budget) const = 0;

  /// The segments to rewrite, if what is on disk exceeds twice what is above
  /// the floors by more than a segment, and it helps. Floors that rise
  /// meanwhile do not matter.
  /// @param up_to Only what every reader has heard of: a scan up to a block
  ///        inside of a rewritten one gets all of that.
  [[nodiscard]] virtual std::optional<rewrite_order>
  plan_rewrite(const std::function<timestamp(table_id)>& floor_of,
               block_index up_to) = 0;
  /// A rewrite came to this. Scans read the new segment from now on.
  /// @returns Segments for `log_disk::remove`: the old ones. If it was in vain,
  ///          the new one or none, and nothing has changed.
  [[nodiscard]] virtual std::vector<std::uint64_t>
  rewritten(const rewrite_result& x) = 0;
  /// A rewrite failed. After disk_full the next one that is planned writes
  /// less.
  /// @param at_fault Rewriting this segment fails each time: it is left as it
  ///        is, while the engine is open. 0: of none.
  virtual void rewrite_failed(const error& why, std::uint64_t at_fault) = 0;
  /// Null if `plan_rewrite` has never anything.
  [[nodiscard]] virtual std::shared_ptr<log_rewriter> rewriter() = 0;
  /// Of the rows above their floors.
  [[nodiscard]] virtual std::uint64_t
  live_bytes(const std::function<timestamp(table_id)>& floor_of) const = 0;

  /// All tables with rows in the log.
  [[nodiscard]] virtual std::vector<table_id> tables() const = 0;
  [[nodiscard]] virtual log_stats stats() const = 0;
  /// Bytes to be free, beside those of the rows, before a full disk takes any.
  [[nodiscard]] virtual std::uint64_t room_missing() const { return 0; }
  [[nodiscard]] virtual std::shared_ptr<log_disk> disk() = 0;
};

/// What a log finds for one wish.
struct scan_plan {
  std::vector<scan_block> pieces; ///< Ascending by index.
  block_index complete_to;        ///< See `planned_scan`.
  error failure = {};
};

/// @param log An engine, or its index.
template <class Log>
[[nodiscard]] scan_plan plan_scan(const Log& log, const scan_wish& wish) {
  auto found = log.plan_scans({&wish, 1});
  auto& scan = found.scans.front();
  auto result = scan_plan{{}, scan.complete_to, std::move(scan.failure)};
  for (const auto& piece : found.pieces)
    result.pieces.push_back(found.blocks[piece.block]);
  return result;
}

} // namespace sluice
