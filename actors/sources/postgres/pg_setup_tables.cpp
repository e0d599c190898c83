#include <algorithm>
#include <optional>

#include "actors/sources/postgres/pg_error.hpp"
#include "actors/sources/postgres/pg_relation.hpp"
#include "actors/sources/postgres/pg_setup_parts.hpp"

namespace sluice::postgres {

namespace {

using level = finding::level;

/// Why a table is left out.
struct reason {
  std::string text;
  std::vector<std::string> sql = {};
  std::string remedy = {};
  errc code = errc::source_unsupported;
};

// -- why it can't be captured -------------------------------------------------

std::optional<reason> kind_reason(const relation& x) {
  if (x.kind == 'f')
    return reason{"is a foreign table: its changes are not in this server's "
                  "log"};
  if (x.kind == 'v' || x.kind == 'm')
    return reason{"is a view", {}, "Capture the tables that it shows."};
  if (!x.root.empty())
    return reason{
      "is a partition of " + x.root, {}, "Capture " + x.root + " as a whole."};
  if (x.persistence == 'u')
    return reason{"is unlogged: its changes are not in the server's log",
                  {"ALTER TABLE " + x.sql() + " SET LOGGED;"}};
  if (x.persistence == 't')
    return reason{"is temporary"};
  return {};
}

std::optional<reason> right_reason(const relation& x, const table_state& now) {
  auto role = quoted_name(now.role);
  auto sql = std::vector<std::string>{};
  if (!now.may_use_schema)
    sql.push_back("GRANT USAGE ON SCHEMA " + quoted_name(x.schema) + " TO "
                  + role + ';');
  if (!now.may_select)
    sql.push_back("GRANT SELECT ON TABLE " + x.sql() + " TO " + role + ';');
  if (!sql.empty())
    return reason{"may not be read by role " + now.role, std::move(sql)};
  if (now.rows_are_hidden)
    return reason{"hides rows from role " + now.role
                    + " by its row level security",
                  {"ALTER ROLE " + role + " BYPASSRLS;"}};
  return {};
}

std::string why_no_key(const relation& x, const table_state& now) {
  if (now.key_is_generated)
    return "has a generated column in its key, which is not published";
  if (x.identity == 'n')
    return "has no key: its replica identity is NOTHING";
  if (x.identity == 'i')
    return "has no key: the index of its replica identity is gone";
  if (now.has_primary)
    return "has a deferrable primary key, which cannot identify a row";
  return "has no primary key";
}

std::optional<reason> key_reason(const relation& x, const table_state& now) {
  if (!now.key.empty() && !now.key_is_generated)
    return {};
  auto result = reason{why_no_key(x, now)};
  result.code = errc::table_without_key;
  auto identity = "ALTER TABLE " + x.sql() + " REPLICA IDENTITY ";
  if (!now.candidate)
    result.remedy = "Declare a primary key, or leave the table out.";
  else if (now.candidate->empty())
    result.sql = {identity + "DEFAULT;"};
  else
    result.sql = {identity + "USING INDEX " + quoted_name(*now.candidate)
                  + ';'};
  return result;
}

// With publish_via_partition_root the rows of a partition come as rows of the
// root, but with the old values that the partition's own identity gives. None
// is a foreign table: PostgreSQL has no unique index then.
expected<std::optional<reason>> partition_reason(connection& to,
                                                 const relation& x) {
  auto keys = "SELECT c.oid, c.relpersistence, c.relreplident,"
              " c.relnamespace, c.relname, (SELECT array_agg(a.attname"
              " ORDER BY a.attname) FROM pg_attribute a"
              " WHERE a.attrelid = c.oid AND a.attnum = ANY (k.parts)) AS key"
              " FROM pg_class c LEFT JOIN LATERAL "
              + std::string{key_index} + " k ON true WHERE c.oid";
  auto rows = to.run(
    "SELECT n.nspname, l.relname, l.relpersistence FROM (" + keys + " = "
    + std::to_string(x.id) + ") r, (" + keys
    + " IN (SELECT relid FROM pg_partition_tree(" + std::to_string(x.id)
    + ") WHERE isleaf)) l JOIN pg_namespace n ON n.oid = l.relnamespace"
      " WHERE l.relpersistence <> 'p' OR"
      " (l.relreplident <> 'f' AND l.key IS DISTINCT FROM r.key)"
      " ORDER BY 1, 2");
  if (!rows)
    return pass_on(rows);
  auto result = std::optional<reason>{};
  for (int i = 0; i < rows->rows(); ++i) {
    auto name = cell(*rows, i, 0) + '.' + cell(*rows, i, 1);
    auto sql = sql_name(rows->text(i, 0), rows->text(i, 1));
    if (rows->text(i, 2) != "p")
      return reason{"has the unlogged partition " + name,
                    {"ALTER TABLE " + sql + " SET LOGGED;"}};
    if (!result)
      result = reason{"has another key than its partition " + name};
    // The primary key comes from the root; another index may be missing.
    result->sql.push_back("ALTER TABLE " + sql + " REPLICA IDENTITY "
                          + (x.identity == 'i' ? "FULL;" : "DEFAULT;"));
  }
  return result;
}

// -- one after the other ------------------------------------------------------

class table_examination {
public:
  table_examination(connection& to, const postgres_source_options& options,
                    report& into)
    : to_{to}, options_{options}, into_{into} {
    // nop
  }

