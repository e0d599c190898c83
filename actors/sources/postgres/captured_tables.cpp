#include "actors/sources/postgres/captured_tables.hpp"

#include <algorithm>
#include <utility>

#include "actors/sources/postgres/pg_value.hpp"
#include "actors/sources/postgres/table_notes.hpp"

namespace sluice::postgres {

namespace {

std::string key_of(const std::string& table) {
  return "postgres:table:" + table;
}

bool has_key(const std::vector<column>& columns) {
  return std::any_of(columns.begin(), columns.end(),
                     [](const auto& x) { return x.key_part > 0; });
}

// The version that rows at `ts` begin with.
const captured_tables::version& before(const captured_tables::table& of,
                                       timestamp ts) {
  const auto* result = &of.versions.front();
  for (const auto& x : of.versions)
    if (x.valid_from < ts.previous())
      result = &x;
  return *result;
}

// The known version of rows at `ts` with these columns: one that began with
// that transaction, or the one before; null if there is none.
const captured_tables::version* known(const captured_tables::table& of,
                                      timestamp ts,
                                      const std::vector<column>& columns) {
  const auto& first = before(of, ts);
  if (first.columns == columns)
    return &first;
  for (const auto& x : of.versions)
    if (x.valid_from == ts.previous() && x.columns == columns)
      return &x;
  return nullptr;
}

} // namespace

error made_anew(const std::string& table) {
  return {errc::source_schema_changed,
          "table " + table + " was dropped and made anew",
          "To copy all tables again, start once with copy_again"
          " (--copy-again)."};
}

ddl_event to_event(const captured_tables::table& of,
                   const captured_tables::version& x) {
  return {
    {of.id, of.name, x.number, x.valid_from, x.columns}, x.valid_from, false};
}

std::string captured_tables::type_of(oid type, std::int32_t modifier) const {
  auto built_in = type_name(type, modifier);
  if (!built_in.empty())
    return built_in;
  auto found = types_.find(type);
  return found == types_.end() ? "oid " + std::to_string(type) : found->second;
}

expected<std::vector<captured_tables::table>>
captured_tables::load(const std::vector<captured_table>& all) const {
  auto names = std::vector<std::string>{};
  for (const auto& x : all)
    names.push_back(x.qualified());
  auto ids = journal_.tables_of(names);
  if (!ids)
    return tl::unexpected{std::move(ids.error())};
  auto result = std::vector<table>{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto note = journal_.note(key_of(names[i]));
    if (!note)
      return tl::unexpected{std::move(note.error())};
    auto& x = result.emplace_back();
    x.id = (*ids)[i];
    x.name = std::move(names[i]);
    if (*note)
      parse_table(**note, x);
  }
  return result;
}

status captured_tables::store(const table& x) {
  return journal_.set_note(key_of(x.name), to_note(x));
}

status captured_tables::add(const std::vector<captured_table>& all,
                            timestamp from) {
  auto loaded = load(all);
  if (!loaded)
    return tl::unexpected{std::move(loaded.error())};
  auto notes = std::vector<source_journal::named_note>{};
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto& entry = (*loaded)[i];
    entry.relation = all[i].id;
    auto columns = columns_of(all[i]);
    if (entry.versions.empty())
      entry.versions.push_back({{1}, from, std::move(columns)});
    else if (entry.versions.back().columns != columns)
      entry.versions.push_back(
        {entry.versions.back().number.next(), from, std::move(columns)});
    notes.push_back({key_of(entry.name), to_note(entry)});
    auto name = entry.name;
    tables_.insert_or_assign(std::move(name), std::move(entry));
  }
  return journal_.set_notes(notes);
}

status captured_tables::resume(const std::vector<captured_table>& all) {
  auto loaded = load(all);
  if (!loaded)
    return tl::unexpected{std::move(loaded.error())};
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto& entry = (*loaded)[i];
    if (entry.versions.empty())
      continue;
    if (entry.relation != all[i].id)
      return tl::unexpected{made_anew(entry.name)};
    auto name = entry.name;
    tables_.insert_or_assign(std::move(name), std::move(entry));
  }
  return {};
}

std::vector<column> captured_tables::columns_of(const captured_table& x) const {
  auto result = std::vector<column>{};
  for (const auto& c : x.columns)
    result.push_back({c.name, type_of(c.type, c.modifier), c.key_part});
  return result;
}

