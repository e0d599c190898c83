#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/histories/row_statements.hpp"

namespace sluice::histories_test {

/// Statements that change the schema, outside a transaction.
class schema_statements : public row_statements {
public:
  using row_statements::row_statements;

protected:
  void add_column() {
    auto alter = "ALTER TABLE " + name_ + " ADD COLUMN ";
    switch (below(4)) {
      case 0:
        define(kind::add_column, alter + "a1");
        return;
      case 1:
        define(kind::add_column_default, alter + "a2 DEFAULT 7");
        return;
      case 2:
        define(kind::add_column_default, alter + "a3 NOT NULL DEFAULT 'd'");
        return;
      default:
        define(kind::add_column_default, alter + "a4 TEXT DEFAULT 5");
        return;
    }
  }
  void change_column() {
    if (added() == "a1")
      add_column();
    auto column = added();
    auto alter = "ALTER TABLE " + name_;
    if (below(3) == 0) {
      auto renamed = (column[0] == 'a' ? 'b' : 'a') + column.substr(1);
      define(kind::rename_column,
             alter + " RENAME COLUMN " + column + " TO " + renamed);
      return;
    }
    // While it is captured, SQLite does not let go of a column.
    if (!exec(alter + " DROP COLUMN " + column)
        && failed_.find("error in trigger sluice_") == 0
        && failed_.find('\n') == std::string::npos)
      count(kind::drop_column_refused);
  }

