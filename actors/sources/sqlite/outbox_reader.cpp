#include "actors/sources/sqlite/outbox_reader.hpp"

#include <cmath>

#include "actors/sources/sqlite/source_error.hpp"
#include "actors/sources/sqlite/trigger_sql.hpp"

namespace sluice {

namespace {

constexpr auto log_sql = "SELECT seq, tbl, op, nonce, time FROM sluice_log"
                         " WHERE seq > ?1 ORDER BY seq";

row_op op_of(std::int64_t op) {
  return static_cast<row_op>(op); // the numbers are the same
}

std::string rows_sql(const outbox_table& table) {
  auto result = std::string{"SELECT seq"};
  for (const auto* prefix : {", o", ", n"})
    for (std::size_t i = 1; i <= table.columns.size(); ++i)
      result += prefix + std::to_string(i);
  return result + " FROM " + rows_table(table.capture)
         + " WHERE seq > ?1 ORDER BY seq";
}

void take(const sqlite_statement& row, int first, std::size_t count,
          std::vector<value_view>& into) {
  into.clear();
  for (std::size_t i = 0; i < count; ++i)
    into.push_back(row.value(first + static_cast<int>(i)));
}

} // namespace

outbox_reader::outbox_reader(sqlite_db& db) : db_{db} {
  // nop
}

void outbox_reader::set_tables(const std::vector<outbox_table>& tables) {
  end();
  sources_.clear();
  for (const auto& x : tables)
    sources_.emplace(
      x.capture, source{x, key_columns(x.columns), rows_sql(x), std::nullopt});
}

status outbox_reader::begin(std::uint64_t after) {
  end();
  auto log = db_.cached(log_sql);
  if (!log)
    return pass_on(log);
  log_.emplace(std::move(*log));
  log_->bind_unsigned(1, after);
  begun_after_ = after;
  last_ = {after, 0};
  return {};
}

void outbox_reader::end() {
  log_.reset();
  pending_ = nullptr;
  for (auto& entry : sources_)
    entry.second.rows.reset();
}

expected<bool> outbox_reader::fill(row_block_builder& into,
                                   std::size_t bytes_max) {
  for (;;) {
    // One row ahead: whether a row is the last one shows only behind it.
    if (pending_ == nullptr) {
      auto found = next();
      if (!found)
        return pass_on(found);
      if (!*found) {
        into.end();
        return true;
      }
    }
    if (!into.empty() && into.size_bytes() >= bytes_max)
      return false;
    add(*pending_, into);
    pending_ = nullptr;
  }
}

// Steps to the next row that is to be given.
expected<bool> outbox_reader::next() {
  for (;;) {
    auto stepped = log_->step();
    if (!stepped)
      return pass_on(stepped);
    if (!*stepped)
      return false;
    last_ = {log_->unsigned_integer(0), log_->integer(3)};
    auto op = log_->integer(2);
    auto found = sources_.find(log_->integer(1));
    if (op < 1 || op > 3 || found == sources_.end()
        || last_.seq <= found->second.table.after_seq)
      continue;
    if (auto row = find_row(found->second); !row)
      return pass_on(row);
    pending_ = &found->second;
    return true;
  }
}

status outbox_reader::find_row(source& from) {
  if (!from.rows) {
    auto rows = db_.cached(from.sql);
    if (!rows)
      return pass_on(rows);
    from.rows.emplace(std::move(*rows));
    from.rows->bind_unsigned(1, last_.seq - 1);
  }
  for (;;) {
    auto stepped = from.rows->step();
    if (!stepped)
      return pass_on(stepped);
    if (*stepped && from.rows->unsigned_integer(0) < last_.seq)
      continue;
    if (*stepped && from.rows->unsigned_integer(0) == last_.seq)
      return {};
    return fail(errc::source_schema_changed,
                db_.path() + ": " + rows_table(from.table.capture)
                  + " lacks the row of position " + std::to_string(last_.seq));
  }
}

void outbox_reader::add(source& from, row_block_builder& into) {
  auto header = row_header{};
  header.table = from.table.table;
  header.cursor = {
    {last_.seq}, {last_.seq}, static_cast<std::uint64_t>(last_.nonce)};
  header.op = op_of(log_->integer(2));
  header.schema = from.table.version;
  header.recorded_us = unix_microseconds(log_->real(4));
  auto count = from.table.columns.size();
  before_.clear();
  after_.clear();
  if (header.op != row_op::insert)
    take(*from.rows, 1, count, before_);
  if (header.op != row_op::erase)
    take(*from.rows, 1 + static_cast<int>(count), count, after_);
  into.add(header, from.key_columns, before_, after_);
}

std::uint64_t unix_microseconds(double julianday) noexcept {
  constexpr auto unix_epoch = 2'440'587.5;
  auto milliseconds = std::llround((julianday - unix_epoch) * 86'400'000.0);
  return milliseconds < 0 ? 0 : static_cast<std::uint64_t>(milliseconds) * 1000;
}

std::vector<bool> key_columns(const std::vector<column>& columns) {
  auto result = std::vector<bool>{};
  for (const auto& x : columns)
    result.push_back(x.key_part > 0);
  return result;
}

} // namespace sluice
