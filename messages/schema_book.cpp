#include "messages/schema_book.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace sluice {

void schema_book::add(const std::vector<schema_ptr>& schemas) {
  for (const auto& x : schemas) {
    if (find(x->table, x->version) != nullptr)
      continue;
    auto i = places_.find(x->table);
    if (i == table_map::none) {
      places_.exchange(x->table, tables_.size());
      tables_.push_back({x, {}});
      continue;
    }
    auto& of = tables_[i];
    of.earlier.push_back(std::exchange(of.last, x));
  }
}

const schema_ptr* schema_book::find_earlier(std::size_t i,
                                            schema_version version) const {
  const auto& of = tables_[i].earlier;
  auto found = std::find_if(of.rbegin(), of.rend(), [&](const schema_ptr& x) {
    return x->version == version;
  });
  return found == of.rend() ? nullptr : &*found;
}

error unknown_schema(const block_run& run) {
  return {errc::malformed, "rows of " + to_string(run.table) + " came before "
                             + to_string(run.schema) + " of it"};
}

expected<std::vector<write_item>> by_table(write_rows x, schema_book& schemas) {
  schemas.add(x.schemas);
  auto result = std::move(x.items);
  auto failure = error{};
  for (const auto& rows : x.cohort)
    for_each_run(rows, [&](const block_run& run) {
      const auto* schema = schemas.find(run.table, run.schema);
      if (schema == nullptr)
        failure = unknown_schema(run);
      else
        result.push_back({*schema,
                          rows.block,
                          run.first,
                          run.count,
                          {run.table, run.last_cursor, rows.to.complete_to()}});
    });
  if (failure)
    return tl::unexpected{std::move(failure)};
  return result;
}

} // namespace sluice
