#include "tests/simulation/world/upstream.hpp"

#include <algorithm>

namespace sluice::simulation {

// -- history ------------------------------------------------------------------

void history::commit(dice& luck) {
  if (!open_ts_)
    ++ts_;
  auto start = start_++;
  auto rows = luck.percent(3) ? 40 : 1 + luck.roll(6);
  for (std::uint64_t i = 0; i < rows; ++i) {
    auto table = 1 + luck.roll(tables_);
    by_table_[table].push_back(all_.size());
    all_.push_back({table, {{ts_}, {start}, i}, i + 1 == rows});
  }
  open_ts_ = luck.percent(25);
}

std::size_t history::up_to(std::uint64_t table, timestamp ts) const {
  const auto& rows = of(table);
  auto end = std::partition_point(rows.begin(), rows.end(), [&](std::size_t i) {
    return all_[i].cursor.commit_ts <= ts;
  });
  return static_cast<std::size_t>(end - rows.begin());
}

// -- upstream -----------------------------------------------------------------

expected<std::vector<ddl_event>> upstream::open(row_cursor resume,
                                                source_journal&) {
  const auto& all = truth_.all();
  auto begin = std::partition_point(
    all.begin(), all.end(), [&](const auto& x) { return x.cursor <= resume; });
  next_ = static_cast<std::size_t>(begin - all.begin());
  auto result = std::vector<ddl_event>{};
  for (std::uint64_t table = 1; table <= truth_.tables(); ++table)
    result.push_back(test::ddl(table, 1, 0));
  return result;
}

expected<source_batch> upstream::read(std::size_t) {
  const auto& all = truth_.all();
  auto result = source_batch{};
  auto rows = row_block_builder{};
  for (auto left = 1 + luck_.roll(rows_max_); left > 0 && next_ < all.size();
       --left, ++next_) {
    const auto& x = all[next_];
    auto id = value_view::of_integer(static_cast<std::int64_t>(next_));
    auto header = row_header{};
    header.table = {x.table};
    header.cursor = x.cursor;
    header.schema = {1};
    rows.add(header, {true}, {}, {&id, 1});
    if (x.ends)
      rows.end();
  }
  result.more = next_ < all.size();
  result.resolved = result.more ? all[next_].cursor.commit_ts.previous()
                                : truth_.settled();
  if (!rows.empty())
    result.rows = rows.finish();
  return result;
}

expected<bool> upstream::confirm(timestamp) {
  return false;
}

std::chrono::milliseconds upstream::idle_wait(std::uint32_t) const {
  return std::chrono::milliseconds{10};
}

} // namespace sluice::simulation
