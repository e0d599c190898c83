#include "actors/sources/postgres/pg_relation.hpp"

#include <charconv>

#include "actors/sources/postgres/pg_error.hpp"

namespace sluice::postgres {

namespace {

template <class T>
T number(std::string_view text) {
  auto result = T{};
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

// reltuples is -1 before the first ANALYZE.
std::string state_question(const std::vector<oid>& ids) {
  return "SELECT c.oid, (SELECT sum(greatest(l.reltuples, 0)) FROM pg_class l"
         " WHERE l.relkind <> 'p' AND l.oid = ANY (c.oid || ARRAY("
         "SELECT relid::oid FROM pg_partition_tree(c.oid))))::bigint,"
         " current_user, has_schema_privilege(c.relnamespace, 'USAGE'),"
         " has_table_privilege(c.oid, 'SELECT'), row_security_active(c.oid),"
         " (SELECT string_agg(a.attname, ', ' ORDER BY"
         " array_position(k.parts, a.attnum)) FROM pg_attribute a"
         " WHERE a.attrelid = c.oid AND a.attnum = ANY (k.parts)),"
         " EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid"
         " AND a.attnum = ANY (k.parts) AND a.attgenerated <> ''),"
         " EXISTS (SELECT FROM pg_index i"
         " WHERE i.indrelid = c.oid AND i.indisprimary),"
         " u.name IS NOT NULL, u.name FROM pg_class c LEFT JOIN LATERAL "
         + std::string{key_index}
         + " k ON true LEFT JOIN LATERAL (SELECT CASE WHEN i.indisprimary"
           " THEN '' ELSE x.relname END AS name"
           " FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid"
           " WHERE i.indrelid = c.oid AND i.indisvalid AND i.indisunique"
           " AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL"
           " AND NOT EXISTS (SELECT FROM pg_attribute a"
           " WHERE a.attrelid = c.oid AND a.attnum ="
           " ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])"
           " AND (NOT a.attnotnull OR a.attgenerated <> ''))"
           " ORDER BY i.indisprimary DESC, i.indnkeyatts, x.relname LIMIT 1)"
           " u ON true WHERE c.oid = ANY ("
         + oid_array(ids) + ')';
}

} // namespace

bool is_system(std::string_view schema) {
  return schema.substr(0, 3) == "pg_" || schema == "information_schema";
}

expected<std::vector<relation>> list_relations(connection& to) {
  auto rows = to.run(
    "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence,"
    " c.relreplident, CASE WHEN c.relispartition THEN (SELECT"
    " rn.nspname || '.' || r.relname FROM pg_class r"
    " JOIN pg_namespace rn ON rn.oid = r.relnamespace"
    " WHERE r.oid = pg_partition_root(c.oid)) END"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')"
    " ORDER BY n.nspname, c.relname");
  if (!rows)
    return pass_on(rows);
  auto result = std::vector<relation>{};
  for (int i = 0; i < rows->rows(); ++i) {
    auto letter = [&](int column) { return rows->text(i, column).front(); };
    if (!is_system(rows->text(i, 1)))
      result.push_back({number<oid>(rows->text(i, 0)), cell(*rows, i, 1),
                        cell(*rows, i, 2), letter(3), letter(4), letter(5),
                        cell(*rows, i, 6)});
  }
  return result;
}

expected<std::map<oid, table_state>> read_states(connection& to,
                                                 const std::vector<oid>& ids) {
  auto rows = to.run(state_question(ids));
  if (!rows)
    return pass_on(rows);
  auto result = std::map<oid, table_state>{};
  for (int i = 0; i < rows->rows(); ++i) {
    auto& x = result[number<oid>(rows->text(i, 0))];
    x.rows = number<std::uint64_t>(rows->text(i, 1));
    x.role = cell(*rows, i, 2);
    x.may_use_schema = is_true(*rows, i, 3);
    x.may_select = is_true(*rows, i, 4);
    x.rows_are_hidden = is_true(*rows, i, 5);
    x.key = cell(*rows, i, 6);
    x.key_is_generated = is_true(*rows, i, 7);
    x.has_primary = is_true(*rows, i, 8);
    if (is_true(*rows, i, 9))
      x.candidate = cell(*rows, i, 10);
  }
  return result;
}

status read_columns(connection& to, std::vector<captured_table>& tables) {
  auto rows = to.run(
    "SELECT c.oid, a.attname, a.atttypid, a.atttypmod,"
    " format_type(a.atttypid, a.atttypmod),"
    " coalesce(array_position(k.parts, a.attnum), 0)"
    " FROM unnest("
    + oid_array(ids_of(tables))
    + ") WITH ORDINALITY AS t (id, place) JOIN pg_class c ON c.oid = t.id"
      " JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN LATERAL "
    + key_index
    + " k ON true WHERE a.attnum > 0 AND NOT a.attisdropped"
      " AND a.attgenerated = '' ORDER BY t.place, a.attnum");
  if (!rows)
    return pass_on(rows);
  auto table = tables.begin();
  for (int i = 0; i < rows->rows(); ++i) {
    while (table->id != number<oid>(rows->text(i, 0)))
      ++table;
    table->columns.push_back({cell(*rows, i, 1), number<oid>(rows->text(i, 2)),
                              number<std::int32_t>(rows->text(i, 3)),
                              cell(*rows, i, 4),
                              number<std::uint16_t>(rows->text(i, 5))});
  }
  return {};
}

} // namespace sluice::postgres
