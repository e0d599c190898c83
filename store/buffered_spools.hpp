#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "store/spool_rows.hpp"

namespace sluice {

/// What is spooled, in memory: for engines that have no files of their own for
/// it. They append the blocks when a transaction commits.
class buffered_spools {
public:
  /// @error malformed, append_out_of_order
  [[nodiscard]] status add(transaction_id transaction, const block_ptr& rows,
                           const std::vector<rows_of_transaction>& of);
  void leave_out(transaction_id transaction, transaction_id sub);
  void forget(transaction_id transaction) { spools_.erase(transaction); }
  void clear() { spools_.clear(); }

  /// What is left of a transaction, as it will be in the log; the last block
  /// has its end mark.
  [[nodiscard]] expected<std::vector<block_ptr>>
  committed(transaction_id transaction, const spool_commit& how) const;
  [[nodiscard]] std::uint64_t bytes() const noexcept;

private:
  struct spool {
    std::vector<spooled_rows> chunks;
    std::set<transaction_id> left_out;
    std::optional<std::uint64_t> position; // of the last row
  };

  std::map<transaction_id, spool> spools_;
};

/// What a commit of buffered rows does, with an engine's own `append`: what was
/// appended is open until all of it is.
[[nodiscard]] expected<spool_end> commit_buffered(log_engine& log,
                                                  buffered_spools& spools,
                                                  transaction_id transaction,
                                                  const spool_commit& how,
                                                  row_cursor last_in_log);

} // namespace sluice
