#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "store/file_ops.hpp"
#include "store/indexed_log.hpp"
#include "store/segment_writer.hpp"

namespace sluice {

class spool_writer;
struct found_batch;
struct kept_segment;
struct recovery_verdict;

struct segment_log_options {
  std::string directory; ///< Is created if missing. One log per directory.
  /// A segment that has reached this size is followed by another.
  std::uint64_t segment_bytes = 64ULL << 20;
  /// Memory for recent blocks; older ones are read from disk.
  std::uint64_t tail_bytes_max = 64ULL << 20;
  std::shared_ptr<file_ops> ops = nullptr; ///< Null: the system's.
  /// Rows that a rewritten segment keeps together, by table.
  std::uint64_t window_bytes = 4ULL << 20;
  /// Room that is kept for what gives room back when the disk is full, in the
  /// file `reserve`; 0: none.
  std::uint64_t reserve_bytes = 0;
  int compression = 0; ///< Level of zstd for rewritten segments; 0: none.
};

/// What opening a log found.
struct recovery_report {
  std::uint64_t segments = 0;    ///< Files with rows that are live.
  std::uint64_t blocks = 0;      ///< In them.
  std::uint64_t blocks_lost = 0; ///< Of those: damaged, so nobody gets them.
  std::uint64_t bytes_cut = 0;   ///< Torn or open tail.
  std::chrono::duration<double> took{};
};

/// Append-only segment files. docs/log_format.md describes the bytes and the
/// rules of recovery.
class segment_log : public indexed_log {
public:
  /// Locks the directory, for as long as anybody has the log, its disk or its
  /// rewriter, and recovers what is in it; everything found is durable when
  /// this returns. Blocks.
  /// @error log_locked, log_corrupt, log_format_newer, log_io, disk_full
  [[nodiscard]] static expected<std::unique_ptr<segment_log>>
  open(segment_log_options options);

  ~segment_log() override;

  [[nodiscard]] const recovery_report& report() const noexcept {
    return report_;
  }

  expected<block_ptr> append(block_ptr block, timestamp resolved) override;
  status abandon_open() override;
  status spool(transaction_id transaction, const block_ptr& rows,
               const std::vector<rows_of_transaction>& of) override;
  void leave_out(transaction_id transaction, transaction_id sub) override;
  expected<spool_end> commit_spooled(transaction_id transaction,
                                     const spool_commit& how) override;
  std::vector<std::uint64_t> abort_spooled(transaction_id transaction) override;
  sync_order begin_sync() override;
  void synced(const sync_order& order) override;
  status renew() override;
  [[nodiscard]] block_index synced_to() const override { return synced_to_; }
  [[nodiscard]] std::vector<table_id>
  releasable(const std::function<timestamp(table_id)>& floor_of) const override;
  std::vector<std::uint64_t>
  release(const std::function<timestamp(table_id)>& floor_of) override;
  [[nodiscard]] retained_rows
  retained(const retention_budget& budget) const override;
  std::optional<rewrite_order>
  plan_rewrite(const std::function<timestamp(table_id)>& floor_of,
               block_index up_to) override;
  std::vector<std::uint64_t> rewritten(const rewrite_result& x) override;
  void rewrite_failed(const error& why, std::uint64_t at_fault) override;
  std::shared_ptr<log_rewriter> rewriter() override;
  [[nodiscard]] log_stats stats() const override;
  [[nodiscard]] std::uint64_t room_missing() const override {
    return files_->reserve().missing();
  }
  [[nodiscard]] std::shared_ptr<log_disk> disk() override { return files_; }

private:
  // The log's state right behind a block.
  struct standing {
    block_index at;
    log_state state;
  };

  explicit segment_log(segment_log_options options);
  // A spool file whose transaction is in the log.
  struct committed_spool {
    std::uint64_t number = 0;
    block_index last;
    std::uint64_t bytes = 0;
  };

  status recover();
  status refer_to(const spool_writer& spool, const spool_commit& how);
  void add_committed(std::uint64_t segment, const committed_spool& spool);
  void index_spool(std::uint64_t segment, const found_batch& end);
  [[nodiscard]] std::vector<std::uint64_t>
  with_spools(std::vector<std::uint64_t> segments);
  /// With those of the spool files that it names.
  [[nodiscard]] std::uint64_t bytes_of(std::uint64_t segment) const;
  void doom_spools_behind(block_index last);
  [[nodiscard]] std::vector<std::uint64_t>
  unnamed(const std::vector<std::uint64_t>& spools) const;
  status roll_if_full();
  void index_segment(const kept_segment& segment);
  void index_batch(std::uint64_t number, const found_batch& batch);
  status start_after(const recovery_verdict& verdict, std::uint64_t number,
                     const std::vector<std::uint64_t>& spools);
  [[nodiscard]] manifest listing() const;
  [[nodiscard]] segment_writer::start
  start_without_open(const block_ptr& rest, block_index durable) const;
  expected<block_location> write(const block_to_write& block);
  status take_room();
  void make_way();
  status roll(bool atomically = false);
  status begin(segment_writer::start how);
  status begin_with_room(const segment_writer::start& how);
  status write_mark(const manifest& listing);
  void note_durable();
  void note_stated();
  void remember_size();
  [[nodiscard]] block_index releasable_to() const;

  segment_log_options options_;
  std::shared_ptr<segment_files> files_;
  std::unique_ptr<segment_writer> writer_;
  std::uint64_t next_number_ = 1;
  std::uint64_t next_generation_ = 1; // of rewritten segments
  std::chrono::seconds begun_{};      // the file that is written
  bool must_roll_ = false;
  block_index synced_to_;
  block_index closed_at_sync_; // when the last one began
  block_index closed_durably_; // the last such block
  block_index stated_;         // last_closed in a mark that is durable
  block_index stated_durably_; // the same, and so is everything up to there
  standing at_sync_;           // when the last one began
  standing durable_;           // all up to there is
  block_index noted_durable_;  // the last that was written
  std::map<std::uint64_t, std::uint64_t> sizes_; // of live files
  std::vector<std::uint64_t> doomed_; // without rows; go with a release
  std::uint64_t rewrite_bytes_;       // of live rows, in the next one
  std::set<std::uint64_t> left_;      // are not rewritten
  std::map<transaction_id, std::unique_ptr<spool_writer>> spools_; // going on
  // By the segment that names them, and with which they go.
  std::map<std::uint64_t, std::vector<committed_spool>> committed_;
  recovery_report report_;
  std::uint64_t bytes_rewritten_ = 0;
};

} // namespace sluice
