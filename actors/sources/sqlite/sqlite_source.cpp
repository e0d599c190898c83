#include "actors/sources/sqlite/sqlite_source.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include <sqlite3.h>

#include "actors/sources/sqlite/capture_setup.hpp"
#include "actors/sources/sqlite/outbox_prune.hpp"
#include "actors/sources/sqlite/outbox_reader.hpp"
#include "actors/sources/sqlite/source_error.hpp"
#include "actors/sources/sqlite/source_identity.hpp"
#include "actors/sources/sqlite/table_copy.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

namespace {

// Ends of groups whose nonce is remembered, for an `open` in this process.
constexpr std::size_t places_max = 64;

// A prune that meets a lock comes again; it must not hold up reading.
constexpr auto prune_busy_timeout_ms = 20;

enum class phase { idle, outbox, copy };

} // namespace

status sqlite_source_options::validate() const {
  if (path.empty())
    return fail(errc::invalid_option, "sqlite source: path is empty");
  if (tables.include.empty())
    return fail(errc::invalid_option, "sqlite source: tables.include is empty");
  if (busy_timeout < std::chrono::milliseconds::zero())
    return fail(errc::invalid_option,
                "sqlite source: busy_timeout is negative");
  return {};
}

struct sqlite_source::impl {
  sqlite_source_options options;
  source_journal* journal = nullptr;
  std::unique_ptr<sqlite_db> writer; // set-up, pruning
  std::unique_ptr<sqlite_db> reader; // one read transaction at a time
  std::optional<outbox_reader> outbox;
  std::optional<table_copy> copy;
  phase now = phase::idle;
  std::uint64_t position = 0; // of the outbox, read up to here
  timestamp resolved;
  setup_result setup;
  std::vector<ddl_event> schemas;           // to go with the next batch
  std::optional<std::int64_t> data_version; // none: something is to be read
  std::uint64_t ceiling = 0;
  std::deque<outbox_place> places;

  status connect();
  status require_wal();
  status begin_reading();
  status end_reading();
  status apply(setup_result result);
  std::optional<outbox_place> known_place(row_cursor resume) const;
  expected<setup_result> run_setup(std::optional<identity_request> opening);
  expected<bool> begin_snapshot();
  expected<bool> schema_changed();
  status give_outbox(row_block_builder& into, std::size_t bytes_max);
  status give_copy(row_block_builder& into, std::size_t bytes_max,
                   source_batch& batch);
  expected<source_batch> read(std::size_t bytes_max);
  void close();
};

// -- connections --------------------------------------------------------------

void sqlite_source::impl::close() {
  // Statements go before their connections.
  copy.reset();
  outbox.reset();
  reader.reset();
  writer.reset();
  now = phase::idle;
  data_version.reset();
  schemas.clear();
}

status sqlite_source::impl::connect() {
  auto how = sqlite_options{};
  how.failure = errc::source_unavailable;
  how.busy_timeout = options.busy_timeout;
  how.create = false;
  for (auto* to : {&writer, &reader}) {
    auto db = sqlite_db::open(options.path, how);
    if (!db)
      return pass_on(db);
    *to = std::move(*db);
  }
  if (sqlite3_db_readonly(writer->handle(), "main") == 1)
    return fail(errc::source_unsupported, options.path + ": may not be written",
                "Let this program write to the file and its directory: its"
                " triggers and its outbox are in it.");
  return require_wal();
}

status sqlite_source::impl::require_wal() {
  auto mode = std::string{};
  auto ask = [&](const char* sql) {
    return writer->run(
      sql, [](sqlite_statement&) {},
      [&](sqlite_statement& q) { mode = q.text(0); });
  };
  auto done = ask("PRAGMA journal_mode");
  if (done && mode != "wal" && options.set_wal)
    done = ask("PRAGMA journal_mode = WAL");
  if (!done)
    return tl::unexpected<error>{source_failure(*writer, done.error())};
  if (mode == "wal")
    return {};
  if (options.set_wal)
    return fail(errc::source_unsupported,
                options.path + ": journal_mode stays " + mode,
                "Put the database where SQLite can use WAL: on a local disk.");
  return fail(errc::source_unsupported,
              options.path + ": journal_mode is " + mode
                + ", a reader would make the application's commits fail",
              "Run PRAGMA journal_mode = WAL once, or allow it with set_wal"
              " (--set-wal).");
}

status sqlite_source::impl::begin_reading() {
  if (auto done = reader->exec("BEGIN"); !done)
    return done;
  // BEGIN alone takes no snapshot.
  auto first = reader->query_integer("PRAGMA main.schema_version");
  if (!first)
    return tl::unexpected<error>{
      lock_failure(*reader, std::move(first.error()))};
  return {};
}

