#include "actors/sources/postgres/postgres_source.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "actors/sources/postgres/copy_rows.hpp"
#include "actors/sources/postgres/pg_setup.hpp"
#include "actors/sources/postgres/replication_stream.hpp"
#include "actors/sources/postgres/row_assembly.hpp"
#include "actors/sources/postgres/slot.hpp"
#include "actors/sources/postgres/start_plan.hpp"

namespace sluice {

using namespace postgres;

namespace {

constexpr std::string_view origin_key = "postgres:origin";
constexpr std::string_view tables_key = "postgres:tables";
// Of pg_type: below it all types are built in.
constexpr auto first_user_oid = 16'384;
using milliseconds = std::chrono::milliseconds;

constexpr auto short_wait = milliseconds{1};
// A row that comes ends it, so it costs no time.
constexpr auto read_wait = milliseconds{10};
constexpr auto gather_bytes = std::size_t{16U << 10U};

template <class T>
tl::unexpected<error> pass(T& failed) {
  return tl::unexpected<error>{std::move(failed.error())};
}

} // namespace

struct postgres_source::impl {
  postgres_source_options options;
  source_journal* journal = nullptr;
  std::string where;
  std::vector<std::string> left_out;
  bool has_publication = false;
  bool drops_publication = false; // when it ends
  origin from;
  std::optional<captured_tables> tables;
  std::optional<row_assembly> rows;
  std::optional<copy_rows> copy;
  std::unique_ptr<replication_stream> stream;
  std::string entries;        // of the stream, taken
  std::string_view unread;    // rest of them
  std::size_t read_bytes = 0; // by the last read
  timestamp copied;           // what the copy resolves
  timestamp behind;           // until this is resolved: what was there at start
  row_block_builder builder;  // of the copy

