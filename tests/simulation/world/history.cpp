#include "tests/simulation/world/history.hpp"

#include <algorithm>

#include "tests/support/rows.hpp"

namespace sluice::simulation {

history::history(const schedule_options& how) : large_{how.large} {
  while (tables() < how.tables)
    add_table();
  for (auto& x : ddl_) // there from the beginning
    x.event = test::ddl(x.event.schema.table.value, 1, 0);
}

void history::add_table() {
  by_table_.emplace_back();
  versions_.push_back({1});
  ddl_.push_back({all_.size(), test::ddl(tables(), 1, ts_)});
}

void history::commit(choices& choose) {
  if (!open_ts_)
    ++ts_;
  auto start = start_++;
  auto rows = choose.percent(3) ? 40 : 1 + choose.roll(6);
  for (std::uint64_t i = 0; i < rows; ++i) {
    auto table = 1 + choose.roll(tables());
    by_table_[table - 1].push_back(all_.size());
    auto bytes = choose.percent(large_) ? std::size_t{3'000} : 0;
    all_.push_back({table,
                    {{ts_}, {start}, i},
                    i + 1 == rows,
                    versions_[table - 1],
                    bytes});
  }
  open_ts_ = choose.percent(25);
}

// Rows <= its ts have the schema before: it comes after those of the same ts.
void history::change_schema(choices& choose) {
  if (!std::exchange(open_ts_, false))
    ++ts_;
  if (tables() < tables_max && choose.percent(30)) {
    add_table();
    return;
  }
  auto table = choose.roll(tables());
  versions_[table].value += 1;
  ddl_.push_back(
    {all_.size(), test::ddl(table + 1, versions_[table].value, ts_)});
}

std::size_t history::up_to(std::uint64_t table, row_cursor last) const {
  const auto& rows = of(table);
  auto end = std::partition_point(rows.begin(), rows.end(), [&](std::size_t i) {
    return all_[i].cursor <= last;
  });
  return static_cast<std::size_t>(end - rows.begin());
}

} // namespace sluice::simulation
