// The decoder against real servers: what it says and what wal2json, another
// plugin by other people, says of the same WAL must be the same.

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "decoded_lines.hpp"
#include "random_changes.hpp"
#include "tests/support/throwaway_postgres.hpp"

using namespace sluice;
using namespace sluice::postgres;
using namespace sluice::postgres_test;
using test::throwaway_postgres;

namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const auto* given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

constexpr auto pgoutput_options =
  "NULL, NULL, 'proto_version', '1', 'publication_names', 'p',"
  " 'messages', 'true'";

/// A database with tables and slots, and who reads them.
class database {
public:
  database() : name_{server().make_database()}, reader{open()}, writer{open()} {
    run(writer, "RESET search_path");
    run(writer, random_changes::schema());
    run(writer, "CREATE PUBLICATION p FOR ALL TABLES");
    // Newer servers want it, older ones have no such setting.
    run(reader, "SELECT set_config(name, 'pgoutput, wal2json', false)"
                " FROM pg_settings WHERE name = 'output_plugin_libraries'");
    for (std::string plugin : {"pgoutput", "wal2json"})
      run(reader, "SELECT pg_create_logical_replication_slot('" + name_ + '_'
                    + plugin + "', '" + plugin + "')");
  }
  ~database() {
    for (std::string plugin : {"pgoutput", "wal2json"})
      (void) reader.run("SELECT pg_drop_replication_slot('" + name_ + '_'
                        + plugin + "')");
  }
  database(const database&) = delete;
  database& operator=(const database&) = delete;

  static result run(connection& in, const std::string& sql) {
    auto done = in.run(sql);
    if (!done)
      FAIL(sql.substr(0, 1000) << ": " << to_string(done.error()));
    return std::move(*done);
  }

  /// Rows with an LSN and what the plugin said.
  result read(const std::string& plugin, const std::string& options,
              const std::string& how = "get_binary") {
    return run(reader, "SELECT lsn, data FROM pg_logical_slot_" + how
                         + "_changes('" + name_ + '_' + plugin + "', " + options
                         + ')');
  }

  static std::string bytes(const result& from, int row) {
    auto scratch = std::string{};
    auto x = to_value(bytea_oid, {value_kind::text, from.text(row, 1)},
                      scratch);
    REQUIRE(x);
    return std::string{x->bytes};
  }

private:
  static throwaway_postgres& server() { return throwaway_postgres::shared(); }
  [[nodiscard]] connection open() const {
    auto opened = connection::open(server().conninfo(name_),
                                   connection::kind::plain);
    if (!opened)
      FAIL(to_string(opened.error()));
    return std::move(*opened);
  }

  std::string name_;

public:
  connection reader;
  connection writer;
};

bool skipped() {
  if (!throwaway_postgres::available())
    MESSAGE("SKIPPED: PostgreSQL's server is not installed");
  return !throwaway_postgres::available();
}

// The first line that differs, for a person to read.
void check_equal(const decoded_lines& ours, const decoded_lines& theirs) {
  for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i)
    REQUIRE(ours[i] == theirs[i]);
  REQUIRE(ours.size() == theirs.size());
}

/// Two streams of the same messages, one with binary values.
class compared_values {
public:
  void take(std::string_view text_payload, std::string_view binary_payload) {
    REQUIRE(decode(text_payload, text_));
    REQUIRE(decode(binary_payload, binary_));
    REQUIRE(text_.index() == binary_.index());
    if (auto* x = std::get_if<relation_message>(&text_))
      relations_[x->id] = *x;
    if (auto* x = std::get_if<insert_message>(&text_))
      compare(x->relation, x->after, std::get<insert_message>(binary_).after);
    if (auto* x = std::get_if<update_message>(&text_)) {
      compare(x->relation, x->after, std::get<update_message>(binary_).after);
      compare(x->relation, x->before, std::get<update_message>(binary_).before);
    }
  }

  std::set<oid> refused; ///< Built-in types that are read as text only.

private:
  void compare(oid relation, const tuple& text, const tuple& binary) {
    REQUIRE(text.size() == binary.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
      auto type = relations_.at(relation).columns[i].type;
      auto x = to_value(type, text[i], scratch_);
      auto y = to_value(type, binary[i], other_scratch_);
      CAPTURE(type);
      REQUIRE(x);
      if (binary[i].kind != value_kind::binary) {
        CHECK(text[i] == binary[i]);
      } else if (y) {
        CHECK(*x == *y);
      } else {
        CHECK(y.error().detail.ends_with("read as text only"));
        if (find_builtin(type) != nullptr)
          refused.insert(type);
      }
    }
  }

