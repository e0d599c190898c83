#pragma once

#include <vector>

#include "tests/store/log_fixture.hpp"
#include "tests/support/dice.hpp"

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

/// These rows before their transaction committed.
inline block_ptr uncommitted(const std::vector<row>& rows) {
  auto bytes = std::string{block_of(rows)->bytes()};
  REQUIRE(set_commit(bytes, {}, {}).has_value());
  auto result = row_block::parse(std::move(bytes), {});
  REQUIRE(result.has_value());
  return *result;
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

/// Spools the rows of a transaction in chunks, with one that is left out behind
/// them, and between them rows of a transaction that goes on.
inline status spool_at_random(log_engine& log, sluice::test::dice& luck,
                              const std::vector<row>& rows) {
  auto id = transaction_id{rows[0].ts};
  auto sub = transaction_id{1'000'000 + id.value};
  for (std::size_t i = 0; i < rows.size();) {
    auto chunk = std::vector<row>{};
    auto of = std::vector<rows_of_transaction>{};
    for (auto n = 1 + luck.roll(3); n > 0 && i < rows.size(); --n, ++i) {
      chunk.push_back(rows[i]);
      of.push_back({id, 1});
    }
    if (i == rows.size()) {
      chunk.push_back({1, 0, true, "left out", rows.back().position + 1});
      of.push_back({sub, 1});
    }
    if (auto done = log.spool(id, uncommitted(chunk), of); !done)
      return done;
    auto other = row{1, 0, true, "open", 1000 * id.value + i};
    if (luck.percent(30))
      if (auto done = log.spool({1}, uncommitted({other}), {}); !done)
        return done;
  }
  log.leave_out(id, sub);
  return {};
}

} // namespace log_test
