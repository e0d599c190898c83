#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "actors/sinks/sqlite/sqlite_sink.hpp"
#include "store/sqlite_db.hpp"
#include "tests/support/temporary_directory.hpp"

/// What the tests of the SQLite sink share.
namespace sink_test {

using namespace sluice;
using values = std::vector<value_view>;

inline value_view i(std::int64_t x) {
  return value_view::of_integer(x);
}
inline value_view r(double x) {
  return value_view::of_real(x);
}
inline value_view t(std::string_view x) {
  return value_view::of_text(x);
}
inline value_view b(std::string_view x) {
  return value_view::of_blob(x);
}
inline value_view null() {
  return {};
}
inline value_view same() {
  return value_view::unchanged();
}

inline schema_ptr schema_of(std::uint64_t id, std::string name,
                            std::uint64_t version,
                            std::vector<column> columns) {
  return std::make_shared<const table_schema>(
    table_schema{{id}, std::move(name), {version}, {}, std::move(columns)});
}

/// items(id INTEGER PRIMARY KEY, name TEXT, price REAL), table 1.
inline schema_ptr items() {
  return schema_of(
    1, "items", 1,
    {{"id", "INTEGER", 1}, {"name", "TEXT", 0}, {"price", "REAL", 0}});
}

/// Rows of one table for one write; cursors are (ts, ts, 0).
class rows_builder {
public:
  explicit rows_builder(schema_ptr schema) : schema_{std::move(schema)} {
    for (const auto& x : schema_->columns)
      keys_.push_back(x.key_part > 0);
  }

  rows_builder& add(row_op op, std::uint64_t ts, const values& before,
                    const values& after) {
    auto header = row_header{};
    header.table = schema_->table;
    header.cursor = {{ts}, {ts}, 0};
    header.op = op;
    header.copied = copied_;
    header.schema = schema_->version;
    header.recorded_us = recorded_us_;
    builder_.add(header, keys_, before, after);
    return *this;
  }
  rows_builder& insert(std::uint64_t ts, const values& after) {
    return add(row_op::insert, ts, {}, after);
  }
  rows_builder& update(std::uint64_t ts, const values& before,
                       const values& after) {
    return add(row_op::update, ts, before, after);
  }
  rows_builder& erase(std::uint64_t ts, const values& before) {
    return add(row_op::erase, ts, before, {});
  }
  rows_builder& truncate(std::uint64_t ts) {
    return add(row_op::truncate, ts, {}, {});
  }
  rows_builder& snapshot_begin(std::uint64_t ts) {
    return add(row_op::snapshot_begin, ts, {}, {});
  }
  /// From here on they are rows of a copy, or not.
  rows_builder& copied(bool x) {
    copied_ = x;
    return *this;
  }
  /// From here on they were recorded then.
  rows_builder& recorded(std::uint64_t unix_us) {
    recorded_us_ = unix_us;
    return *this;
  }
  [[nodiscard]] sink_rows rows() {
    auto n = static_cast<std::uint32_t>(builder_.rows());
    return {schema_, builder_.finish(), 0, n};
  }

private:
  schema_ptr schema_;
  std::vector<bool> keys_;
  bool copied_ = false;
  std::uint64_t recorded_us_ = 0;
  row_block_builder builder_;
};

inline table_position position(std::uint64_t table, std::uint64_t ts) {
  return {{table}, {{ts}, {ts}, 0}, {ts}};
}

inline feed_record feed(std::uint64_t id = 1, std::string name = "shop") {
  return {{id}, std::move(name), {{"*"}, {}, feed_order::table}};
}

/// A replica's file and a sink that writes it.
struct replica {
  test::temporary_directory place;
  sqlite_sink_options options;
  std::unique_ptr<sink_connector> uut;

  explicit replica(bool compact = true) {
    options.path = place.file("replica.db");
    options.compact = compact;
    options.synchronous = sqlite_sink_options::durability::normal;
    options.busy_timeout = std::chrono::milliseconds{20};
    uut = make_sqlite_sink(options);
  }

  sink_position open() {
    auto result = uut->open(feed());
    REQUIRE_MESSAGE(result.has_value(), to_string(result.error()));
    return *result;
  }
  void write(const sink_rows& rows) {
    auto result = uut->write(rows);
    REQUIRE_MESSAGE(result.has_value(), to_string(result.error()));
  }
  void commit(const std::vector<table_position>& positions = {},
              std::optional<timestamp> watermark = {}) {
    auto result = uut->commit(positions, watermark);
    REQUIRE_MESSAGE(result.has_value(), to_string(result.error()));
  }
  /// Writes and commits; the position of the table is that of its last row.
  void apply(rows_builder builder) {
    write(builder.rows());
    commit();
  }
  /// Fails with the same error in `write`.
  error refused(rows_builder builder) {
    auto result = uut->write(builder.rows());
    REQUIRE(!result.has_value());
    return result.error();
  }

  /// Another connection, as an application would have.
  std::unique_ptr<sqlite_db> connect() const {
    auto result = sqlite_db::open(options.path);
    REQUIRE(result.has_value());
    return std::move(*result);
  }
  void exec(const std::string& sql) const {
    auto result = connect()->exec(sql);
    REQUIRE_MESSAGE(result.has_value(), to_string(result.error()));
  }
  /// Values as SQL writes them, "1|'a'|NULL", a line per row, in the order
  /// that the query gives.
  std::vector<std::string> query(const std::string& sql) const {
    auto db = connect();
    auto query = db->prepare(sql);
    REQUIRE_MESSAGE(query.has_value(), to_string(query.error()));
    auto result = std::vector<std::string>{};
    for (auto row = query->step(); row && *row; row = query->step()) {
      auto line = std::string{};
      for (auto k = 0; k < query->columns(); ++k)
        line += (k == 0 ? "" : "|") + std::string{query->text(k)};
      result.push_back(line);
    }
    return result;
  }
  std::vector<std::string> items() const {
    return query("SELECT quote(id), quote(name), quote(price) FROM items "
                 "ORDER BY id");
  }
};

using lines = std::vector<std::string>;

} // namespace sink_test
