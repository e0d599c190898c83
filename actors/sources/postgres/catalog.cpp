#include "actors/sources/postgres/catalog.hpp"

#include <utility>

#include "actors/sources/postgres/pg_binary.hpp"

namespace sluice::postgres {

namespace {

// Of pg_type: below it all types are built in.
constexpr auto first_user_oid = 16'384;

} // namespace

expected<type_names> user_types(connection& plain) {
  auto types = plain.run(
    "SELECT t.oid, n.nspname, t.typname FROM pg_catalog.pg_type t"
    " JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace"
    " WHERE t.oid >= "
    + std::to_string(first_user_oid));
  if (!types)
    return tl::unexpected{std::move(types.error())};
  auto result = type_names{};
  for (int i = 0; i < types->rows(); ++i)
    result.emplace(static_cast<oid>(std::stoul(std::string{types->text(i, 0)})),
                   std::string{types->text(i, 1)} + "."
                     + std::string{types->text(i, 2)});
  return result;
}

status check_binary(const std::string& where,
                    const std::vector<captured_table>& tables) {
  for (const auto& x : tables)
    for (const auto& c : x.columns)
      if (!reads_binary(c.type))
        return fail(errc::source_unsupported,
                    where + ": column " + c.name + " of table " + x.qualified()
                      + " has a type that is read as text only",
                    "Leave out the option `binary`, or the table.");
  return {};
}

expected<std::set<oid>> published_tables(connection& plain,
                                         const std::string& publication) {
  auto rows = plain.run(
    "SELECT t.relid FROM pg_catalog.pg_publication p"
    " CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(p.pubname) t"
    " WHERE p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate"
    " AND p.pubname = "
    + quoted_text(publication));
  if (!rows)
    return tl::unexpected{std::move(rows.error())};
  auto result = std::set<oid>{};
  for (int i = 0; i < rows->rows(); ++i)
    result.insert(static_cast<oid>(std::stoul(std::string{rows->text(i, 0)})));
  return result;
}

expected<bool> has_table(connection& plain, const captured_table& x) {
  auto rows = plain.run("SELECT FROM pg_catalog.pg_class c"
                        " JOIN pg_catalog.pg_namespace n"
                        " ON n.oid = c.relnamespace WHERE c.oid = "
                        + std::to_string(x.id)
                        + " AND n.nspname = " + quoted_text(x.schema)
                        + " AND c.relname = " + quoted_text(x.name));
  if (!rows)
    return tl::unexpected{std::move(rows.error())};
  return rows->rows() > 0;
}

error lacks_changes(const std::string& publication, const std::string& table) {
  return {errc::source_unsupported,
          "publication " + publication + " lacks changes of table " + table,
          "To copy all tables again, start once with copy_again"
          " (--copy-again)."};
}

} // namespace sluice::postgres
