#include "actors/sources/postgres/postgres_source.hpp"

#include <algorithm>
#include <utility>

#include "actors/sources/postgres/postgres_source_impl.hpp"
#include "actors/sources/postgres/slot.hpp"

namespace sluice {

using namespace postgres;

namespace {

using milliseconds = std::chrono::milliseconds;

// What comes ends it, so it costs no time.
constexpr auto read_wait = milliseconds{10};

template <class T>
tl::unexpected<error> pass(T& failed) {
  return tl::unexpected<error>{std::move(failed.error())};
}

} // namespace

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
  join.reset();
  late.reset();
  stream.reset();
  drop_publication();
  copy.reset();
  tables.reset();
  (void) builder.finish();
}

// -- read ---------------------------------------------------------------------

expected<source_batch> postgres_source::impl::read(std::size_t bytes_max) {
  if (copy)
    return read_copy(bytes_max);
  if (!join) {
    auto prepared = late->queue().take();
    if (!prepared)
      return pass(prepared);
    if (*prepared)
      join = std::make_unique<table_join>(std::move(**prepared), *journal,
                                          from.base);
  }
  auto turn = std::exchange(joins_turn, true);
  if (join && (join->open() || (turn && join->can_stand(stream->rows())))) {
    joins_turn = false;
    return read_join(bytes_max);
  }
  return read_stream(bytes_max);
}

expected<source_batch> postgres_source::impl::read_copy(std::size_t bytes_max) {
  auto batch = source_batch{};
  auto done = copy->fill(builder, bytes_max, read_wait);
  if (!done)
    return pass(done);
  batch.copying = copy->progress();
  batch.resolved = before_copy;
  batch.more = true; // never idle before all is copied
  if (*done) {
    batch.resolved = from.copied_at;
    copy.reset();
    look_for_tables();
  }
  if (builder.empty())
    return batch;
  if (*done)
    builder.end();
  batch.rows = builder.finish();
  return batch;
}

expected<source_batch> postgres_source::impl::read_join(std::size_t bytes_max) {
  auto batch = source_batch{};
  batch.resolved = stream->rows().resolved();
  batch.more = true;
  auto done = join->read(stream->rows(), bytes_max, read_wait, batch);
  if (!done && join->open())
    return pass(done); // only the log can take back what it has
  if (!done) {
    late->queue().end({}, std::move(done.error()));
    join.reset();
    return source_batch{{}, {}, stream->rows().resolved(), {}, true};
  }
  if (join->done())
    if (auto ended = end_join(batch); !ended)
      return pass(ended);
  return batch;
}

// Before its last rows are: without the note they are copied once more.
status postgres_source::impl::end_join(source_batch& last) {
  auto joined = join->take_tables();
  auto names = join->names();
  for (const auto& name : joined.take_renamed())
    names.erase(name);
  for (const auto& [name, relation] : names)
    copied[name] = join->last();
  if (auto noted = note_tables(); !noted)
    return noted;
  auto& rows = stream->rows();
  tables->adopt(std::move(joined));
  rows.resolve(stand_at(from.base, rows.place()));
  last.resolved = rows.resolved();
  late->queue().end(names);
  join.reset();
  return {};
}

// Should they have their name again, they join anew.
status postgres_source::impl::end_renamed() {
  auto renamed = tables->take_renamed();
  for (const auto& name : renamed) {
    copied.erase(name);
    late->queue().forget(name);
  }
  return renamed.empty() ? status{} : note_tables();
}

expected<source_batch>
postgres_source::impl::read_stream(std::size_t bytes_max) {
  auto batch = source_batch{};
  auto& rows = stream->rows();
  // Where the join has rows it waits for them, not both.
  auto wait = join && join->can_stand(rows) ? milliseconds{0} : read_wait;
  if (auto done = stream->read(bytes_max, wait); !done)
    return pass(done);
  if (auto done = end_renamed(); !done)
    return pass(done);
  batch.schemas = rows.take_schemas();
  batch.rows = rows.take_rows();
  batch.resolved = rows.resolved();
  batch.more = stream->more() || batch.rows != nullptr;
  // It is on its way: who wants to stop when there is no more has to wait.
  batch.more = batch.more || batch.resolved < behind || join
               || !late->queue().idle();
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
  for (const auto& x : left_out()) {
    result += separator + x;
    separator = "; ";
  }
  return result;
}

expected<std::vector<ddl_event>>
postgres_source::open(const source_position& at, source_journal& journal) {
  auto& x = *impl_;
  if (auto valid = x.options.validate(); !valid)
    return pass(valid);
  x.close();
  x.journal = &journal;
  if (x.options.temporary)
    x.options.slot = temporary_slot_name();
  if (auto opened = x.open(at); !opened) {
    x.close();
    return pass(opened);
  }
  return x.tables->schemas();
}

expected<source_batch> postgres_source::read(std::size_t bytes_max) {
  auto& x = *impl_;
  if (!x.stream)
    return fail(errc::source_unavailable, describe() + ": not open");
  return x.read(bytes_max);
}

expected<bool> postgres_source::confirm(timestamp ts) {
  auto& x = *impl_;
  // The slot stays where it begins until its copy is whole.
  if (x.stream && !x.copy && ts.value >= x.from.base)
    x.stream->confirm(ts.value - x.from.base + 1);
  return false;
}

std::optional<std::uint64_t> postgres_source::retained_bytes() const {
  if (!impl_->stream)
    return std::nullopt;
  return impl_->stream->retained_bytes();
}

std::string postgres_source::place_of(timestamp ts) const {
  return to_string_lsn(ts.value - std::min(ts.value, impl_->from.base));
}

// `read` has waited.
std::chrono::milliseconds postgres_source::idle_wait(std::uint32_t) const {
  return milliseconds{0};
}

const std::string& postgres_source::database() const noexcept {
  return impl_->database;
}

std::vector<std::string> postgres_source::left_out() const {
  if (!impl_->late)
    return impl_->left_out;
  auto& queue = impl_->late->queue();
  auto result = queue.left_out().value_or(impl_->left_out);
  if (auto why = queue.failure())
    result.push_back("tables that came later: " + to_string(why));
  return result;
}

std::unique_ptr<source_connector>
make_postgres_source(postgres_source_options options) {
  return std::make_unique<postgres_source>(std::move(options));
}

} // namespace sluice