  status run();

private:
  [[nodiscard]] bool is_named(const relation& x) const;
  [[nodiscard]] bool is_part(const relation& x) const;
  expected<std::optional<reason>> reason_against(const relation& x,
                                                 const table_state& now);
  status look_at(const relation& x, const table_state& now);
  void leave_out(const relation& x, reason why);
  void find_missing(const std::vector<relation>& all);
  void require_table();

  connection& to_;
  const postgres_source_options& options_;
  report& into_;
};

bool has_wildcard(std::string_view pattern) {
  return pattern.find_first_of("*?") != std::string_view::npos;
}

bool table_examination::is_named(const relation& x) const {
  const auto& include = options_.tables.include;
  return std::find(include.begin(), include.end(), x.qualified())
         != include.end();
}

// A view that only a wildcard names is no news.
void table_examination::leave_out(const relation& x, reason why) {
  auto named = is_named(x);
  if (!named && (x.kind == 'v' || x.kind == 'm'))
    return;
  into_.findings.push_back(
    {named ? level::broken : level::warning, "table " + x.qualified(),
     why.text + (named ? "" : "; it is left out"), std::move(why.sql),
     std::move(why.remedy), why.code});
}

// The partitions of a table that is captured are in it.
bool table_examination::is_part(const relation& x) const {
  return !x.root.empty() && !is_named(x) && options_.tables.matches(x.root);
}

expected<std::optional<reason>>
table_examination::reason_against(const relation& x, const table_state& now) {
  for (auto* check : {&right_reason, &key_reason})
    if (auto why = check(x, now))
      return why;
  if (x.kind == 'p')
    return partition_reason(to_, x);
  return std::optional<reason>{};
}

status table_examination::look_at(const relation& x, const table_state& now) {
  auto why = reason_against(x, now);
  if (!why)
    return pass_on(why);
  if (*why) {
    leave_out(x, std::move(**why));
    return {};
  }
  into_.tables.push_back({x.id, x.schema, x.name, {}, x.identity, now.rows});
  into_.findings.push_back(
    {level::good,
     "table " + x.qualified(),
     "key (" + now.key + "), about " + std::to_string(now.rows) + " rows",
     {},
     {}});
  return {};
}

void table_examination::find_missing(const std::vector<relation>& all) {
  for (const auto& pattern : options_.tables.include) {
    auto is_it = [&](const relation& x) { return x.qualified() == pattern; };
    if (has_wildcard(pattern) || std::any_of(all.begin(), all.end(), is_it))
      continue;
    auto remedy = std::string{"Make it, or correct the name."};
    for (const auto& x : all)
      if (x.name == pattern)
        remedy = "Names have their schema in front: " + x.qualified() + '.';
    auto system = is_system(pattern.substr(0, pattern.find('.')));
    into_.findings.push_back(
      {level::broken,
       "table " + pattern,
       system ? "is PostgreSQL's own" : "is not there",
       {},
       system ? "Leave it out." : remedy,
       system ? errc::source_unsupported : errc::unknown_table});
  }
}

void table_examination::require_table() {
  if (!into_.tables.empty())
    return;
  into_.findings.push_back(
    {options_.need_table ? level::broken : level::warning,
     "tables",
     "there is none that matches and can be captured",
     {},
     "Make one, correct the names, or mend what is left out.",
     errc::unknown_table});
}

status table_examination::run() {
  auto all = list_relations(to_);
  if (!all)
    return pass_on(all);
  auto ids = std::vector<oid>{};
  for (const auto& x : *all)
    if (options_.tables.matches(x.qualified()))
      ids.push_back(x.id);
  auto states = read_states(to_, ids);
  if (!states)
    return pass_on(states);
  for (const auto& x : *all) {
    auto now = states->find(x.id);
    if (now == states->end() || is_part(x))
      continue;
    if (auto why = kind_reason(x))
      leave_out(x, std::move(*why));
    else if (auto done = look_at(x, now->second); !done)
      return done;
  }
  find_missing(*all);
  require_table();
  return read_columns(to_, into_.tables);
}

} // namespace

status examine_tables(connection& to, const postgres_source_options& options,
                      report& into) {
  return table_examination{to, options, into}.run();
}

} // namespace sluice::postgres
