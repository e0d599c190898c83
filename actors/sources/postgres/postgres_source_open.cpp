#include <utility>

#include "actors/sources/postgres/catalog.hpp"
#include "actors/sources/postgres/postgres_source_impl.hpp"
#include "actors/sources/postgres/slot.hpp"

namespace sluice {

using namespace postgres;

namespace {

constexpr std::string_view origin_key = "postgres:origin";
constexpr std::string_view tables_key = "postgres:tables";

template <class T>
tl::unexpected<error> pass(T& failed) {
  return tl::unexpected<error>{std::move(failed.error())};
}

} // namespace

expected<report> postgres_source::impl::look(connection& plain) {
  auto found = examine(plain, options);
  if (!found)
    return found;
  left_out = found->left_out();
  if (const auto* x = found->obstacle(options.set_up))
    return tl::unexpected<error>{to_error(*x, plain.where())};
  if (options.binary)
    if (auto readable = check_binary(plain.where(), found->tables); !readable)
      return pass(readable);
  if (options.need_table && found->tables.empty())
    return fail(errc::unknown_table, plain.where() + ": no table to capture");
  return found;
}

// A table that is left out has a gap from then on.
status postgres_source::impl::note_tables() {
  return journal->set_note(tables_key, to_note(copied));
}

status postgres_source::impl::resume_tables(connection& plain,
                                            const report& found,
                                            row_cursor resume) {
  auto note = journal->note(tables_key);
  if (!note)
    return pass(note);
  auto published = published_tables(plain, options.publication);
  if (!published)
    return pass(published);
  auto before = parse_copied(note->value_or(""));
  auto wanted = std::vector<captured_table>{};
  for (const auto& x : found.tables) {
    auto noted = before.find(x.qualified());
    if (noted != before.end() && noted->second <= resume)
      wanted.push_back(x); // late_tables sees the others
  }
  auto known = tables->resume(wanted);
  for (const auto& x : wanted)
    if (known && !published->contains(x.id))
      known = tl::unexpected{lacks_changes(options.publication, x.qualified())};
  if (!known) {
    known.error().detail = where + ": " + known.error().detail;
    return known;
  }
  copied.clear();
  for (const auto& x : wanted)
    if (tables->named(x.qualified()) != nullptr)
      copied.insert(*before.find(x.qualified()));
  return note_tables();
}

status postgres_source::impl::note_origin() {
  return journal->set_note(origin_key, to_note(from));
}

status postgres_source::impl::open(const source_position& at) {
  auto plain = connection::open(options.conninfo, connection::kind::plain,
                                options.patience);
  if (!plain)
    return pass(plain);
  where = plain->where();
  database = plain->database();
  auto found = look(*plain);
  if (!found)
    return pass(found);
  auto replication = connection::open(
    options.conninfo, connection::kind::replication, options.patience);
  if (!replication)
    return pass(replication);
  auto server = ask_server(*replication, options.slot, options.publication);
  if (!server)
    return pass(server);
  auto note = journal->note(origin_key);
  if (!note)
    return pass(note);
  auto noted = *note ? parse_origin(**note) : std::nullopt;
  auto plan = options.temporary
                ? expected<start_plan>{copy_all{}}
                : plan_start({where, options.slot, options.publication,
                              options.set_up, options.copy_again},
                             noted, *server, at.resume);
  if (!plan)
    return pass(plan);
  has_publication = server->has_publication;
  auto types = user_types(*plain);
  if (!types)
    return pass(types);
  tables.emplace(*journal, std::move(*types));
  from = noted.value_or(origin{});
  from.system = server->system;
  from.timeline = server->timeline;
  from.slot = options.slot;
  if (const auto* how = std::get_if<copy_all>(&*plan))
    return begin_copy(std::move(*replication), *plain, *found, *how, at);
  if (auto resumed = resume_tables(*plain, *found, at.resume); !resumed)
    return resumed;
  behind = resolved_at(from.base, server->end);
  look_for_tables();
  return read_slot(std::move(*replication), std::get<go_on>(*plan).from,
                   server->slot ? server->slot->confirmed : 0, at.resume);
}

status postgres_source::impl::read_slot(connection replication, lsn from_place,
                                        lsn confirmed, row_cursor resume) {
  auto begun = start_stream(
    std::move(replication),
    {options.slot, options.publication, from_place, confirmed, options.binary},
    options.queue_bytes, options.patience);
  if (!begun)
    return pass(begun);
  stream.emplace(std::move(*begun),
                 slot_reader::request{*tables, resume, from.base, where});
  return {};
}

void postgres_source::impl::look_for_tables() {
  auto known = table_names{};
  for (const auto& [name, to] : copied)
    known[name] = tables->named(name)->relation;
  late = std::make_unique<late_tables>(options, std::move(known));
}

status postgres_source::impl::start_copies(const report& found,
                                           const std::string& snapshot,
                                           generation number) {
  auto copies = table_copies::start(
    table_copies::of(options, found.tables, snapshot));
  if (!copies)
    return pass(copies);
  copy.emplace(std::move(*copies), *tables);
  copy->stand_at(from.copied_at, {number.value});
  return {};
}

status postgres_source::impl::begin_copy(connection replication,
                                         connection& plain, const report& found,
                                         const copy_all& how,
                                         const source_position& at) {
  if (options.set_up)
    if (auto made = make_publication(plain, options, found); !made)
      return made;
  drops_publication = options.temporary && !has_publication;
  // Before there is a slot: one that nobody reads keeps the server's log.
  from.copied_at = {};
  if (auto noted = note_origin(); !noted)
    return noted;
  if (how.drop_slot)
    if (auto dropped = drop_slot(plain, options.slot, options.patience);
        !dropped)
      return dropped;
  auto number = journal->next_generation();
  if (!number)
    return pass(number);
  // Beside a slot that was made for us another one gives the snapshot.
  auto of_snapshot = options.set_up ? options.slot : temporary_slot_name();
  auto snapshot = export_snapshot(replication, of_snapshot,
                                  options.temporary || !options.set_up,
                                  options.patience);
  // A slot that somebody else made is not ours at the next start either.
  if (!snapshot && snapshot.error().code == errc::source_unsupported)
    if (auto noted = journal->set_note(origin_key, {}); !noted)
      return noted;
  if (!snapshot)
    return pass(snapshot);
  from = postgres::begin_copy(from, snapshot->consistent, at.highest);
  copied.clear();
  if (auto added = tables->add(found.tables, from.copied_at.previous()); !added)
    return added;
  for (const auto& x : found.tables)
    copied[x.qualified()] = {};
  if (auto noted = note_tables(); !noted)
    return noted;
  if (auto noted = note_origin(); !noted)
    return noted;
  if (options.copy)
    if (auto begun = start_copies(found, snapshot->name, *number); !begun)
      return begun;
  before_copy = at.resume.commit_ts;
  behind = {};
  // The copies have the snapshot: this connection may go on.
  if (!options.set_up)
    if (auto dropped = drop_temporary_slot(replication, of_snapshot); !dropped)
      return dropped;
  if (!copy)
    look_for_tables();
  return read_slot(std::move(replication), snapshot->consistent,
                   snapshot->consistent, row_cursor::end_of(from.copied_at));
}

} // namespace sluice
