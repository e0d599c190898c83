#include "store/buffered_spools.hpp"

#include <utility>

namespace sluice {

status buffered_spools::add(transaction_id transaction, const block_ptr& rows,
                            const std::vector<rows_of_transaction>& of) {
  if (rows == nullptr || rows->empty())
    return {};
  auto found = spools_.find(transaction);
  auto last = found == spools_.end() ? std::nullopt : found->second.position;
  auto admitted = admit_spooled(transaction, rows, of, last);
  if (!admitted)
    return tl::unexpected{std::move(admitted.error())};
  auto& to = spools_[transaction];
  to.chunks.push_back(std::move(*admitted));
  to.position = rows->last_cursor().position;
  return {};
}

void buffered_spools::leave_out(transaction_id transaction,
                                transaction_id sub) {
  if (auto found = spools_.find(transaction); found != spools_.end())
    found->second.left_out.insert(sub);
}

expected<std::vector<block_ptr>>
buffered_spools::committed(transaction_id transaction,
                           const spool_commit& how) const {
  auto result = std::vector<block_ptr>{};
  auto found = spools_.find(transaction);
  if (found == spools_.end())
    return result;
  auto left = std::vector<block_ptr>{};
  for (const auto& x : found->second.chunks)
    if (auto rest = without(x, found->second.left_out); rest.block != nullptr)
      left.push_back(std::move(rest.block));
  for (const auto& x : left) {
    auto block = committed_rows(std::string{x->bytes()},
                                static_cast<std::uint32_t>(x->rows()), how,
                                &x == &left.back());
    if (!block)
      return tl::unexpected{std::move(block.error())};
    result.push_back(std::move(*block));
  }
  return result;
}

std::uint64_t buffered_spools::bytes() const noexcept {
  auto result = std::uint64_t{0};
  for (const auto& entry : spools_)
    for (const auto& x : entry.second.chunks)
      result += x.block->bytes().size();
  return result;
}

expected<spool_end> commit_buffered(log_engine& log, buffered_spools& spools,
                                    transaction_id transaction,
                                    const spool_commit& how,
                                    row_cursor last_in_log) {
  auto blocks = spools.committed(transaction, how);
  if (!blocks)
    return tl::unexpected{std::move(blocks.error())};
  auto result = spool_end{log.last().next(), log.last(), {}};
  if (blocks->empty())
    (void) log.append(nullptr, how.resolved);
  else if (auto repeated = is_repeated(blocks->front()->first_cursor(),
                                       blocks->back()->last_cursor(),
                                       log.appended_to(), last_in_log);
           !repeated)
    return tl::unexpected{std::move(repeated.error())};
  for (const auto& x : *blocks) {
    auto ends = &x == &blocks->back();
    auto done = log.append(x, ends ? how.resolved : timestamp{});
    if (!done) {
      auto why = std::move(done.error());
      auto kept = std::exchange(spools, {});
      (void) log.abandon_open();
      spools = std::move(kept);
      return tl::unexpected{std::move(why)};
    }
  }
  spools.forget(transaction);
  result.last = log.last();
  return result;
}

} // namespace sluice
