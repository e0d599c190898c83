#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <unistd.h>

#include "actors/sources/sqlite/sqlite_source.hpp"
#include "store/sqlite_db.hpp"
#include "tests/support/memory_journal.hpp"
#include "tests/support/temporary_directory.hpp"

/// What the tests of the SQLite source share.
namespace sluice::source_test {

using test::memory_journal;
using test::temporary_directory;

/// One of the application's connections.
class application {
public:
  explicit application(const std::string& path) {
    auto opened = sqlite_db::open(path);
    REQUIRE(opened);
    db = std::move(*opened);
  }
  /// Must succeed.
  void run(const std::string& sql) {
    auto done = db->exec(sql);
    INFO((done ? std::string{} : to_string(done.error())));
    REQUIRE(done);
  }
  /// May fail, e.g. by a constraint.
  bool attempt(const std::string& sql) { return db->exec(sql).has_value(); }
  [[nodiscard]] std::int64_t integer(const std::string& sql) {
    auto x = db->query_integer(sql);
    REQUIRE(x);
    return *x;
  }

  std::unique_ptr<sqlite_db> db;
};

/// A value with its storage class, so that 1, 1.0, '1' and x'31' differ.
inline std::string encoded(const value_view& x) {
  switch (x.type) {
    case value_type::integer:
      return 'i' + std::to_string(x.integer);
    case value_type::real: {
      char text[40];
      std::snprintf(text, sizeof text, "r%.17g", x.real);
      return text;
    }
    case value_type::text:
      return 't' + std::string{x.bytes};
    case value_type::blob:
      return 'b' + std::string{x.bytes};
    case value_type::unchanged:
      return "u";
    default:
      return "n";
  }
}

using encoded_row = std::vector<std::string>;

inline encoded_row encoded(const image_view& image) {
  auto result = encoded_row{};
  for (std::uint16_t i = 0; i < image.size(); ++i)
    result.push_back(encoded(image[i]));
  return result;
}

/// All rows of a table, in any order.
inline std::multiset<encoded_row> rows_of(application& app,
                                          const std::string& columns,
                                          const std::string& table) {
  auto result = std::multiset<encoded_row>{};
  auto query = app.db->prepare("SELECT " + columns + " FROM "
                               + sqlite_quoted(table));
  REQUIRE(query);
  for (;;) {
    auto row = query->step();
    REQUIRE(row);
    if (!*row)
      return result;
    auto filled = encoded_row{};
    for (int i = 0; i < query->columns(); ++i)
      filled.push_back(encoded(query->value(i)));
    result.insert(std::move(filled));
  }
}

inline std::string printed(const std::multiset<encoded_row>& rows) {
  auto result = std::string{};
  for (const auto& row : rows) {
    for (const auto& x : row)
      result += x + ' ';
    result += '\n';
  }
  return result;
}

/// Applies rows strictly: an insert must be new, an update and a delete must
/// find exactly the row that they name as the one before.
class mirror {
public:
  void apply(const row_view& row) {
    auto& table = tables[row.table().value];
    switch (row.op()) {
      case row_op::snapshot_begin:
        table.clear();
        return;
      case row_op::truncate:
        table.clear();
        return;
      case row_op::insert:
        check(table.emplace(key(row, row.after()), encoded(row.after())).second,
              row);
        return;
      case row_op::erase:
        take(table, row);
        return;
      case row_op::update:
        take(table, row);
        check(table.emplace(key(row, row.after()), encoded(row.after())).second,
              row);
        return;
    }
  }

  [[nodiscard]] std::multiset<encoded_row> rows(table_id table) const {
    auto result = std::multiset<encoded_row>{};
    auto found = tables.find(table.value);
    if (found != tables.end())
      for (const auto& entry : found->second)
        result.insert(entry.second);
    return result;
  }

  std::map<std::uint64_t, std::map<encoded_row, encoded_row>> tables;
  std::vector<std::string> anomalies;
  bool exact = true; ///< Also the columns outside the key are compared.

private:
  static encoded_row key(const row_view& row, const image_view& image) {
    auto result = encoded_row{};
    for (std::uint16_t i = 0; i < image.size(); ++i)
      if (row.in_key(i))
        result.push_back(encoded(image[i]));
    return result;
  }

  void take(std::map<encoded_row, encoded_row>& from, const row_view& row) {
    auto found = from.find(key(row, row.before()));
    if (found == from.end())
      return check(false, row);
    auto before = encoded(row.before());
    // A refresh tells what an earlier version of the schema left out.
    auto refresh = row.op() == row_op::update && before == encoded(row.after());
    check(refresh || !exact || found->second == before, row);
    from.erase(found);
  }

