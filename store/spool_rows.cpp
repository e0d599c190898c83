#include "store/spool_rows.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

expected<spooled_rows> admit_spooled(transaction_id transaction,
                                     const block_ptr& rows,
                                     const std::vector<rows_of_transaction>& of,
                                     std::optional<std::uint64_t> last) {
  auto name = to_string(transaction);
  for (std::size_t i = 0; i < rows->rows(); ++i) {
    auto cursor = rows->row(i).cursor();
    auto row = [&] {
      return "row " + std::to_string(i) + " of " + std::to_string(rows->rows())
             + " of " + name;
    };
    if (cursor.commit_ts || cursor.start_ts)
      return fail(errc::malformed,
                  row() + " has a time before that has committed");
    if (last && cursor.position <= *last)
      return fail(errc::append_out_of_order,
                  row() + ", position " + std::to_string(cursor.position)
                    + ", comes after " + std::to_string(*last));
    last = cursor.position;
  }
  auto result = spooled_rows{rows, of};
  if (of.empty())
    result.of = {{transaction, static_cast<std::uint32_t>(rows->rows())}};
  auto count = std::uint64_t{0};
  for (const auto& x : result.of)
    count += x.rows;
  if (count != rows->rows() || !rows->ends().empty())
    return fail(errc::malformed,
                "rows of " + name + ": whose they are, or an end mark");
  return result;
}

spooled_rows without(const spooled_rows& x,
                     const std::set<transaction_id>& left_out) {
  auto gone = [&](const rows_of_transaction& y) {
    return left_out.contains(y.transaction);
  };
  if (std::none_of(x.of.begin(), x.of.end(), gone))
    return x;
  auto builder = row_block_builder{};
  auto result = spooled_rows{};
  auto at = std::size_t{0};
  for (const auto& y : x.of) {
    if (!gone(y)) {
      for (std::uint32_t i = 0; i < y.rows; ++i)
        builder.add(x.block->row(at + i));
      result.of.push_back(y);
    }
    at += y.rows;
  }
  if (!builder.empty())
    result.block = builder.finish();
  return result;
}

expected<block_ptr> committed_rows(std::string records, std::uint32_t rows,
                                   const spool_commit& how, bool ends) {
  auto result = expected<block_ptr>{};
  if (auto done = set_commit(records, how.commit_ts, how.start_ts); !done)
    result = tl::unexpected{std::move(done.error())};
  else
    result = row_block::parse(std::move(records),
                              ends ? std::vector{rows}
                                   : std::vector<std::uint32_t>{});
  if (!result)
    return fail(errc::log_corrupt, std::move(result.error().detail));
  if ((*result)->rows() != rows || rows == 0)
    return fail(errc::log_corrupt, "row count of a chunk");
  return result;
}

block_summary committed(block_summary x, const spool_commit& how, bool ends) {
  auto stamp = [&](row_cursor& at) {
    at.commit_ts = how.commit_ts;
    at.start_ts = how.start_ts;
  };
  for (auto& share : x.tables) {
    stamp(share.first);
    stamp(share.last);
  }
  stamp(x.first);
  stamp(x.last);
  if (ends) {
    x.complete = x.rows;
    x.complete_to = x.last;
  }
  return x;
}

expected<bool> is_repeated(row_cursor first, row_cursor last,
                           row_cursor appended_to, row_cursor after) {
  if (last <= appended_to)
    return true;
  auto previous = std::max(appended_to, after);
  if (first <= previous)
    return fail(errc::append_out_of_order, "a transaction, " + to_string(first)
                                             + ", comes after "
                                             + to_string(previous));
  return false;
}

} // namespace sluice
