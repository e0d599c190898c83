#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "actors/sinks/sqlite/sqlite_sink.hpp"
#include "actors/sources/sqlite/sqlite_source.hpp"
#include "store/sqlite_db.hpp"
#include "tests/sqlite/support_source.hpp"

/// A SQLite source and a SQLite sink, one behind the other, without actors:
/// what stands between them in a service is not the subject here.
namespace sluice::histories_test {

using source_test::encoded;
using source_test::memory_journal;

/// Keeps `replica` equal to `source`. Everything but the files and the journal
/// may go away at any time.
class replication {
public:
  replication(std::string source_path, std::string replica_path) {
    from.path = std::move(source_path);
    from.set_wal = true;
    to.path = std::move(replica_path);
    to.synchronous = sqlite_sink_options::durability::normal;
  }

  /// New connectors: the source goes on after `resume`, and the sink where
  /// its file is.
  status open(row_cursor resume) {
    close();
    source_ = make_sqlite_source(from);
    sink_ = make_sqlite_sink(to);
    if (auto opened = sink_->open({{1}, "histories", {}}); !opened)
      return tl::unexpected{opened.error()};
    auto schemas = source_->open({resume, resume.commit_ts}, *journal_);
    if (!schemas)
      return tl::unexpected{schemas.error()};
    learn(*schemas);
    end_ = resume;
    durable_ = resume;
    return {};
  }
  void close() {
    source_.reset();
    sink_.reset();
  }

  /// Reads and writes one batch. @returns Whether more is there.
  expected<bool> pull(std::size_t bytes_max) {
    auto batch = source_->read(bytes_max);
    if (!batch)
      return tl::unexpected{batch.error()};
    learn(batch->schemas);
    if (batch->rows)
      if (auto done = write(batch->rows); !done)
        return tl::unexpected{done.error()};
    return batch->more;
  }
  status commit() {
    if (auto done = sink_->commit({}, std::nullopt); !done)
      return done;
    durable_ = end_;
    return {};
  }
  /// Lets the source forget some of what is durable.
  status confirm() {
    if (auto done = source_->confirm(durable_.commit_ts); !done)
      return tl::unexpected{done.error()};
    confirmed_ = durable_;
    return {};
  }
  /// Until the replica has everything.
  status drain(std::size_t bytes_max = 1 << 20) {
    for (auto more = true; more;) {
      auto done = pull(bytes_max);
      if (!done)
        return tl::unexpected{done.error()};
      more = *done;
    }
    return commit();
  }

  [[nodiscard]] row_cursor durable() const { return durable_; }
  [[nodiscard]] row_cursor confirmed() const { return confirmed_; }
  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  [[nodiscard]] std::uint64_t copies() const { return copies_; }

  sqlite_source_options from;
  sqlite_sink_options to;

private:
  void learn(const std::vector<ddl_event>& schemas) {
    for (const auto& x : schemas)
      if (!x.dropped)
        schemas_.insert_or_assign(
          std::pair{x.schema.table, x.schema.version},
          std::make_shared<const table_schema>(x.schema));
  }
  status write(const block_ptr& block) {
    static const auto trace = std::getenv("SLUICE_TRACE") != nullptr;
    for (std::size_t i = 0; i < block->rows(); ++i) {
      auto row = block->row(i);
      if (row.op() == row_op::snapshot_begin)
        ++copies_;
      if (trace)
        std::fprintf(stderr, "        table %llu %s\n",
                     static_cast<unsigned long long>(row.table().value),
                     to_string(row).c_str());
    }
    rows_ += block->rows();
    for (const auto& run : block->runs()) {
      auto schema = schemas_.find({run.table, run.schema});
      REQUIRE_MESSAGE(schema != schemas_.end(),
                      "rows of a version that was not declared");
      auto done = sink_->write({schema->second, block, run.first, run.count});
      if (!done)
        return done;
    }
    if (!block->ends().empty())
      end_ = block->row(block->ends().back() - 1).cursor();
    return {};
  }

