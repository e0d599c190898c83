#include "actors/sources/sqlite/trigger_sql.hpp"

#include <algorithm>
#include <optional>

#include "store/sqlite_db.hpp"

namespace sluice {

namespace {

// Entries of the scratch table that may be left behind. One statement needs
// no more than one per key, times the depth of triggers that write to its own
// table; SQLite's limit of that depth is 1,000.
constexpr auto gone_max = "1000";

// The SQL of one term, in every place where it is needed.
struct term_sql {
  std::string of_row;  // in a query that has only the table, as t
  std::string of_new;  // in a trigger
  std::string of_old;  // in a trigger
  std::string of_gone; // column of the scratch table
  std::string collate; // " COLLATE x" or nothing
  bool plain = false;  // a column, no expression
};

struct key_sql {
  std::vector<term_sql> terms;
  bool partial = false;
};

// Everything that the text of a table's triggers is made of.
struct table_sql {
  std::string name; // quoted
  std::string rows;
  std::string gone;
  std::string capture;
  std::vector<std::string> columns; // quoted
  std::vector<key_sql> keys;        // the primary key first
  std::vector<term_sql> extra;      // kept in the scratch only to find a row
};

std::string joined(const std::vector<std::string>& parts,
                   const std::string& between) {
  auto result = std::string{};
  for (const auto& part : parts)
    result += (result.empty() ? "" : between) + part;
  return result;
}

template <class Each>
std::string joined(const std::vector<term_sql>& terms,
                   const std::string& between, Each&& each) {
  auto parts = std::vector<std::string>{};
  for (const auto& term : terms)
    parts.push_back(each(term));
  return joined(parts, between);
}

// o1, o2, ... or n1, n2, ...
std::vector<std::string> numbered(const char* prefix, std::size_t count) {
  auto result = std::vector<std::string>{};
  for (std::size_t i = 1; i <= count; ++i)
    result.push_back(prefix + std::to_string(i));
  return result;
}

std::vector<std::string> prefixed(const std::string& prefix,
                                  const std::vector<std::string>& columns) {
  auto result = columns;
  for (auto& x : result)
    x.insert(0, prefix);
  return result;
}

// An index expression names columns without a table, so it is evaluated over
// a subquery that has NEW's (or OLD's) columns under their own names.
std::string evaluated(const std::string& expression, const std::string& row,
                      const source_table& table) {
  auto parts = std::vector<std::string>{};
  for (const auto& x : table.all_columns)
    parts.push_back(row + sqlite_quoted(x) + " AS " + sqlite_quoted(x));
  return "(SELECT " + expression + " FROM (SELECT " + joined(parts, ", ")
         + "))";
}

term_sql term_of(const key_term& term, const source_table& table,
                 const std::string& spare_name) {
  auto result = term_sql{};
  if (!term.collation.empty())
    result.collate = " COLLATE " + sqlite_quoted(term.collation);
  result.of_gone = spare_name;
  if (term.column.empty()) {
    result.of_row = '(' + term.expression + ')';
    result.of_new = evaluated(term.expression, "NEW.", table);
    result.of_old = evaluated(term.expression, "OLD.", table);
    return result;
  }
  result.plain = true;
  result.of_row = "t." + sqlite_quoted(term.column);
  result.of_new = "NEW." + sqlite_quoted(term.column);
  result.of_old = "OLD." + sqlite_quoted(term.column);
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    if (table.columns[i].name == term.column)
      result.of_gone = 'o' + std::to_string(i + 1);
  return result;
}

term_sql rowid_term(const std::string& name) {
  return {"t." + name, "NEW." + name, "OLD." + name, "rid", {}, true};
}

table_sql describe(const source_table& table, std::int64_t capture) {
  auto result = table_sql{};
  result.name = sqlite_quoted(table.name);
  result.rows = rows_table(capture);
  result.gone = gone_table(capture);
  result.capture = std::to_string(capture);
  for (const auto& x : table.columns)
    result.columns.push_back(sqlite_quoted(x.name));
  auto add = [&](const unique_key& key) {
    auto& to = result.keys.emplace_back();
    to.partial = key.partial;
    for (const auto& term : key.terms) {
      auto spare = 'u' + std::to_string(result.extra.size() + 1);
      auto sql = term_of(term, table, spare);
      if (sql.of_gone == spare)
        result.extra.push_back(sql);
      to.terms.push_back(std::move(sql));
    }
  };
  add(table.primary);
  if (!table.rowid.empty()) {
    result.extra.push_back(rowid_term(table.rowid));
    result.keys.push_back({{rowid_term(table.rowid)}, false});
  }
  for (const auto& key : table.uniques)
    add(key);
  return result;
}

// -- conditions. A plus keeps a comparison free of affinity, so that the
// scratch's indexes, on columns without one, serve it.

// The entry is the row with the primary key of `row` (NEW or OLD).
std::string entry_is(const table_sql& x, std::string term_sql::*row) {
  return joined(x.keys[0].terms, " AND ", [&](const term_sql& term) {
    return term.of_gone + term.collate + " IS +" + term.*row;
  });
}

// The entry collides with NEW on this key.
std::string entry_collides(const key_sql& key) {
  return joined(key.terms, " AND ", [](const term_sql& term) {
    return term.of_gone + term.collate + " = +" + term.of_new;
  });
}

// The row t collides with NEW on this key.
std::string row_collides(const key_sql& key) {
  return joined(key.terms, " AND ", [](const term_sql& term) {
    return term.of_row + term.collate + " = " + term.of_new;
  });
}

std::string row_is_old(const table_sql& x) {
  return joined(x.keys[0].terms, " AND ", [](const term_sql& term) {
    return term.of_row + term.collate + " IS " + term.of_old;
  });
}

std::string entry_has_no_row(const table_sql& x) {
  auto same = joined(x.keys[0].terms, " AND ", [&](const term_sql& term) {
    return term.of_row + term.collate + " = " + x.gone + '.' + term.of_gone;
  });
  return "NOT EXISTS (SELECT 1 FROM " + x.name + " AS t WHERE " + same + ')';
}

// -- statements

std::string into_log(const table_sql& x, log_op op,
                     const std::string& where = {}) {
  return "INSERT INTO sluice_log(tbl, op, nonce, time) SELECT " + x.capture
         + ", " + std::to_string(static_cast<int>(op))
         + ", random(), julianday('now')" + where + ";\n";
}

std::string into_rows(const table_sql& x, bool before, bool after,
                      const std::string& where = {}) {
  auto columns = std::vector<std::string>{"seq"};
  auto values = std::vector<std::string>{"last_insert_rowid()"};
  auto append = [](std::vector<std::string>& to, std::vector<std::string> x1) {
    to.insert(to.end(), x1.begin(), x1.end());
  };
  if (before) {
    append(columns, numbered("o", x.columns.size()));
    append(values, prefixed("OLD.", x.columns));
  }
  if (after) {
    append(columns, numbered("n", x.columns.size()));
    append(values, prefixed("NEW.", x.columns));
  }
  return "INSERT INTO " + x.rows + '(' + joined(columns, ", ") + ") SELECT "
         + joined(values, ", ") + where + ";\n";
}

// Copies the rows that NEW collides with, in place of older entries of them.
std::string collect(const table_sql& x, const key_sql& key, bool update) {
  auto where = row_collides(key);
  if (update)
    where += " AND NOT (" + row_is_old(x) + ')';
  auto i = 0;
  auto names = joined(x.keys[0].terms, ", ", [&](const term_sql& term) {
    return term.of_row + " AS p" + std::to_string(++i);
  });
  i = 0;
  auto same = joined(x.keys[0].terms, " AND ", [&](const term_sql& term) {
    return "g." + term.of_gone + term.collate + " IS +c.p"
           + std::to_string(++i);
  });
  auto columns = numbered("o", x.columns.size());
  auto values = prefixed("t.", x.columns);
  for (const auto& term : x.extra) {
    columns.push_back(term.of_gone);
    values.push_back(term.of_row);
  }
  auto from = " FROM " + x.name + " AS t WHERE " + where;
  return "DELETE FROM " + x.gone + " WHERE id IN (SELECT g.id FROM (SELECT "
         + names + from + ") AS c CROSS JOIN " + x.gone + " AS g WHERE " + same
         + ");\n" + "INSERT INTO " + x.gone + '(' + joined(columns, ", ")
         + ") SELECT " + joined(values, ", ") + from + ";\n";
}

std::string collect_all(const table_sql& x, bool update) {
  auto result = std::string{};
  for (const auto& key : x.keys)
    result += collect(x, key, update);
  return result + "DELETE FROM " + x.gone + " WHERE id < (SELECT max(id) FROM "
         + x.gone + ") - " + gone_max + ";\n";
}

// Turns the entries that NEW displaced into deletes.
std::string release_all(const table_sql& x, bool update) {
  auto result = std::string{};
  for (const auto& key : x.keys) {
    result += "UPDATE " + x.gone + " SET dead = 1 WHERE dead IS NULL AND "
              + entry_collides(key);
    if (update)
      result += " AND NOT (" + entry_is(x, &term_sql::of_old) + ')';
    result += " AND ((" + entry_is(x, &term_sql::of_new) + ") OR "
              + entry_has_no_row(x) + ");\n";
  }
  return result;
}

// A cascade may delete the very row that displaced others: then no other
// trigger fires any more to tell of them. But if it does, then it must not
// tell again: such an entry stays, as dead = 2.
std::string release_orphans(const table_sql& x) {
  return "UPDATE " + x.gone + " SET dead = 2 WHERE dead IS NULL AND "
         + entry_has_no_row(x) + ";\n";
}

// The key is in use again: what was told before is over.
std::string forget_told(const table_sql& x) {
  return "DELETE FROM " + x.gone + " WHERE dead = 2 AND "
         + entry_is(x, &term_sql::of_new) + ";\n";
}

std::string unless_told(const table_sql& x) {
  return " WHERE NOT EXISTS (SELECT 1 FROM " + x.gone + " WHERE dead = 2 AND "
         + entry_is(x, &term_sql::of_old) + ')';
}

// Keeps the entry of the updated row equal to it.
std::string follow(const table_sql& x) {
  auto parts = std::vector<std::string>{};
  for (std::size_t i = 0; i < x.columns.size(); ++i)
    parts.push_back('o' + std::to_string(i + 1) + " = NEW." + x.columns[i]);
  for (const auto& term : x.extra)
    parts.push_back(term.of_gone + " = " + term.of_new);
  return "UPDATE " + x.gone + " SET " + joined(parts, ", ") + " WHERE "
         + entry_is(x, &term_sql::of_old) + ";\n";
}

std::string forget(const table_sql& x) {
  return "DELETE FROM " + x.gone + " WHERE " + entry_is(x, &term_sql::of_old)
         + ";\n";
}

// An update that leaves all keys as they are displaces nothing. Nothing if
// that does not show in the columns of the keys.
std::string when_key_changes(const table_sql& x) {
  auto parts = std::vector<std::string>{};
  for (const auto& key : x.keys)
    for (const auto& term : key.terms) {
      if (key.partial || !term.plain)
        return {};
      parts.push_back(term.of_new + " COLLATE BINARY IS NOT " + term.of_old);
    }
  return " WHEN " + joined(parts, " OR ");
}

trigger_text trigger(const table_sql& x, const source_table& table,
                     const char* suffix, const std::string& event,
                     const std::string& body) {
  auto name = "sluice_" + x.capture + suffix;
  return {name, table.name,
          "CREATE TRIGGER " + name + ' ' + event + " BEGIN\n" + body + "END"};
}

trigger_text gone_trigger(const table_sql& x) {
  auto columns = numbered("o", x.columns.size());
  auto name = "sluice_" + x.capture + "_gone";
  auto body = into_log(x, log_op::erase) + "INSERT INTO " + x.rows + "(seq, "
              + joined(columns, ", ") + ") VALUES (last_insert_rowid(), "
              + joined(prefixed("OLD.", columns), ", ") + ");\n"
              + "DELETE FROM " + x.gone + " WHERE id = OLD.id AND dead = 1;\n";
  return {name, x.gone,
          "CREATE TRIGGER " + name + " AFTER UPDATE OF dead ON " + x.gone
            + " BEGIN\n" + body + "END"};
}

} // namespace

std::string rows_table(std::int64_t capture) {
  return "sluice_rows_" + std::to_string(capture);
}

std::string gone_table(std::int64_t capture) {
  return "sluice_gone_" + std::to_string(capture);
}

std::vector<std::string> outbox_sql() {
  return {"CREATE TABLE sluice_meta(key TEXT PRIMARY KEY, value)",
          "CREATE TABLE sluice_log(seq INTEGER PRIMARY KEY AUTOINCREMENT,"
          " tbl, op, nonce, time)",
          "CREATE TABLE sluice_captures(id INTEGER PRIMARY KEY, name,"
          " version, from_seq, copy_seq, end_seq, dropped)",
          "CREATE TABLE sluice_columns(capture, place, name, type, key_part,"
          " PRIMARY KEY(capture, place)) WITHOUT ROWID"};
}

std::string rows_table_sql(const source_table& table, std::int64_t capture) {
  return "CREATE TABLE " + rows_table(capture) + "(seq INTEGER PRIMARY KEY, "
         + joined(numbered("o", table.columns.size()), ", ") + ", "
         + joined(numbered("n", table.columns.size()), ", ") + ')';
}

std::vector<std::string> gone_table_sql(const source_table& table,
                                        std::int64_t capture) {
  auto x = describe(table, capture);
  auto columns = numbered("o", x.columns.size());
  for (const auto& term : x.extra)
    columns.push_back(term.of_gone);
  auto result = std::vector<std::string>{"CREATE TABLE " + x.gone
                                         + "(id INTEGER PRIMARY KEY, dead, "
                                         + joined(columns, ", ") + ')'};
  auto number = 0;
  for (const auto& key : x.keys) {
    auto terms = joined(key.terms, ", ", [](const term_sql& term) {
      return term.of_gone + term.collate;
    });
    result.push_back("CREATE INDEX " + x.gone + '_' + std::to_string(++number)
                     + " ON " + x.gone + '(' + terms + ')');
  }
  return result;
}

std::vector<trigger_text> capture_triggers(const source_table& table,
                                           std::int64_t capture) {
  auto x = describe(table, capture);
  auto on = " ON " + x.name;
  auto unless = table.cascades ? unless_told(x) : std::string{};
  auto again = table.cascades ? forget_told(x) : std::string{};
  auto deleted = into_log(x, log_op::erase, unless)
                 + into_rows(x, true, false, unless) + forget(x)
                 + (table.cascades ? release_orphans(x) : std::string{});
  return {
    trigger(x, table, "_bi", "BEFORE INSERT" + on, collect_all(x, false)),
    trigger(x, table, "_bu", "BEFORE UPDATE" + on + when_key_changes(x),
            collect_all(x, true)),
    trigger(x, table, "_ai", "AFTER INSERT" + on,
            release_all(x, false) + again + into_log(x, log_op::insert)
              + into_rows(x, false, true)),
    trigger(x, table, "_au", "AFTER UPDATE" + on,
            release_all(x, true) + again + follow(x)
              + into_log(x, log_op::update) + into_rows(x, true, true)),
    trigger(x, table, "_ad", "AFTER DELETE" + on, deleted),
    gone_trigger(x),
  };
}

std::vector<std::string> refresh_sql(const source_table& table,
                                     std::int64_t capture,
                                     std::size_t first_new) {
  auto x = describe(table, capture);
  auto count = x.columns.size();
  auto filled = std::vector<std::string>{};
  for (auto i = first_new; i < count; ++i)
    filled.push_back(x.columns[i] + " IS NOT NULL");
  auto values = joined(x.columns, ", ");
  return {
    "INSERT INTO " + x.rows + "(seq, " + joined(numbered("o", count), ", ")
      + ", " + joined(numbered("n", count), ", ")
      + ") SELECT ?1 + row_number() OVER (), " + values + ", " + values
      + " FROM " + x.name + " WHERE " + joined(filled, " OR "),
    "INSERT INTO sluice_log(seq, tbl, op, nonce, time)"
    " SELECT seq, "
      + x.capture + ", " + std::to_string(static_cast<int>(log_op::update))
      + ", random(), julianday('now') FROM " + x.rows
      + " WHERE seq > ?1 ORDER BY seq"};
}

} // namespace sluice
