#include "actors/sources/sqlite/table_copy.hpp"

#include "actors/sources/sqlite/outbox_reader.hpp"
#include "actors/sources/sqlite/source_error.hpp"

namespace sluice {

table_copy::table_copy(sqlite_db& db, std::uint64_t seq,
                       std::vector<table> tables)
  : db_{db}, seq_{seq}, tables_{std::move(tables)} {
  // nop
}

expected<bool> table_copy::fill(row_block_builder& into,
                                std::size_t bytes_max) {
  for (;;) {
    // One row ahead, as only then the last one is known.
    if (!pending_) {
      auto found = next();
      if (!found)
        return pass_on(found);
      if (!*found) {
        into.end();
        return true;
      }
      pending_ = true;
    }
    if (!into.empty() && into.size_bytes() >= bytes_max)
      return false;
    if (ordinal_ == 0)
      add_begin(tables_[at_], into);
    else
      add_row(tables_[at_], into);
    pending_ = false;
  }
}

expected<bool> table_copy::next() {
  if (rows_) {
    auto stepped = rows_->step();
    if (!stepped)
      return pass_on(stepped);
    if (*stepped) {
      ++ordinal_;
      return true;
    }
    rows_.reset();
    ++at_;
  }
  if (at_ == tables_.size())
    return false;
  if (auto opened = open(tables_[at_]); !opened)
    return pass_on(opened);
  ordinal_ = 0;
  return true;
}

status table_copy::open(const table& x) {
  const auto& of = x.job.of;
  auto columns = std::string{};
  for (const auto& column : of.columns)
    columns += (columns.empty() ? "" : ", ") + sqlite_quoted(column.name);
  auto from = " FROM main." + sqlite_quoted(of.name);
  // Their order does not matter; this one reads each page once.
  auto rows = db_.prepare("SELECT " + columns + from);
  if (!rows)
    return pass_on(rows);
  rows_.emplace(std::move(*rows));
  auto count = db_.query_integer("SELECT count(*)" + from);
  if (!count)
    return pass_on(count);
  progress_ = {of.name, 0, static_cast<std::uint64_t>(*count)};
  key_columns_ = key_columns(of.columns);
  return {};
}

row_header table_copy::header(const table& x, row_op op,
                              std::uint64_t ordinal) const {
  return {
    x.id, {{seq_}, {x.job.number.value}, ordinal}, op, true, {x.job.of.version},
    0};
}

void table_copy::add_begin(const table& x, row_block_builder& into) const {
  into.add(header(x, row_op::snapshot_begin, 0), key_columns_, {}, {});
}

void table_copy::add_row(const table& x, row_block_builder& into) {
  values_.clear();
  for (std::size_t i = 0; i < key_columns_.size(); ++i)
    values_.push_back(rows_->value(static_cast<int>(i)));
  into.add(header(x, row_op::insert, ordinal_), key_columns_, {}, values_);
  progress_.rows_done = ordinal_;
}

} // namespace sluice
