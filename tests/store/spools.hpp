#pragma once

#include <vector>

#include "tests/store/log_fixture.hpp"

/// Transactions before they commit.
namespace log_test {

struct spooled_row {
  std::uint64_t table = 1;
  std::uint64_t position = 0;
  std::string text = "x";
};

inline block_ptr spooled(const std::vector<spooled_row>& rows) {
  auto builder = row_block_builder{};
  for (const auto& x : rows) {
    auto header = row_header{
      {x.table}, {{}, {}, x.position}, row_op::insert, false, {1}, 0};
    auto values = std::vector{
      value_view::of_integer(static_cast<std::int64_t>(x.position)),
      value_view::of_text(x.text)};
    builder.add(header, {true, false}, {}, values);
  }
  return builder.finish();
}

/// Spools and insists.
inline void spool(log_engine& log, transaction_id transaction,
                  const std::vector<spooled_row>& rows,
                  const std::vector<rows_of_transaction>& of = {}) {
  auto done = log.spool(transaction, spooled(rows), of);
  INFO((done ? "" : to_string(done.error())));
  REQUIRE(done.has_value());
}

/// Commits and insists.
inline spool_end commit(log_engine& log, transaction_id transaction,
                        std::uint64_t ts, std::uint64_t start,
                        std::uint64_t resolved = 0) {
  auto done = log.commit_spooled(transaction, {{ts}, {start}, {resolved}});
  INFO((done ? "" : to_string(done.error())));
  REQUIRE(done.has_value());
  return *done;
}

} // namespace log_test