  message text_;
  message binary_;
  std::map<oid, relation_message> relations_;
  std::string scratch_;
  std::string other_scratch_;
};

/// Type and modifier of columns that are declared with these types.
std::vector<std::pair<oid, std::int32_t>>
columns_of(connection& db, const std::vector<std::string>& types) {
  auto sql = std::string{"CREATE TEMP TABLE declared("};
  for (std::size_t i = 0; i < types.size(); ++i)
    sql += (i > 0 ? ", c" : "c") + std::to_string(i) + ' ' + types[i];
  database::run(db, sql + ')');
  auto rows = database::run(
    db, "SELECT atttypid, atttypmod FROM pg_attribute WHERE attnum > 0"
        " AND attrelid = 'declared'::regclass ORDER BY attnum");
  database::run(db, "DROP TABLE declared");
  auto result = std::vector<std::pair<oid, std::int32_t>>{};
  for (int i = 0; i < rows.rows(); ++i)
    result.emplace_back(std::stoul(std::string{rows.text(i, 0)}),
                        std::stol(std::string{rows.text(i, 1)}));
  return result;
}

} // namespace

TEST_CASE("pgoutput and wal2json decode the same changes") {
  if (skipped())
    return;
  auto wanted = from_environment("SLUICE_PG_CHANGES", 2000);
  auto seed = from_environment("SLUICE_SEED", 1);
  INFO("SLUICE_SEED=" << seed);
  auto db = database{};
  auto changes = random_changes{seed};
  auto ours = pgoutput_lines{db.reader};
  auto theirs = wal2json_lines{};
  while (ours.changes() < wanted) {
    for (int i = 0; i < 100; ++i)
      database::run(db.writer, changes.transaction());
    database::run(db.writer, changes.schema_change());
    ours.lines.clear();
    theirs.lines.clear();
    auto rows = db.read("pgoutput", pgoutput_options);
    for (int i = 0; i < rows.rows(); ++i)
      ours.take(std::string{rows.text(i, 0)}, database::bytes(rows, i));
    rows = db.read("wal2json",
                   "NULL, NULL, 'format-version', '2', 'include-xids', '1',"
                   " 'include-lsn', '1', 'include-timestamp', '1'",
                   "get");
    for (int i = 0; i < rows.rows(); ++i)
      theirs.take(std::string{rows.text(i, 0)}, rows.text(i, 1));
    check_equal(ours.lines, theirs.lines);
  }
  auto seen = std::string{};
  for (const auto& x : ours.seen) {
    seen += std::string{' '} + x.first + ' ' + std::to_string(x.second);
    CHECK(x.second > 0);
  }
  MESSAGE("seen:" << seen);
}

TEST_CASE("a binary value is read as its text is") {
  if (skipped())
    return;
  auto db = database{};
  auto changes = random_changes{2};
  for (int i = 0; i < 100; ++i)
    database::run(db.writer, changes.transaction());
  auto binary = db.read("pgoutput",
                        pgoutput_options + std::string{", 'binary', 'true'"},
                        "peek_binary");
  auto text = db.read("pgoutput", pgoutput_options);
  REQUIRE(text.rows() == binary.rows());
  auto uut = compared_values{};
  for (int i = 0; i < text.rows(); ++i)
    uut.take(database::bytes(text, i), database::bytes(binary, i));
  CHECK(uut.refused == std::set<oid>{869, 1560, 1562}); // inet, bit, varbit
}

TEST_CASE("the server understands the names of types") {
  if (skipped())
    return;
  auto db = database{};
  auto all = database::run(
    db.writer, "SELECT unnest(ARRAY[oid, typarray])::regtype FROM pg_type WHERE"
               " oid < 10000 AND typtype IN ('b', 'r', 'm') AND typarray <> 0");
  auto types = std::vector<std::string>{
    "varchar(20)", "char",         "char(7)[]",      "numeric(10,2)",
    "numeric(3)",  "numeric(2,9)", "numeric(3,-3)",  "numeric(1000,-1000)[]",
    "bit",         "bit(9)",       "varbit(9)",      "time(0)",
    "timetz(3)[]", "timestamp(6)", "timestamptz(1)", "interval(0)"};
  for (int i = 0; i < all.rows(); ++i)
    types.emplace_back(all.text(i, 0));
  auto declared = columns_of(db.writer, types);
  auto names = std::vector<std::string>{};
  for (const auto& x : declared)
    names.push_back(type_name(x.first, x.second));
  auto again = columns_of(db.writer, names);
  REQUIRE(again.size() == types.size());
  for (std::size_t i = 0; i < types.size(); ++i)
    CHECK_MESSAGE(again[i] == declared[i], types[i], " is not ", names[i]);
}
