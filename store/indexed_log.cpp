#include "store/indexed_log.hpp"

#include "store/block_summary.hpp"
#include "store/unix_time.hpp"

namespace sluice {

expected<block_ptr> indexed_log::admitted(const block_ptr& block,
                                          timestamp resolved) {
  auto result = admit(block, appended_to(), index_.last_cursor());
  if (result && *result == nullptr) {
    rows_repeated_ += block == nullptr ? 0 : block->rows();
    index_.note_resolved(resolved);
  }
  return result;
}

void indexed_log::count(const block_ptr& block, const row_block& taken) {
  rows_repeated_ += block->rows() - taken.rows();
  rows_appended_ += taken.rows();
}

log_stats indexed_log::counted() const {
  auto result = index_.stats();
  result.rows_appended = rows_appended_;
  result.rows_repeated = rows_repeated_;
  return result;
}

status plain_log::spool(transaction_id transaction, const block_ptr& rows,
                        const std::vector<rows_of_transaction>& of) {
  return spools_.add(transaction, rows, of);
}

void plain_log::leave_out(transaction_id transaction, transaction_id sub) {
  spools_.leave_out(transaction, sub);
}

expected<spool_end> plain_log::commit_spooled(transaction_id transaction,
                                              const spool_commit& how) {
  return commit_buffered(*this, spools_, transaction, how,
                         index_.last_cursor());
}

std::vector<std::uint64_t>
plain_log::abort_spooled(transaction_id transaction) {
  spools_.forget(transaction);
  return {};
}

std::vector<table_id> plain_log::releasable(
  const std::function<timestamp(table_id)>& floor_of) const {
  return index_.tables_of(index_.releasable(floor_of, last_closed()));
}

retained_rows plain_log::retained(const retention_budget& budget) const {
  return index_.retained(budget, unix_time());
}

std::optional<rewrite_order>
plain_log::plan_rewrite(const std::function<timestamp(table_id)>&,
                        block_index) {
  return {};
}

std::vector<std::uint64_t> plain_log::rewritten(const rewrite_result&) {
  return {};
}

void plain_log::rewrite_failed(const error&, std::uint64_t) {
  // nop
}

std::shared_ptr<log_rewriter> plain_log::rewriter() {
  return nullptr;
}

} // namespace sluice
