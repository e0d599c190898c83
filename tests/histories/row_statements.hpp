#pragma once

#include <cstdint>
#include <string>

#include "tests/histories/session.hpp"

namespace sluice::histories_test {

/// Statements that change rows. Those of REPLACE and UPSERT are made so that
/// what they name does collide.
class row_statements : public session {
public:
  using session::session;

protected:
  // A row with the key of another one, and else with nothing of the others.
  std::string same_key() {
    return name_ + "(k, u, v) SELECT k, " + fresh() + ", " + value() + " FROM "
           + name_ + " WHERE true" + nth();
  }
  std::string same_unique() {
    return name_ + "(k, u, v) SELECT " + fresh() + ", u, " + value() + " FROM "
           + name_ + " WHERE u IS NOT NULL" + nth();
  }
  std::string take(const std::string& column) {
    return name_ + " SET " + column + " = (SELECT x." + column + " FROM "
           + name_ + " AS x WHERE x." + column + " <> " + name_ + '.' + column
           + " ORDER BY x." + column + either_end()
           + ") WHERE k = (SELECT k FROM " + name_ + " WHERE " + column
           + " IS NOT NULL" + nth() + ") AND (SELECT count(DISTINCT " + column
           + ") FROM " + name_ + ") > 1";
  }
  bool declares_replace() {
    return text("SELECT sql LIKE '%ON CONFLICT REPLACE%' FROM sqlite_schema"
                " WHERE type = 'table' AND name = '"
                + name_ + "'")
           == "1";
  }

  void replace_rows() {
    switch (below(5)) {
      case 0:
        return change(kind::insert_or_replace_key,
                      "INSERT OR REPLACE INTO " + same_key());
      case 1:
        return change(kind::insert_or_replace_unique,
                      "INSERT OR REPLACE INTO " + same_unique());
      case 2:
        return change(kind::replace_into,
                      "REPLACE INTO " + name_ + "(k, u, v) SELECT x.k, y.u, "
                        + value() + " FROM " + name_ + " AS x, " + name_
                        + " AS y WHERE x.k <> y.k AND y.u IS NOT NULL" + nth());
      case 3:
        return change(kind::update_or_replace_key,
                      "UPDATE OR REPLACE " + take("k"));
      default:
        return change(kind::update_or_replace_unique,
                      "UPDATE OR REPLACE " + take("u"));
    }
  }
  void replace_rows_as_declared() {
    if (!declares_replace())
      return replace_rows();
    switch (below(4)) {
      case 0:
        return change(kind::declared_replace_key, "INSERT INTO " + same_key());
      case 1:
        return change(kind::declared_replace_unique,
                      "INSERT INTO " + same_unique());
      case 2:
        return change(kind::declared_replace_update, "UPDATE " + take("k"));
      default:
        return change(kind::declared_replace_update, "UPDATE " + take("u"));
    }
  }
  void upsert() {
    switch (below(3)) {
      case 0:
        return change(kind::upsert_update,
                      "INSERT INTO " + same_key()
                        + " ON CONFLICT(k) DO UPDATE SET u = excluded.u,"
                          " v = excluded.v");
      case 1:
        return change(kind::upsert_update_unique,
                      "INSERT INTO " + same_unique()
                        + " ON CONFLICT(u) DO UPDATE SET k = excluded.k");
      default: {
        auto ok = exec("INSERT INTO " + name_ + "(k, u, v) SELECT iif(i, "
                       + fresh() + ", k), " + fresh()
                       + " + i, v FROM"
                         " (SELECT k, v FROM "
                       + name_ + nth()
                       + "), (SELECT 0 AS i UNION ALL SELECT 1) WHERE true"
                         " ON CONFLICT DO NOTHING");
        if (ok && changes() == 1)
          count(kind::upsert_nothing);
      }
    }
  }
  void insert() {
    auto into = "INTO " + name_ + "(k, u, v) VALUES " + rows();
    switch (below(6)) {
      case 0:
        return change(kind::insert_or_ignore, "INSERT OR IGNORE " + into);
      case 1: {
        // Keeps the rows before the one that fails.
        auto before = total_changes();
        exec("INSERT OR FAIL " + into);
        if (total_changes() > before)
          count(kind::insert_or_fail);
        return;
      }
      case 2:
        return change(kind::insert, "INSERT OR ROLLBACK " + into);
      case 3:
        return change(kind::insert, "INSERT OR REPLACE " + into);
      default:
        return change(kind::insert, "INSERT INTO " + same_name(fresh()));
    }
  }
  std::string same_name(const std::string& k) {
    return name_ + "(k, u, v) VALUES (" + k + ", " + value() + ", " + value()
           + ')';
  }
  void update() {
    switch (below(5)) {
      case 0:
        return change(kind::update_of_key,
                      "UPDATE " + name_ + " SET k = " + fresh()
                        + " WHERE k = (SELECT k FROM " + name_ + nth() + ')');
      case 1:
        return change(kind::update_of_key, "UPDATE OR REPLACE " + name_
                                             + " SET k = k + 1" + where());
      case 2:
        return change(kind::update,
                      "UPDATE OR " + pick({"IGNORE ", "REPLACE ", "FAIL "})
                        + name_ + " SET u = " + value() + where());
      default:
        return change(kind::update,
                      "UPDATE " + name_ + " SET v = " + value() + where());
    }
  }
  // A column that was added, or "a1" if there is none.
  std::string added() {
    auto all = texts("SELECT name FROM pragma_table_info('" + name_
                     + "') WHERE name NOT IN ('k', 'u', 'v')");
    return all.empty() ? "a1" : all[below(all.size())];
  }

  void update_added() {
    change(kind::update_of_added_column, "UPDATE " + name_ + " SET " + added()
                                           + " = " + value()
                                           + (below(3) == 0 ? "" : where()));
  }
  void erase() {
    if (below(12) == 0)
      return change(kind::erase_all, "DELETE FROM " + name_);
    change(kind::erase, "DELETE FROM " + name_ + where());
  }
  void use_children() {
    keyed_ = parent_;
    name_ = keyed_ ? "w" : "t";
    auto has_child = " WHERE k IN (SELECT p FROM c WHERE p IS NOT NULL"
                     + nth("c") + ')';
    auto enforced = foreign_keys_;
    switch (below(4)) {
      case 0:
        if (enforced)
          return change(cascades_ ? kind::on_delete_cascade
                                  : kind::on_delete_set_null,
                        "DELETE FROM " + name_ + has_child);
        break;
      case 1:
        if (enforced)
          return change(cascades_ ? kind::on_update_cascade
                                  : kind::on_update_set_null,
                        "UPDATE " + name_ + " SET k = " + fresh() + has_child);
        break;
      default:
        break;
    }
    change(kind::child, "INSERT INTO c(p, n) SELECT k, " + value() + " FROM "
                          + name_ + nth());
  }
};

} // namespace sluice::histories_test
