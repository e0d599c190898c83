#include "actors/sources/postgres/copy_rows.hpp"

#include <algorithm>
#include <utility>

#include "actors/sources/postgres/pg_value.hpp"

namespace sluice::postgres {

copy_rows::copy_rows(std::unique_ptr<table_copies> from,
                     const captured_tables& tables)
  : from_{std::move(from)} {
  for (const auto& x : from_->tables()) {
    auto entry = table{};
    entry.of = tables.named(x.qualified());
    for (const auto& c : x.columns) {
      entry.key_columns.push_back(c.key_part > 0);
      entry.types.push_back(c.type);
    }
    tables_.push_back(std::move(entry));
  }
}

expected<bool> copy_rows::fill(row_block_builder& into, std::size_t bytes_max,
                               std::chrono::milliseconds wait) {
  while (!from_->done() && into.size_bytes() < bytes_max) {
    auto piece = from_->take(into.empty() ? wait : wait.zero());
    if (!piece)
      return tl::unexpected{std::move(piece.error())};
    if (!*piece)
      return false;
    if (auto added = add_piece(**piece, into); !added)
      return tl::unexpected{std::move(added.error())};
  }
  return from_->done();
}

status copy_rows::add_piece(const copied_piece& x, row_block_builder& into) {
  auto& to = tables_[x.table];
  if (!std::exchange(to.begun, true))
    into.add(next_header(to, row_op::snapshot_begin), to.key_columns, {}, {});
  auto lines = std::string_view{x.lines};
  while (!lines.empty()) {
    next_line(lines, fields_);
    if (auto added = add_row(to, into); !added)
      return added;
  }
  to.ended = x.last;
  note_progress(x.table);
  return {};
}

// An estimate that turned out wrong is mended as far as is known.
void copy_rows::note_progress(std::size_t of) {
  progress_ = {tables_[of].of->name, 0, 0, 0, 0};
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    const auto& x = tables_[i];
    auto estimated = from_->tables()[i].rows_estimated;
    auto total = x.ended ? x.rows : std::max(x.rows, estimated);
    progress_.all_done += x.rows;
    progress_.all_total += total;
    if (i == of) {
      progress_.rows_done = x.rows;
      progress_.rows_total = total;
    }
  }
}

status copy_rows::add_row(table& to, row_block_builder& into) {
  if (fields_.size() != to.types.size())
    return fail(errc::malformed, to.of->name + ": a line of "
                                   + std::to_string(fields_.size())
                                   + " fields in its copy");
  values_.clear();
  bytes_.resize(fields_.size());
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    auto x = fields_[i] ? tuple_value{value_kind::text, *fields_[i]}
                        : tuple_value{};
    auto value = to_value(to.types[i], x, bytes_[i]);
    if (!value)
      return tl::unexpected{std::move(value.error())};
    values_.push_back(*value);
  }
  into.add(next_header(to, row_op::insert), to.key_columns, {}, values_);
  ++to.rows;
  return {};
}

row_header copy_rows::next_header(const table& of, row_op op) {
  ++at_.position;
  return {of.of->id, at_, op, true, of.of->versions.back().number, 0};
}

} // namespace sluice::postgres
