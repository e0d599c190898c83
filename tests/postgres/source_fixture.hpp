#pragma once

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "actors/sources/postgres/pgoutput.hpp"
#include "actors/sources/postgres/postgres_source.hpp"
#include "tests/support/memory_journal.hpp"
#include "tests/support/throwaway_postgres.hpp"

/// What the tests of the PostgreSQL source share.
namespace sluice::postgres_test {

using namespace std::chrono_literals;
using test::memory_journal;
using test::throwaway_postgres;

inline std::string written(const value_view& x) {
  switch (x.type) {
    case value_type::null:
      return "NULL";
    case value_type::integer:
      return std::to_string(x.integer);
    case value_type::real:
      return fmt::format("{}", x.real);
    case value_type::unchanged:
      return "unchanged";
    default:
      return std::string{x.bytes};
  }
}

/// A target that believes nothing: what is new must not be there, what goes
/// must be, and cursors only rise.
class mirror {
public:
  /// By key, both as text.
  using rows = std::map<std::string, std::string>;

  void take(const std::vector<ddl_event>& schemas) {
    for (const auto& x : schemas)
      names_[x.schema.table] = x.schema.name;
  }
  void take(const source_batch& batch) {
    take(batch.schemas);
    for (std::size_t i = 0; batch.rows && i < batch.rows->rows(); ++i)
      take(batch.rows->row(i));
    if (batch.rows && batch.rows->closed())
      closed = last;
    REQUIRE(batch.resolved >= resolved);
    resolved = batch.resolved;
  }
  [[nodiscard]] const rows& of(const std::string& table) {
    return tables_[table];
  }

  row_cursor last;   // row
  row_cursor closed; // last row of a whole transaction
  timestamp resolved;
  std::uint64_t changes = 0;

private:
  void take(const row_view& row) {
    REQUIRE(row.cursor() > last);
    REQUIRE(row.commit_ts() > resolved);
    last = row.cursor();
    ++changes;
    REQUIRE(names_.contains(row.table()));
    auto& table = tables_[names_[row.table()]];
    if (row.op() == row_op::snapshot_begin || row.op() == row_op::truncate)
      table.clear();
    if (row.before())
      REQUIRE(table.erase(key_of(row, row.before())) == 1);
    if (row.after()) {
      auto values = std::string{};
      for (std::uint16_t i = 0; i < row.after().size(); ++i)
        values += written(row.after()[i]) + '|';
      REQUIRE(table.emplace(key_of(row, row.after()), values).second);
    }
  }
  static std::string key_of(const row_view& row, const image_view& image) {
    auto result = std::string{};
    for (std::uint16_t i = 0; i < image.size(); ++i)
      if (row.in_key(i))
        result += written(image[i]) + '|';
    return result;
  }

  std::map<table_id, std::string> names_;
  std::map<std::string, rows> tables_;
};

/// A database of its own on the shared server, and a source of it.
struct source_fixture {
  throwaway_postgres& server;
  std::string database = server.make_database();
  postgres_source_options options;
  memory_journal journal;
  mirror target;
  std::unique_ptr<source_connector> uut;
  bool more = true;  // said the last read
  timestamp highest; // in another partition

  explicit source_fixture(throwaway_postgres& on = throwaway_postgres::shared())
    : server{on} {
    options.conninfo = server.conninfo(database);
    options.tables = {{"public.*"}, {}};
    options.slot = database;
    options.publication = database;
  }
  ~source_fixture() {
    uut.reset();
    // A slot that is left would keep the server's log.
    server.run("postgres", "SELECT pg_drop_replication_slot(slot_name) FROM"
                           " pg_replication_slots WHERE slot_name = '"
                             + options.slot + "' AND NOT active");
  }
  source_fixture(const source_fixture&) = delete;
  source_fixture& operator=(const source_fixture&) = delete;

  void sql(const std::string& text) { server.run(database, text); }
  [[nodiscard]] std::string ask(const std::string& text) {
    return server.ask(database, text);
  }
  /// Must succeed.
  void open(row_cursor resume = {}) {
    auto schemas = attempt(resume);
    INFO((schemas ? std::string{} : to_string(schemas.error())));
    REQUIRE(schemas.has_value());
    target.take(*schemas);
  }
  expected<std::vector<ddl_event>> attempt(row_cursor resume = {}) {
    uut = make_postgres_source(options);
    return uut->open({resume, std::max(highest, resume.commit_ts)}, journal);
  }
  void read() {
    auto batch = uut->read(1U << 20U);
    INFO((batch ? std::string{} : to_string(batch.error())));
    REQUIRE(batch.has_value());
    target.take(*batch);
    more = batch->more;
    if (!more)
      std::this_thread::sleep_for(2ms);
  }
  /// Up to where the server is now.
  void catch_up() {
    auto end = postgres::parse_lsn(ask("SELECT pg_current_wal_lsn()"));
    // Something behind it: an idle server says where it is when it wants to.
    sql("SELECT pg_logical_emit_message(true, 'sluice', '')");
    auto begun = std::chrono::steady_clock::now();
    while (target.resolved.value < end) {
      REQUIRE(std::chrono::steady_clock::now() < begun + 20s);
      read();
    }
  }
  /// The table as the server has it, in the mirror's words.
  [[nodiscard]] mirror::rows expected_rows(const std::string& table,
                                           const std::string& values) {
    auto text = ask("SELECT coalesce(string_agg(t.id || '|=' || concat_ws('|', "
                    + values + ") || '|', E'\\n'), '') FROM public." + table
                    + " t");
    auto result = mirror::rows{};
    for (auto rest = std::string_view{text}; !rest.empty();) {
      auto line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      auto cut = line.find('=');
      result.emplace(line.substr(0, cut), line.substr(cut + 1));
    }
    return result;
  }
};

} // namespace sluice::postgres_test
