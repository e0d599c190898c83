#include "actors/sources/sqlite/capture_catalog.hpp"

#include "actors/sources/sqlite/source_error.hpp"

namespace sluice {

namespace {

void no_binding(sqlite_statement&) {
  // nop
}

status load_columns(sqlite_db& db, capture& into) {
  return db.run(
    "SELECT name, type, key_part FROM sluice_columns WHERE capture = ?1"
    " ORDER BY place",
    [&](sqlite_statement& q) { q.bind_integer(1, into.id); },
    [&](sqlite_statement& q) {
      into.columns.push_back({std::string{q.text(0)}, std::string{q.text(1)},
                              static_cast<std::uint16_t>(q.integer(2))});
    });
}

status store_columns(sqlite_db& db, const capture& x) {
  for (std::size_t i = 0; i < x.columns.size(); ++i) {
    const auto& column = x.columns[i];
    auto bind = [&](sqlite_statement& q) {
      q.bind_integer(1, x.id)
        .bind_unsigned(2, i + 1)
        .bind_text(3, column.name)
        .bind_text(4, column.type)
        .bind_integer(5, column.key_part);
    };
    auto done = db.run("INSERT INTO sluice_columns VALUES (?1, ?2, ?3, ?4, ?5)",
                       bind);
    if (!done)
      return done;
  }
  return {};
}

} // namespace

expected<std::vector<capture>> load_captures(sqlite_db& db) {
  auto result = std::vector<capture>{};
  auto present = has_outbox(db);
  if (!present)
    return pass_on(present);
  if (!*present)
    return result;
  auto done = db.run(
    "SELECT id, name, version, from_seq, copy_seq, end_seq, dropped"
    " FROM sluice_captures ORDER BY id",
    no_binding, [&](sqlite_statement& q) {
      result.push_back({q.integer(0),
                        std::string{q.text(1)},
                        q.unsigned_integer(2),
                        q.unsigned_integer(3),
                        q.unsigned_integer(4),
                        q.unsigned_integer(5),
                        q.integer(6) != 0,
                        {}});
    });
  if (!done)
    return pass_on(done);
  for (auto& x : result)
    if (auto loaded = load_columns(db, x); !loaded)
      return pass_on(loaded);
  return result;
}

status store_capture(sqlite_db& db, capture& x) {
  auto is_new = x.id == 0;
  auto bind = [&](sqlite_statement& q) {
    if (!is_new)
      q.bind_integer(1, x.id);
    q.bind_text(2, x.name)
      .bind_unsigned(3, x.version)
      .bind_unsigned(4, x.from_seq)
      .bind_unsigned(5, x.copy_seq)
      .bind_unsigned(6, x.end_seq)
      .bind_integer(7, x.dropped ? 1 : 0);
  };
  auto done = db.run("INSERT OR REPLACE INTO sluice_captures"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                     bind);
  if (!done || !is_new)
    return done;
  x.id = db.last_insert_id();
  return store_columns(db, x);
}

expected<std::uint64_t> insert_marker(sqlite_db& db, int op) {
  auto done = db.run("INSERT INTO sluice_log(tbl, op, nonce, time)"
                     " VALUES (0, ?1, random(), julianday('now'))",
                     [&](sqlite_statement& q) { q.bind_integer(1, op); });
  if (!done)
    return pass_on(done);
  return static_cast<std::uint64_t>(db.last_insert_id());
}

expected<std::uint64_t> last_sequence(sqlite_db& db) {
  // A statement that ends by OR FAIL keeps its rows, but not the sequence.
  auto result = db.query_integer(
    "SELECT max((SELECT ifnull(max(seq), 0) FROM sqlite_sequence"
    " WHERE name = 'sluice_log'),"
    " (SELECT ifnull(max(seq), 0) FROM sluice_log))");
  if (!result)
    return pass_on(result);
  return static_cast<std::uint64_t>(*result);
}

expected<bool> has_outbox(sqlite_db& db) {
  auto result = db.query_integer("SELECT count(*) FROM main.sqlite_schema"
                                 " WHERE type = 'table'"
                                 " AND name = 'sluice_captures'");
  if (!result)
    return pass_on(result);
  return *result != 0;
}

table_schema schema_of(const capture& x, table_id table) {
  return {table, x.name, {x.version}, {x.from_seq}, x.columns};
}

} // namespace sluice