status sqlite_source::impl::end_reading() {
  if (outbox)
    outbox->end();
  copy.reset();
  now = phase::idle;
  if (!reader->in_transaction())
    return {};
  return reader->exec("COMMIT");
}

// -- set-up -------------------------------------------------------------------

expected<setup_result>
sqlite_source::impl::run_setup(std::optional<identity_request> opening) {
  auto request = setup_request{};
  request.rules = options.tables;
  request.need_table = options.need_table;
  request.opening = std::move(opening);
  request.before_commit = [this] { return begin_reading(); };
  auto result = set_up_capture(*writer, *journal, request);
  if (!result) {
    auto cause = source_failure(*writer, std::move(result.error()));
    if (reader->in_transaction())
      if (auto done = end_reading(); !done)
        return pass_on(done);
    return tl::unexpected<error>{std::move(cause)};
  }
  return result;
}

// Takes over a set-up; the reader is in the snapshot that belongs to it.
status sqlite_source::impl::apply(setup_result result) {
  auto names = std::vector<std::string>{};
  for (const auto& x : result.captures)
    names.push_back(x.name);
  auto ids = journal->tables_of(names);
  if (!ids)
    return pass_on(ids);
  auto tables = std::vector<outbox_table>{};
  auto copies = std::vector<table_copy::table>{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& x = result.captures[i];
    auto after = x.copy_seq;
    for (const auto& y : result.captures)
      if (y.name == x.name && y.end_seq == 0)
        after = y.copy_seq;
    tables.push_back({x.id, (*ids)[i], {x.version}, x.columns, after});
    for (const auto& job : result.copies)
      if (job.of.id == x.id)
        copies.push_back({job, (*ids)[i]});
  }
  std::sort(copies.begin(), copies.end(), [](const auto& x, const auto& y) {
    return x.job.number < y.job.number;
  });
  if (!result.owner.empty())
    setup.owner = result.owner;
  result.owner = setup.owner;
  outbox->set_tables(tables);
  copy.reset();
  if (!copies.empty())
    copy.emplace(*reader, result.copy_seq, std::move(copies));
  schemas.insert(schemas.end(), result.schemas.begin(), result.schemas.end());
  setup = std::move(result);
  // The snapshot may be from before the outbox itself.
  auto present = has_outbox(*reader);
  if (!present)
    return pass_on(present);
  now = *present ? phase::outbox : phase::copy;
  data_version.reset();
  return *present ? outbox->begin(position) : status{};
}

std::optional<outbox_place>
sqlite_source::impl::known_place(row_cursor resume) const {
  for (const auto& x : places)
    if (x.seq == resume.commit_ts.value)
      return x;
  return std::nullopt;
}

// -- reading ------------------------------------------------------------------

expected<bool> sqlite_source::impl::schema_changed() {
  auto cookie = reader->query_integer("PRAGMA main.schema_version");
  if (!cookie)
    return pass_on(cookie);
  return *cookie != setup.schema_cookie;
}

// @returns Whether there is something to read.
expected<bool> sqlite_source::impl::begin_snapshot() {
  auto version = reader->query_integer("PRAGMA main.data_version");
  if (!version)
    return tl::unexpected<error>{
      lock_failure(*reader, std::move(version.error()))};
  if (data_version == *version)
    return false;
  if (auto begun = begin_reading(); !begun)
    return pass_on(begun);
  version = reader->query_integer("PRAGMA main.data_version");
  if (!version)
    return pass_on(version);
  auto present = has_outbox(*reader);
  if (!present)
    return pass_on(present);
  if (!*present)
    return fail(errc::source_replaced,
                options.path + ": its outbox was removed");
  if (auto ours = verify_owner(*reader, setup.owner); !ours)
    return pass_on(ours);
  auto changed = schema_changed();
  if (!changed)
    return pass_on(changed);
  if (*changed) {
    if (auto done = end_reading(); !done)
      return pass_on(done);
    auto result = run_setup(std::nullopt);
    if (!result)
      return pass_on(result);
    if (auto applied = apply(std::move(*result)); !applied)
      return pass_on(applied);
    return true;
  }
  data_version = *version;
  now = phase::outbox;
  if (auto begun = outbox->begin(position); !begun)
    return pass_on(begun);
  return true;
}

status sqlite_source::impl::give_outbox(row_block_builder& into,
                                        std::size_t bytes_max) {
  auto done = outbox->fill(into, bytes_max);
  if (!done)
    return pass_on(done);
  if (!*done)
    return {};
  auto last = outbox->last();
  if (last.seq > position) {
    position = last.seq;
    places.push_back(last);
    if (places.size() > places_max)
      places.pop_front();
  }
  if (copy) {
    now = phase::copy;
    resolved = std::max(resolved, timestamp{setup.copy_seq - 1});
    return {};
  }
  resolved = std::max(resolved, timestamp{position});
  return end_reading();
}