  std::shared_ptr<memory_journal> journal_ = std::make_shared<memory_journal>();
  std::unique_ptr<source_connector> source_;
  std::unique_ptr<sink_connector> sink_;
  std::map<std::pair<table_id, schema_version>, schema_ptr> schemas_;
  row_cursor end_;       // of the last complete group that was written
  row_cursor durable_;   // the same, committed
  row_cursor confirmed_; // the same, forgotten upstream
  std::uint64_t rows_ = 0;
  std::uint64_t copies_ = 0;
};

/// Opens a database to look at it.
inline std::unique_ptr<sqlite_db> look_into(const std::string& path) {
  auto db = sqlite_db::open(path);
  REQUIRE_MESSAGE(db.has_value(), path);
  return std::move(*db);
}

inline std::vector<std::string> texts_of(sqlite_db& db,
                                         const std::string& sql) {
  auto result = std::vector<std::string>{};
  auto query = db.prepare(sql);
  REQUIRE_MESSAGE(query.has_value(), sql);
  for (auto row = query->step(); row && *row; row = query->step())
    result.emplace_back(query->text(0));
  return result;
}

/// The rows of a table by key, each value with its storage class.
inline std::vector<std::string> rows_of(sqlite_db& db, const std::string& table,
                                        const std::string& columns,
                                        const std::string& order) {
  auto result = std::vector<std::string>{};
  auto query = db.prepare("SELECT " + columns + " FROM " + sqlite_quoted(table)
                          + " ORDER BY " + order);
  REQUIRE_MESSAGE(query.has_value(), "cannot read " << table);
  for (auto row = query->step(); row && *row; row = query->step()) {
    auto& line = result.emplace_back();
    for (auto i = 0; i < query->columns(); ++i)
      line += encoded(query->value(i)) + '|';
  }
  return result;
}

/// What is different between the database and its replica; empty: nothing.
inline std::string difference(const std::string& source_path,
                              const std::string& replica_path) {
  auto source = look_into(source_path);
  auto replica = look_into(replica_path);
  auto names = texts_of(*source, "SELECT name FROM sqlite_schema WHERE type = "
                                 "'table' AND name NOT LIKE 'sluice%' AND "
                                 "name NOT LIKE 'sqlite%'");
  for (const auto& name : names) {
    auto there = texts_of(*replica,
                          "SELECT name FROM pragma_table_info('" + name + "')");
    if (there.empty())
      return name + ": the replica lacks the table";
    auto wanted = std::string{};
    auto given = std::string{};
    auto columns = texts_of(*source, "SELECT name FROM pragma_table_info('"
                                       + name + "')");
    for (const auto& x : columns) {
      auto column = sqlite_quoted(x);
      auto has = std::find(there.begin(), there.end(), x) != there.end();
      wanted += (wanted.empty() ? "" : ", ") + column;
      // A column is added there with the first row that has it.
      given += (given.empty() ? "" : ", ") + (has ? column : "NULL");
    }
    for (const auto& x : there)
      if (std::find(columns.begin(), columns.end(), x) == columns.end())
        return name + ": the source lacks the column " + x;
    auto order = std::string{};
    for (const auto& x :
         texts_of(*source, "SELECT name FROM pragma_table_info('" + name
                             + "') WHERE pk > 0 ORDER BY pk"))
      order += (order.empty() ? "" : ", ") + sqlite_quoted(x)
               + " COLLATE BINARY";
    auto left = rows_of(*source, name, wanted, order);
    auto right = rows_of(*replica, name, given, order);
    if (left == right)
      continue;
    auto text = name + ": source and replica have "
                + std::to_string(left.size()) + " and "
                + std::to_string(right.size()) + " rows";
    for (const auto& x : left)
      if (std::find(right.begin(), right.end(), x) == right.end())
        text += "\n  only in the source:  " + x;
    for (const auto& x : right)
      if (std::find(left.begin(), left.end(), x) == left.end())
        text += "\n  only in the replica: " + x;
    return text;
  }
  return {};
}

} // namespace sluice::histories_test
