#include "tests/simulation/world/target.hpp"

#include <fmt/format.h>

namespace sluice::simulation {

bool target::fails() {
  if (failing_ == 0)
    return false;
  --failing_;
  return true;
}

expected<sink_position> target::open(const feed_record& feed) {
  if (fails())
    return sluice::fail(errc::sink_unavailable, name_ + " is away");
  order_ = feed.rules.order;
  writer_ = writer_.next();
  restored_ = false;
  open_ = durable_;
  auto result = sink_position{writer_, {}, durable_.low_watermark};
  for (const auto& [table, position] : durable_.positions)
    result.positions.push_back(position);
  return result;
}

status target::write(const sink_rows& x) {
  if (fails())
    return sluice::fail(errc::sink_unavailable, name_ + " is away");
  for (std::uint32_t i = 0; i < x.count; ++i) {
    auto row = x.block->grouped(x.first + i);
    auto table = row.table().value;
    auto& count = open_.rows[table];
    const auto& rows = truth_.of(table);
    auto next = count < rows.size() ? truth_.all()[rows[count]].cursor
                                    : row_cursor{};
    checks_.check(rule::i8, count < rows.size() && row.cursor() == next, [&] {
      return fmt::format("{}: table {}: row {} came, {} was the next", name_,
                         table, to_string(row.cursor()), to_string(next));
    });
    ++count;
  }
  return {};
}

status target::commit(const std::vector<table_position>& positions,
                      std::optional<timestamp> low_watermark) {
  if (fails()) {
    open_ = durable_;
    return sluice::fail(errc::sink_unavailable, name_ + " is away");
  }
  for (const auto& x : positions)
    open_.positions[x.table] = x;
  if (low_watermark)
    open_.low_watermark = *low_watermark;
  durable_ = open_;
  check_positions();
  if (order_ == feed_order::transaction)
    check_transactions();
  return {};
}

// What is there are the first rows of the history, up to the end of a
// transaction.
void target::check_transactions() {
  auto total = std::size_t{0};
  for (const auto& [table, count] : durable_.rows)
    total += count;
  auto counts = std::map<std::uint64_t, std::size_t>{};
  for (std::size_t i = 0; i < total && i < truth_.all().size(); ++i)
    ++counts[truth_.all()[i].table];
  auto whole = total == 0 || truth_.all()[total - 1].ends;
  auto same = true;
  for (const auto& [table, count] : durable_.rows)
    same = same && counts[table] == count;
  checks_.check(rule::n1, whole && same, [&] {
    return fmt::format("{}: a commit of {} rows shows a part of a transaction",
                       name_, total);
  });
}

// A position says of rows that they are there: it must be true.
void target::check_positions() {
  auto holds = [&](std::uint64_t table, timestamp ts) {
    checks_.check(rule::i2, rows(table) >= truth_.up_to(table, ts), [&] {
      return fmt::format("{}: table {}: {} is stored, but of {} rows up to it "
                         "only {} are there",
                         name_, table, ts.value, truth_.up_to(table, ts),
                         rows(table));
    });
  };
  for (std::uint64_t table = 1; table <= truth_.tables(); ++table)
    holds(table, durable_.low_watermark);
  for (const auto& [table, position] : durable_.positions)
    if (table == all_tables)
      for (std::uint64_t t = 1; t <= truth_.tables(); ++t)
        holds(t, position.checkpoint);
    else
      holds(table.value, position.checkpoint);
}

} // namespace sluice::simulation
