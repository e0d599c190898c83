#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "store/buffered_spools.hpp"
#include "store/log_engine.hpp"
#include "store/log_index.hpp"

/// What engines have in common beside the index itself.
namespace sluice {

/// An engine that answers out of its index.
class indexed_log : public log_engine {
public:
  [[nodiscard]] block_index last() const override { return index_.last(); }
  [[nodiscard]] block_index last_closed() const override {
    return index_.last_closed();
  }
  [[nodiscard]] row_cursor appended_to() const override {
    return index_.appended_to();
  }
  [[nodiscard]] timestamp resolved() const override {
    return index_.state().resolved;
  }
  [[nodiscard]] planned_scans
  plan_scans(std::span<const scan_wish> wishes) const override {
    return index_.plan_scans(wishes);
  }
  [[nodiscard]] std::uint64_t live_bytes(
    const std::function<timestamp(table_id)>& floor_of) const override {
    return index_.live_bytes(floor_of);
  }
  [[nodiscard]] std::vector<table_id> tables() const override {
    return index_.tables();
  }

protected:
  explicit indexed_log(
    std::uint64_t memory_bytes_max = std::numeric_limits<std::uint64_t>::max())
    : index_{memory_bytes_max} {
    // nop
  }

  /// What is left of a block to append; null if the log has all of it.
  /// @error append_out_of_order
  [[nodiscard]] expected<block_ptr> admitted(const block_ptr& block,
                                             timestamp resolved);
  /// Of `block`, `taken` went to the log.
  void count(const block_ptr& block, const row_block& taken);
  /// Of the index, with the rows.
  [[nodiscard]] log_stats counted() const;

  log_index index_;
  std::uint64_t rows_appended_ = 0;
  std::uint64_t rows_repeated_ = 0;
};

/// One that has no files of its own: it rewrites nothing, and holds what is
/// spooled in memory. How old rows are it knows since it was opened.
class plain_log : public indexed_log {
public:
  status spool(transaction_id transaction, const block_ptr& rows,
               const std::vector<rows_of_transaction>& of) override;
  void leave_out(transaction_id transaction, transaction_id sub) override;
  expected<spool_end> commit_spooled(transaction_id transaction,
                                     const spool_commit& how) override;
  std::vector<std::uint64_t> abort_spooled(transaction_id transaction) override;
  [[nodiscard]] std::vector<table_id>
  releasable(const std::function<timestamp(table_id)>& floor_of) const override;
  [[nodiscard]] retained_rows
  retained(const retention_budget& budget) const override;
  std::optional<rewrite_order>
  plan_rewrite(const std::function<timestamp(table_id)>& floor_of,
               block_index up_to) override;
  std::vector<std::uint64_t> rewritten(const rewrite_result& x) override;
  void rewrite_failed(const error& why, std::uint64_t at_fault) override;
  std::shared_ptr<log_rewriter> rewriter() override;

protected:
  using indexed_log::indexed_log;

  buffered_spools spools_;
};

} // namespace sluice