  void close();
  void drop_publication();
  status open(row_cursor resume);
  expected<report> look(connection& plain);
  expected<server_state> ask(connection& replication);
  status load_types(connection& plain);
  [[nodiscard]] tl::unexpected<error> located(error x) const;
  status note_tables(const std::set<std::string>& names);
  expected<std::set<std::string>> noted_tables();
  status resume_tables(connection& plain, const report& found);
  status begin_copy(connection replication, connection& plain,
                    const report& found, const copy_all& how,
                    row_cursor resume);
  status start_copies(const report& found, const std::string& snapshot,
                      generation number);
  status note_origin();
  expected<source_batch> read_copy(std::size_t bytes_max);
  expected<std::string> take();
  expected<source_batch> read_stream(std::size_t bytes_max);
};

// Where the server is away it stays: it costs nothing there.
void postgres_source::impl::drop_publication() {
  if (!std::exchange(drops_publication, false))
    return;
  auto plain = connection::open(options.conninfo, connection::kind::plain,
                                options.patience);
  if (plain)
    static_cast<void>(plain->run("DROP PUBLICATION IF EXISTS "
                                 + quoted_name(options.publication)));
}

void postgres_source::impl::close() {
  stream.reset();
  drop_publication();
  copy.reset();
  rows.reset();
  tables.reset();
  entries.clear();
  unread = {};
  (void) builder.finish();
}

// -- open ---------------------------------------------------------------------

expected<report> postgres_source::impl::look(connection& plain) {
  auto found = examine(plain, options);
  if (!found)
    return found;
  left_out.clear();
  for (const auto& x : found->findings)
    if (x.how == finding::level::warning && x.what.starts_with("table "))
      left_out.push_back(x.what.substr(6) + ": " + x.detail);
  if (const auto* x = found->obstacle(options.set_up))
    return tl::unexpected<error>{to_error(*x, plain.where())};
  if (options.need_table && found->tables.empty())
    return fail(errc::unknown_table, plain.where() + ": no table to capture");
  return found;
}

expected<server_state> postgres_source::impl::ask(connection& replication) {
  return ask_server(replication, options.slot, options.publication);
}

status postgres_source::impl::load_types(connection& plain) {
  auto types = plain.run(
    "SELECT t.oid, n.nspname, t.typname FROM pg_catalog.pg_type t"
    " JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace"
    " WHERE t.oid >= "
    + std::to_string(first_user_oid));
  if (!types)
    return pass(types);
  for (int i = 0; i < types->rows(); ++i)
    tables->set_type(
      static_cast<oid>(std::stoul(std::string{types->text(i, 0)})),
      std::string{types->text(i, 1)} + "." + std::string{types->text(i, 2)});
  return {};
}

// Who decodes rows does not know where they come from.
tl::unexpected<error> postgres_source::impl::located(error x) const {
  x.detail = where + ": " + x.detail;
  return tl::unexpected<error>{std::move(x)};
}

// Which tables are captured now: one that is left out has a gap from then on.
status postgres_source::impl::note_tables(const std::set<std::string>& names) {
  auto note = std::string{};
  for (const auto& x : names)
    note += x + '\n';
  return journal->set_note(tables_key, note);
}

expected<std::set<std::string>> postgres_source::impl::noted_tables() {
  auto note = journal->note(tables_key);
  if (!note)
    return pass(note);
  auto result = std::set<std::string>{};
  auto lines = std::istringstream{note->value_or("")};
  for (auto line = std::string{}; std::getline(lines, line);)
    result.insert(line);
  return result;
}

// Of one that came later only changes could be had, not what it holds.
status postgres_source::impl::resume_tables(connection& plain,
                                            const report& found) {
  auto before = noted_tables();
  if (!before)
    return pass(before);
  auto published = published_tables(plain, options.publication);
  if (!published)
    return pass(published);
  auto resumed = std::set<std::string>{};
  for (const auto& x : found.tables) {
    if (!before->contains(x.qualified())) {
      left_out.push_back(x.qualified()
                         + ": came after the copy; copy_again takes it in");
      continue;
    }
    auto known = tables->resume(x);
    if (!known)
      return located(known.error());
    if (!published->contains(x.qualified()))
      return fail(errc::source_unsupported,
                  where + ": publication " + options.publication
                    + " lacks changes of table " + x.qualified(),
                  "To copy all tables again, start once with copy_again"
                  " (--copy-again).");
    if (*known)
      resumed.insert(x.qualified());
  }
  return note_tables(resumed);
}

status postgres_source::impl::note_origin() {
  return journal->set_note(origin_key, to_note(from));
}

status postgres_source::impl::open(row_cursor resume) {
  auto plain = connection::open(options.conninfo, connection::kind::plain,
                                options.patience);
  if (!plain)
    return pass(plain);
  where = plain->where();
  auto found = look(*plain);
  if (!found)
    return pass(found);
  auto replication = connection::open(
    options.conninfo, connection::kind::replication, options.patience);
  if (!replication)
    return pass(replication);
  auto server = ask(*replication);
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
                             noted, *server, resume);
  if (!plan)
    return pass(plan);
  has_publication = server->has_publication;
  tables.emplace(*journal);
  auto end = server->end;
  if (auto loaded = load_types(*plain); !loaded)
    return loaded;
  from = noted.value_or(origin{});
  from.system = server->system;
  from.timeline = server->timeline;
  from.slot = options.slot;
  if (const auto* how = std::get_if<copy_all>(&*plan))
    return begin_copy(std::move(*replication), *plain, *found, *how, resume);
  if (auto resumed = resume_tables(*plain, *found); !resumed)
    return resumed;
  rows.emplace(*tables, resume, from.base);
  behind = resolved_at(from.base, end);
  auto begun = start_stream(
    std::move(*replication),
    {options.slot, options.publication, std::get<go_on>(*plan).from},
    options.queue_bytes, options.patience);
  if (!begun)
    return pass(begun);
  stream = std::move(*begun);
  return {};
}

status postgres_source::impl::start_copies(const report& found,
                                           const std::string& snapshot,
                                           generation number) {
  auto what = table_copies::request{};
  what.conninfo = options.conninfo;
  what.snapshot = snapshot;
  what.tables = found.tables;
  what.connections = options.copy_connections;
  what.queue_bytes = options.queue_bytes;
  what.patience = options.patience;
  auto copies = table_copies::start(std::move(what));
  if (!copies)
    return pass(copies);
  copy.emplace(std::move(*copies), *tables, from.copied_at, number);
  return {};
}

status postgres_source::impl::begin_copy(connection replication,
                                         connection& plain, const report& found,
                                         const copy_all& how,
                                         row_cursor resume) {
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
  if (!snapshot)
    return pass(snapshot);
  from = postgres::begin_copy(from, snapshot->consistent, resume);
  auto names = std::set<std::string>{};
  for (const auto& x : found.tables) {
    if (auto added = tables->add(x, from.copied_at.previous()); !added)
      return added;
    names.insert(x.qualified());
  }
  if (auto noted = note_tables(names); !noted)
    return noted;
  if (auto noted = note_origin(); !noted)
    return noted;
  if (options.copy)
    if (auto begun = start_copies(found, snapshot->name, *number); !begun)
      return begun;
  copied = resume.commit_ts;
  behind = {};
  rows.emplace(*tables, row_cursor::end_of(from.copied_at), from.base);
  // The copies have the snapshot: this connection may go on.
  if (!options.set_up)
    if (auto dropped = drop_temporary_slot(replication, of_snapshot); !dropped)
      return dropped;
  auto begun = start_stream(
    std::move(replication),
    {options.slot, options.publication, snapshot->consistent},
    options.queue_bytes, options.patience);
  if (!begun)
    return pass(begun);
  stream = std::move(*begun);
  return {};
}