  // What goes with the table: its indexes and triggers.
  std::vector<std::string> belongings(bool with_ours) {
    return texts("SELECT sql FROM sqlite_schema WHERE tbl_name = '" + name_
                 + "' AND type IN ('index', 'trigger') AND sql IS NOT NULL"
                 + (with_ours ? "" : " AND name NOT LIKE 'sluice%'")
                 + " ORDER BY rowid");
  }
  // The rows that the new table takes, and may change without a trigger.
  std::string moved(const std::string& to, const std::string& from) {
    return "INSERT OR " + pick({"IGNORE", "REPLACE"}) + " INTO " + to
           + "(k, u, v) SELECT k, u, " + pick({"v", "v", "5"}) + " FROM " + from
           + pick({"", "", " WHERE k IS NOT 3"});
  }
  // The same columns as before, if nothing else is asked for.
  std::string rebuilt_sql(const std::string& to) {
    auto sql = text("SELECT sql FROM sqlite_schema WHERE type = 'table'"
                    " AND name = '"
                    + name_ + "'");
    auto at = sql.find('(');
    if (below(3) == 0 || at == std::string::npos)
      return "CREATE TABLE " + to + shape();
    return "CREATE TABLE " + to + sql.substr(at);
  }
  // https://www.sqlite.org/lang_altertable.html, 7.
  void rebuild(bool with_ours) {
    auto to = "new_" + name_;
    auto steps = std::vector<std::string>{
      rebuilt_sql(to), moved(to, name_), "DROP TABLE " + name_,
      "ALTER TABLE " + to + " RENAME TO " + name_};
    in_one(with_ours ? kind::rebuild_all_triggers : kind::rebuild, steps,
           with_ours);
  }
  void rebuild_by_rename() {
    auto old = "old_" + name_;
    auto steps = std::vector<std::string>{
      "ALTER TABLE " + name_ + " RENAME TO " + old, rebuilt_sql(name_),
      moved(name_, old), "DROP TABLE " + old};
    exec("PRAGMA legacy_alter_table = ON");
    in_one(kind::rebuild_by_rename, steps, false);
    exec("PRAGMA legacy_alter_table = OFF");
  }
  void in_one(kind what, std::vector<std::string> steps, bool with_ours) {
    set_foreign_keys(false);
    auto ok = exec("BEGIN IMMEDIATE");
    auto kept = belongings(with_ours);
    steps.insert(steps.end(), kept.begin(), kept.end());
    for (const auto& sql : steps)
      ok = ok && exec(sql);
    if (ok && exec("COMMIT"))
      count(what);
    else if (in_transaction())
      exec("ROLLBACK");
    set_foreign_keys(foreign_keys_);
  }
  void drop_and_create() {
    auto together = below(2) == 0;
    auto ok = !together || exec("BEGIN IMMEDIATE");
    ok = ok && exec("DROP TABLE " + name_);
    ok = ok && exec("CREATE TABLE " + name_ + shape());
    ok = ok
         && exec("INSERT OR IGNORE INTO " + name_ + "(k, u, v) VALUES "
                 + rows());
    if (ok && (!together || exec("COMMIT")))
      count(kind::drop_and_create);
    else if (in_transaction())
      exec("ROLLBACK");
  }
  void add_index() {
    define(kind::unique_index,
           "CREATE UNIQUE INDEX i_" + name_ + number(4) + " ON " + name_
             + pick({"(v, u)", "(lower(v), u)", "(v) WHERE v > 3"}));
  }
  // A trigger that comes and goes before the source has looked is the one
  // thing that nobody can notice: ours, made anew behind it, show that it has.
  void change_trigger() {
    auto seen = texts(
      "SELECT name FROM sqlite_schema AS x WHERE type = 'trigger'"
      " AND name NOT LIKE 'sluice%' AND rowid < (SELECT min(rowid) FROM"
      " sqlite_schema AS y WHERE type = 'trigger' AND name LIKE 'sluice%'"
      " AND y.tbl_name = x.tbl_name)");
    if (below(2) == 0 && !seen.empty()) {
      define(kind::trigger_dropped, "DROP TRIGGER " + seen[below(seen.size())]);
      return;
    }
    define(kind::trigger_created,
           "CREATE TRIGGER app_" + name_ + number(9) + trigger_body());
  }
  std::string trigger_body() {
    auto on = " ON " + name_;
    auto other = std::string{keyed_ ? "t" : "w"};
    switch (below(10)) {
      case 0:
        return " AFTER UPDATE" + on + " WHEN NEW.v = 3 BEGIN UPDATE OR REPLACE "
               + name_ + " SET u = 2 WHERE k = NEW.k; END";
      case 1:
        return " AFTER INSERT" + on + " WHEN NEW.v = 1 BEGIN UPDATE " + name_
               + " SET v = v + 1 WHERE k = NEW.k; END";
      case 2:
        return " AFTER DELETE" + on
               + " WHEN OLD.v = 2 BEGIN INSERT OR REPLACE"
                 " INTO "
               + name_ + "(k, u, v) VALUES (OLD.k, OLD.u, 4); END";
      case 3:
        return " BEFORE UPDATE" + on + " WHEN NEW.v = 4 BEGIN DELETE FROM "
               + name_ + " WHERE u = 1; END";
      case 4:
        return " BEFORE INSERT" + on
               + " WHEN NEW.v = 0 BEGIN"
                 " SELECT RAISE(IGNORE); END";
      case 5:
        return " AFTER INSERT" + on
               + " WHEN NEW.v = 5 BEGIN"
                 " SELECT RAISE(IGNORE); END";
      case 6:
        return " AFTER INSERT" + on + " WHEN NEW.v = 2 BEGIN REPLACE INTO "
               + other + "(k, u, v) VALUES (NEW.k, NEW.u, NEW.v); END";
      default:
        return pick({" AFTER INSERT", " AFTER UPDATE", " BEFORE INSERT"}) + on
               + " BEGIN INSERT INTO a(what, n) VALUES ('behind', NEW.v); END";
    }
  }

  void change_schema() {
    auto n = below(20);
    if (n < 4)
      add_column();
    else if (n < 8)
      change_column();
    else if (n < 10)
      rebuild(false);
    else if (n < 12)
      rebuild(true);
    else if (n < 13)
      rebuild_by_rename();
    else if (n < 14)
      drop_and_create();
    else if (n < 16)
      add_index();
    else if (n < 19)
      change_trigger();
    else
      define(kind::vacuum, "VACUUM");
  }
};

} // namespace sluice::histories_test