status sqlite_source::impl::give_copy(row_block_builder& into,
                                      std::size_t bytes_max,
                                      source_batch& batch) {
  if (copy) {
    auto done = copy->fill(into, bytes_max);
    if (!done)
      return pass_on(done);
    batch.copying = copy->progress();
    if (!*done)
      return {};
    position = std::max(position, setup.copy_seq);
    resolved = std::max(resolved, timestamp{position});
  }
  return end_reading();
}

expected<source_batch> sqlite_source::impl::read(std::size_t bytes_max) {
  auto batch = source_batch{};
  batch.resolved = resolved;
  if (now == phase::idle) {
    auto begun = begin_snapshot();
    // Somebody's lock is in the way: there is nothing to read yet.
    auto locked = !begun && begun.error().code == errc::timed_out;
    if (!begun)
      if (auto ended = end_reading(); !ended || !locked)
        return pass_on(begun);
    if (locked || !*begun)
      return batch;
  }
  batch.schemas = std::exchange(schemas, {});
  auto builder = row_block_builder{};
  if (now == phase::outbox)
    if (auto done = give_outbox(builder, bytes_max); !done)
      return pass_on(done);
  if (now == phase::copy && builder.size_bytes() < bytes_max)
    if (auto done = give_copy(builder, bytes_max, batch); !done)
      return pass_on(done);
  // Before the rows are given, so that no position is ever above it.
  auto highest = std::max(outbox->last().seq, setup.copy_seq);
  if (auto done = note_ceiling(*journal, highest, ceiling); !done)
    return pass_on(done);
  batch.rows = builder.empty() ? nullptr : builder.finish();
  batch.resolved = resolved;
  // The snapshot of a set-up may be old by now: its data_version is not known.
  batch.more = now != phase::idle || batch.rows != nullptr || !data_version;
  return batch;
}

// -- the connector ------------------------------------------------------------

sqlite_source::sqlite_source(sqlite_source_options options)
  : impl_{std::make_unique<impl>()} {
  impl_->options = std::move(options);
}

sqlite_source::~sqlite_source() {
  impl_->close();
}

std::string sqlite_source::describe() const {
  auto result = "sqlite " + impl_->options.path;
  auto separator = std::string{" without "};
  for (const auto& x : left_out()) {
    result += separator + x;
    separator = "; ";
  }
  return result;
}

expected<std::vector<ddl_event>>
sqlite_source::open(const source_position& from, source_journal& journal) {
  auto& x = *impl_;
  if (auto valid = x.options.validate(); !valid)
    return pass_on(valid);
  x.close();
  x.journal = &journal;
  x.ceiling = 0;
  x.position = from.resume.commit_ts.value;
  x.resolved = from.resume.commit_ts;
  if (auto connected = x.connect(); !connected)
    return pass_on(connected);
  x.outbox.emplace(*x.reader);
  auto request = identity_request{};
  request.resume = from.resume;
  request.known = x.known_place(from.resume);
  request.copy_again = x.options.copy_again;
  auto result = x.run_setup(request);
  if (!result) {
    x.close();
    if (result.error().code == errc::timed_out)
      result.error().code = errc::source_unavailable;
    return pass_on(result);
  }
  if (auto applied = x.apply(std::move(*result)); !applied) {
    x.close();
    return pass_on(applied);
  }
  return std::exchange(x.schemas, {});
}

expected<source_batch> sqlite_source::read(std::size_t bytes_max) {
  if (impl_->reader == nullptr)
    return fail(errc::source_unavailable, describe() + ": not open");
  auto result = impl_->read(bytes_max);
  if (!result)
    return tl::unexpected<error>{
      source_failure(*impl_->reader, std::move(result.error()))};
  return result;
}

expected<bool> sqlite_source::confirm(timestamp ts) {
  auto& x = *impl_;
  if (x.writer == nullptr)
    return false;
  sqlite3_busy_timeout(x.writer->handle(), prune_busy_timeout_ms);
  auto result = prune_outbox(*x.writer, *x.journal, x.setup.owner, ts);
  sqlite3_busy_timeout(x.writer->handle(),
                       static_cast<int>(x.options.busy_timeout.count()));
  return result;
}

std::chrono::milliseconds
sqlite_source::idle_wait(std::uint32_t empty_reads) const {
  auto doublings = std::clamp(empty_reads, 1U, 6U) - 1;
  return std::min(std::chrono::milliseconds{2LL << doublings},
                  std::chrono::milliseconds{50});
}

std::vector<std::string> sqlite_source::left_out() const {
  return impl_->setup.left_out;
}

std::unique_ptr<source_connector>
make_sqlite_source(sqlite_source_options options) {
  return std::make_unique<sqlite_source>(std::move(options));
}

} // namespace sluice