// -- read ---------------------------------------------------------------------

expected<source_batch> postgres_source::impl::read_copy(std::size_t bytes_max) {
  auto batch = source_batch{};
  auto done = copy->fill(builder, bytes_max);
  if (!done)
    return pass(done);
  batch.copying = copy->progress();
  if (*done) {
    copied = from.copied_at;
    copy.reset();
  }
  batch.more = true; // never idle before all is copied
  if (!*done && builder.empty())
    std::this_thread::sleep_for(short_wait);
  batch.rows = builder.empty() ? nullptr : builder.finish();
  batch.resolved = copied;
  return batch;
}

// A row that comes when there are few is taken at once; when there are many,
// they are let gather.
expected<std::string> postgres_source::impl::take() {
  auto nothing_yet = rows->size_bytes() == 0;
  auto many = read_bytes >= gather_bytes;
  if (nothing_yet && many)
    std::this_thread::sleep_for(short_wait);
  return stream->take(nothing_yet && !many ? read_wait : milliseconds{0});
}

expected<source_batch>
postgres_source::impl::read_stream(std::size_t bytes_max) {
  auto batch = source_batch{};
  while (rows->size_bytes() < bytes_max) {
    if (unread.empty()) {
      auto taken = take();
      if (!taken && rows->size_bytes() == 0)
        return pass(taken);
      if (!taken || taken->empty())
        break;
      entries = std::move(*taken);
      unread = entries;
    }
    auto frame = frame_queue::next(unread);
    if (auto done = rows->take(frame); !done)
      return located(done.error());
  }
  read_bytes = rows->size_bytes();
  batch.schemas = rows->take_schemas();
  batch.rows = rows->take_rows();
  batch.resolved = rows->resolved();
  batch.more = !unread.empty() || batch.rows != nullptr;
  // It is on its way: who wants to stop when there is no more has to wait.
  batch.more = batch.more || batch.resolved < behind;
  return batch;
}

// -- the connector ------------------------------------------------------------

postgres_source::postgres_source(postgres_source_options options)
  : impl_{std::make_unique<impl>()} {
  impl_->options = std::move(options);
}

postgres_source::~postgres_source() {
  impl_->close();
}

std::string postgres_source::describe() const {
  auto result = "postgres "
                + (impl_->where.empty()
                     ? without_secrets(impl_->options.conninfo)
                     : impl_->where);
  auto separator = std::string{" without "};
  for (const auto& x : impl_->left_out) {
    result += separator + x;
    separator = "; ";
  }
  return result;
}

expected<std::vector<ddl_event>>
postgres_source::open(row_cursor resume, source_journal& journal) {
  auto& x = *impl_;
  if (auto valid = x.options.validate(); !valid)
    return pass(valid);
  x.close();
  x.journal = &journal;
  if (x.options.temporary)
    x.options.slot = temporary_slot_name();
  if (auto opened = x.open(resume); !opened) {
    x.close();
    return pass(opened);
  }
  return x.tables->schemas();
}

expected<source_batch> postgres_source::read(std::size_t bytes_max) {
  auto& x = *impl_;
  if (x.stream == nullptr)
    return fail(errc::source_unavailable, describe() + ": not open");
  return x.copy ? x.read_copy(bytes_max) : x.read_stream(bytes_max);
}

expected<bool> postgres_source::confirm(timestamp ts) {
  auto& x = *impl_;
  // The slot stays where it begins until its copy is whole.
  if (x.stream != nullptr && !x.copy && ts.value >= x.from.base)
    x.stream->confirm(ts.value - x.from.base + 1);
  return false;
}

// `read` has waited.
std::chrono::milliseconds postgres_source::idle_wait(std::uint32_t) const {
  return milliseconds{0};
}

const std::vector<std::string>& postgres_source::left_out() const noexcept {
  return impl_->left_out;
}

std::unique_ptr<source_connector>
make_postgres_source(postgres_source_options options) {
  return std::make_unique<postgres_source>(std::move(options));
}

} // namespace sluice
