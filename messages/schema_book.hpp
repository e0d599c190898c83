#pragma once

#include <cstddef>
#include <vector>

#include "messages/errc.hpp"
#include "messages/schema.hpp"
#include "messages/sink.hpp"
#include "messages/table_map.hpp"

namespace sluice {

/// The schemas that a sink was told, by table and version. They stay, so that
/// rows which an application keeps can be decoded as long as the book is there.
class schema_book {
public:
  void add(const std::vector<schema_ptr>& schemas);
  /// Null if it was not told.
  [[nodiscard]] const schema_ptr* find(table_id table,
                                       schema_version version) const {
    auto i = places_.find(table);
    if (i == table_map::none)
      return nullptr;
    if (const auto& last = tables_[i].last; last->version == version)
      return &last; // by far the most frequent
    return find_earlier(i, version);
  }

private:
  struct table_schemas {
    schema_ptr last;
    std::vector<schema_ptr> earlier;
  };
  [[nodiscard]] const schema_ptr* find_earlier(std::size_t i,
                                               schema_version version) const;

  table_map places_; // in tables_
  std::vector<table_schemas> tables_;
};

/// Calls `f(run)` for each run of a block that the cohort has rows of.
template <class F>
void for_each_run(const cohort_rows& x, F f) {
  const auto& runs = x.block->runs();
  if (x.runs.empty())
    for (const auto& run : runs)
      f(run);
  else
    for (auto i : x.runs)
      f(runs[i]);
}

/// Rows that cannot be decoded.
[[nodiscard]] error unknown_schema(const block_run& run);

/// All rows of a batch as a sink of single tables takes them. Notes the
/// schemas that come with it. @error malformed: rows of one that never came.
[[nodiscard]] expected<std::vector<write_item>> by_table(write_rows x,
                                                         schema_book& schemas);

} // namespace sluice
