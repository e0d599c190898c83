#include "tests/simulation/world/upstream.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace sluice::simulation {

bool upstream::fails() {
  if (*failing_ == 0)
    return false;
  --*failing_;
  return true;
}

expected<std::vector<ddl_event>> upstream::open(const source_position& from,
                                                source_journal&) {
  if (fails())
    return fail(errc::source_unavailable, "upstream is away");
  const auto& all = truth_.all();
  auto begin = std::partition_point(all.begin(), all.end(), [&](const auto& x) {
    return x.cursor <= from.resume;
  });
  next_ = static_cast<std::size_t>(begin - all.begin());
  auto newest = std::map<table_id, ddl_event>{};
  const auto& ddl = truth_.schemas();
  for (next_ddl_ = 0; next_ddl_ < ddl.size(); ++next_ddl_) {
    if (ddl[next_ddl_].before > next_)
      break;
    newest[ddl[next_ddl_].event.schema.table] = ddl[next_ddl_].event;
  }
  auto result = std::vector<ddl_event>{};
  for (auto& [table, event] : newest)
    result.push_back(std::move(event));
  return result;
}

expected<source_batch> upstream::read(std::size_t) {
  if (fails())
    return fail(errc::source_unavailable, "upstream is away");
  const auto& all = truth_.all();
  const auto& ddl = truth_.schemas();
  auto result = source_batch{};
  auto rows = row_block_builder{};
  auto end = std::min(all.size(), next_ + 1 + choose_.roll(rows_max_));
  for (;;) {
    // A version that no row has is left out, as `open` does: declared later
    // than the next one, after a replay, it would be refused.
    auto newest = std::map<table_id, ddl_event>{};
    for (; next_ddl_ < ddl.size() && ddl[next_ddl_].before == next_;
         ++next_ddl_)
      newest[ddl[next_ddl_].event.schema.table] = ddl[next_ddl_].event;
    for (auto& [table, event] : newest)
      result.schemas.push_back(std::move(event));
    if (next_ >= end)
      break;
    add(rows, all[next_++]);
  }
  result.more = next_ < all.size();
  result.resolved = result.more ? all[next_].cursor.commit_ts.previous()
                                : truth_.settled();
  if (!rows.empty())
    result.rows = rows.finish();
  return result;
}

void upstream::add(row_block_builder& to, const history::row& x) {
  auto text = std::string(x.bytes, 'x');
  auto values = std::array{
    value_view::of_integer(static_cast<std::int64_t>(x.cursor.commit_ts.value)),
    value_view::of_text(text)};
  auto header = row_header{};
  header.table = {x.table};
  header.cursor = x.cursor;
  header.schema = x.version;
  to.add(header, {true, false}, {}, values);
  if (x.ends)
    to.end();
}

expected<bool> upstream::confirm(timestamp ts) {
  confirmed_(ts);
  return false;
}

std::chrono::milliseconds upstream::idle_wait(std::uint32_t) const {
  return std::chrono::milliseconds{100};
}

} // namespace sluice::simulation