// A relation says which columns are in its key, not in which order; and with
// REPLICA IDENTITY FULL it marks all. A key that stays keeps its order.
std::vector<column> captured_tables::columns_of(const relation_message& x,
                                                const version& before) const {
  auto result = std::vector<column>{};
  auto same_key = true;
  for (const auto& c : x.columns) {
    auto old = std::find_if(before.columns.begin(), before.columns.end(),
                            [&](const auto& y) { return y.name == c.name; });
    auto part = old == before.columns.end() ? std::uint16_t{0} : old->key_part;
    same_key = same_key && (part > 0) == c.in_identity;
    result.push_back({c.name, type_of(c.type, c.modifier), part});
  }
  if (x.identity == 'f' || same_key)
    return result;
  auto part = std::uint16_t{0};
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i].key_part = x.columns[i].in_identity ? ++part : std::uint16_t{0};
  return result;
}

void captured_tables::end_renamed(const relation_message& x) {
  auto name = x.schema + "." + x.name;
  std::erase_if(tables_, [&](const auto& entry) {
    auto renamed = entry.second.relation == x.id && entry.first != name;
    if (renamed)
      renamed_.push_back(entry.first);
    return renamed;
  });
}

status captured_tables::on_relation(const relation_message& x,
                                    timestamp commit_ts,
                                    std::vector<ddl_event>& declared) {
  auto& now = relations_[x.id];
  now = {};
  end_renamed(x);
  auto found = tables_.find(x.schema + "." + x.name);
  if (found == tables_.end()) {
    now.unclaimed = x;
    return {};
  }
  auto& of = found->second;
  if (of.relation != x.id)
    return tl::unexpected{made_anew(of.name)};
  const auto& first = before(of, commit_ts);
  // REPLICA IDENTITY FULL does not say what has become of the key.
  for (const auto& c : first.columns)
    if (x.identity == 'f' && c.key_part > 0
        && std::none_of(x.columns.begin(), x.columns.end(),
                        [&](const auto& y) { return y.name == c.name; }))
      return fail(errc::source_schema_changed,
                  "table " + of.name + ": column " + c.name
                    + " of its key has another name",
                  "To copy all tables again, start once with copy_again"
                  " (--copy-again).");
  auto columns = columns_of(x, first);
  if (!has_key(columns))
    return fail(errc::table_without_key, "table " + of.name,
                "Give it a primary key, or a REPLICA IDENTITY USING INDEX, and"
                " start again.");
  const auto* present = known(of, commit_ts, columns);
  if (present == nullptr) {
    auto number = of.versions.back().number.next();
    of.versions.push_back({number, commit_ts.previous(), columns});
    // Noted before its rows are: they will be read again with this version.
    if (auto stored = store(of); !stored)
      return stored;
    present = &of.versions.back();
    declared.push_back(to_event(of, *present));
  }
  now.of = &of;
  now.version = present->number;
  for (const auto& c : present->columns)
    now.key_columns.push_back(c.key_part > 0);
  for (const auto& c : x.columns)
    now.types.push_back(c.type);
  return {};
}

void captured_tables::adopt(captured_tables late) {
  for (const auto& [name, of] : late.tables_)
    if (auto found = relations_.find(of.relation);
        found != relations_.end() && found->second.unclaimed)
      found->second.adopted = true;
  tables_.merge(late.tables_);
}

status captured_tables::claim(oid id, timestamp commit_ts,
                              std::vector<ddl_event>& declared) {
  auto said = std::move(*relations_[id].unclaimed);
  return on_relation(said, commit_ts, declared);
}

const captured_tables::relation* captured_tables::find(oid id) const {
  auto found = relations_.find(id);
  return found == relations_.end() ? nullptr : &found->second;
}

std::vector<ddl_event> captured_tables::schemas() const {
  auto result = std::vector<ddl_event>{};
  for (const auto& [name, of] : tables_)
    for (const auto& x : of.versions)
      result.push_back(to_event(of, x));
  return result;
}

const captured_tables::table*
captured_tables::named(const std::string& name) const {
  auto found = tables_.find(name);
  return found == tables_.end() ? nullptr : &found->second;
}

} // namespace sluice::postgres
