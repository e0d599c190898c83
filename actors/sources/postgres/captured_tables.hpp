#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "actors/sources/postgres/pg_setup.hpp"
#include "actors/sources/source_connector.hpp"

namespace sluice::postgres {

/// Of types that are not built in.
using type_names = std::unordered_map<oid, std::string>;

/// The versions of all captured tables, as our log has them. PostgreSQL says
/// only how a relation is when its next row comes, so they are noted in the
/// journal: a row that is read again has the version that it had.
class captured_tables {
public:
  struct version {
    schema_version number;
    timestamp valid_from; ///< Rows with commit_ts > this have it.
    std::vector<column> columns;
  };
  struct table {
    table_id id;
    std::string name;              ///< Qualified.
    oid relation = 0;              ///< Another one is another table.
    std::vector<version> versions; ///< Ascending, at least one.
  };
  /// A relation as its next rows are.
  struct relation {
    const table* of = nullptr; ///< Null: not captured.
    schema_version version;
    std::vector<bool> key_columns;
    std::vector<oid> types;
    /// What its message said while the table was not captured.
    std::optional<relation_message> unclaimed;
    bool adopted = false; ///< `claim` it: it is captured by now.
  };

  /// @param types `type_message` and the catalog give the same names.
  captured_tables(source_journal& journal, type_names types)
    : journal_{journal}, types_{std::move(types)} {
    // nop
  }

  void set_type(oid type, std::string name) { types_[type] = std::move(name); }
  /// Their rows are copied now.
  /// @param from Rows of the copy have commit_ts > this.
  [[nodiscard]] status add(const std::vector<captured_table>& all,
                           timestamp from);
  /// Their rows go on, but those of tables that were never copied: such a table
  /// came later and has no name here then.
  /// @error source_schema_changed: one was dropped and made anew.
  [[nodiscard]] status resume(const std::vector<captured_table>& all);
  /// Before the rows at `commit_ts` that follow.
  /// @param declared What SCHEMA_STORE has to hear of is added to it.
  /// @error table_without_key: its key is gone; source_schema_changed
  [[nodiscard]] status on_relation(const relation_message& x,
                                   timestamp commit_ts,
                                   std::vector<ddl_event>& declared);
  /// Tables whose relation has another name by now: they are captured no more,
  /// and what changes under that name is a gap. Since the last call.
  [[nodiscard]] std::vector<std::string> take_renamed() {
    return std::exchange(renamed_, {});
  }
  /// The tables of `late` are captured from here on, too.
  void adopt(captured_tables late);
  /// Before the first row, at `commit_ts`, of a relation that was adopted.
  /// @pre It has `adopted`.
  /// @error As `on_relation`.
  [[nodiscard]] status claim(oid id, timestamp commit_ts,
                             std::vector<ddl_event>& declared);
  /// Null before its message.
  [[nodiscard]] const relation* find(oid id) const;
  /// Of all tables and versions.
  [[nodiscard]] std::vector<ddl_event> schemas() const;
  [[nodiscard]] const table* named(const std::string& name) const;

private:
  [[nodiscard]] std::string type_of(oid type, std::int32_t modifier) const;
  [[nodiscard]] std::vector<column> columns_of(const relation_message& x,
                                               const version& before) const;
  void end_renamed(const relation_message& x);
  [[nodiscard]] expected<std::vector<table>>
  load(const std::vector<captured_table>& all) const;
  [[nodiscard]] std::vector<column> columns_of(const captured_table& x) const;
  [[nodiscard]] status store(const table& x);

  source_journal& journal_;
  type_names types_;
  std::map<std::string, table> tables_; // by name; addresses stay
  std::unordered_map<oid, relation> relations_;
  std::vector<std::string> renamed_;
};

/// By name, with the relation's oid.
using table_names = std::map<std::string, oid>;

/// Another relation has the name.
[[nodiscard]] error made_anew(const std::string& table);

/// One version, for SCHEMA_STORE.
[[nodiscard]] ddl_event to_event(const captured_tables::table& of,
                                 const captured_tables::version& x);

} // namespace sluice::postgres