  void check(bool ok, const row_view& row) {
    if (!ok)
      anomalies.push_back(to_string(row));
  }
};

/// Everything a source gave, as it gave it.
struct pulled {
  std::vector<ddl_event> schemas;
  std::string bytes; ///< Of all rows, one behind the other.
  std::vector<std::string> rows;
  std::vector<row_cursor> cursors;
  std::vector<row_op> ops;
  std::vector<bool> copied;
  std::vector<row_cursor> ends; ///< Cursors at end marks.
  timestamp resolved;
};

/// A source with its journal and what came out of it.
class feed {
public:
  explicit feed(sqlite_source_options options)
    : options_{std::move(options)}, source{make_sqlite_source(options_)} {
    // nop
  }
  explicit feed(const std::string& path) : feed(options_of(path)) {
    // nop
  }
  static sqlite_source_options options_of(const std::string& path) {
    auto result = sqlite_source_options{};
    result.path = path;
    result.set_wal = true;
    return result;
  }

  expected<std::vector<ddl_event>> try_open(row_cursor resume = {}) {
    cursor = resume;
    resolved = resume.commit_ts;
    return source->open({resume, resume.commit_ts}, *journal);
  }
  std::vector<ddl_event> open(row_cursor resume = {}) {
    auto result = try_open(resume);
    INFO((result ? std::string{} : to_string(result.error())));
    REQUIRE(result);
    return *result;
  }
  /// The process died and starts again: only the journal is left.
  void restart(row_cursor resume) {
    source = make_sqlite_source(options_);
    open(resume);
  }

  /// Reads until nothing is new, checking what every batch must keep.
  pulled pull(std::size_t bytes_max = 1 << 20) {
    auto result = pulled{};
    for (;;) {
      auto batch = source->read(bytes_max);
      INFO((batch ? std::string{} : to_string(batch.error())));
      REQUIRE(batch);
      take(*batch, result);
      if (!batch->more)
        return result;
    }
  }

  void take(const source_batch& batch, pulled& into) {
    into.schemas.insert(into.schemas.end(), batch.schemas.begin(),
                        batch.schemas.end());
    CHECK(batch.resolved >= resolved);
    if (batch.rows) {
      CHECK(batch.rows->first_cursor().commit_ts > resolved);
      take_rows(*batch.rows, into);
    }
    resolved = std::max(resolved, batch.resolved);
    // What is resolved must have its end mark.
    CHECK((!open_group || resolved < open_since));
    into.resolved = resolved;
  }

  void confirm_all(timestamp ts) {
    for (;;) {
      auto more = source->confirm(ts);
      INFO((more ? std::string{} : to_string(more.error())));
      REQUIRE(more);
      if (!*more)
        return;
    }
  }

  [[nodiscard]] table_id table(const std::string& name) {
    return journal->tables_of({name})->front();
  }

  sqlite_source_options options_;
  std::shared_ptr<memory_journal> journal = std::make_shared<memory_journal>();
  std::unique_ptr<source_connector> source;
  mirror copy;
  row_cursor cursor; // of the last row
  row_cursor last_end;
  timestamp resolved;
  bool open_group = false;
  timestamp open_since;

private:
  void take_rows(const row_block& block, pulled& into) {
    auto end = block.ends().begin();
    for (std::size_t i = 0; i < block.rows(); ++i) {
      auto row = block.row(i);
      CHECK(row.cursor() > cursor);
      cursor = row.cursor();
      if (!open_group)
        open_since = row.commit_ts();
      open_group = true;
      into.bytes += row.bytes();
      into.rows.push_back(to_string(row));
      into.cursors.push_back(row.cursor());
      into.ops.push_back(row.op());
      into.copied.push_back(row.copied());
      copy.apply(row);
      if (end != block.ends().end() && *end == i + 1) {
        into.ends.push_back(cursor);
        last_end = cursor;
        open_group = false;
        ++end;
      }
    }
  }
};

/// A database with one application connection and one feed on it.
struct database {
  database() : database("") {
    // nop
  }
  explicit database(const std::string& schema)
    : path{directory.file("app.db")}, app{path}, uut{path} {
    app.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
    app.run(schema);
  }
  /// The copy has exactly the rows of the table.
  void check_equal(const std::string& table, const std::string& columns = "*") {
    auto copied = printed(uut.copy.rows(uut.table(table)));
    CHECK(copied == printed(rows_of(app, columns, table)));
    auto anomalies = std::string{};
    for (const auto& x : uut.copy.anomalies)
      anomalies += x + '\n';
    CHECK(anomalies == "");
  }

  temporary_directory directory;
  std::string path;
  application app;
  feed uut;
};

} // namespace sluice::source_test
