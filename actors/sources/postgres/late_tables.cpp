#include "actors/sources/postgres/late_tables.hpp"

#include <utility>

#include "actors/sources/postgres/catalog.hpp"
#include "actors/sources/postgres/pg_setup.hpp"
#include "actors/sources/postgres/slot.hpp"

namespace sluice::postgres {

namespace {

// For as long as a thread works on it, `stop` of the queue ends what runs.
class in_use {
public:
  in_use(join_queue& queue, const connection& x)
    : queue_{queue}, before_{queue.use(&x)} {
    // nop
  }
  ~in_use() { queue_.use(before_); }
  in_use(const in_use&) = delete;
  in_use& operator=(const in_use&) = delete;

private:
  join_queue& queue_;
  const connection* before_;
};

template <class T>
tl::unexpected<error> pass(T& failed) {
  return tl::unexpected<error>{std::move(failed.error())};
}

} // namespace

late_tables::late_tables(postgres_source_options options, table_names captured)
  : options_{std::move(options)}, queue_{std::move(captured)} {
  // Its own would be in the way.
  if (options_.temporary)
    options_.slot = temporary_slot_name();
  thread_ = std::thread{[this] { look_on(); }};
}

late_tables::~late_tables() {
  queue_.stop();
  thread_.join();
}

void late_tables::look_on() {
  auto wait = std::chrono::milliseconds{0};
  while (queue_.wait(wait)) {
    auto done = look();
    queue_.looked(done ? error{} : std::move(done.error()));
    wait = options_.look_interval;
  }
  queue_.ended();
}

status late_tables::look() {
  auto plain = connection::open(options_.conninfo, connection::kind::plain,
                                options_.patience);
  if (!plain)
    return pass(plain);
  auto used = in_use{queue_, *plain};
  auto found = examine(*plain, options_);
  if (!found)
    return pass(found);
  // Before it has all that is missing now, and a gap would be seen no more.
  if (auto none = find_gap(*plain, *found); !none)
    return none;
  queue_.leaves_out(found->left_out());
  auto next = prepared_join{};
  next.where = plain->where();
  for (const auto& x : found->tables)
    if (!queue_.relation_of(x.qualified()))
      next.tables.push_back(x);
  if (next.tables.empty())
    return {};
  if (const auto* x = found->obstacle(options_.set_up))
    return tl::unexpected<error>{to_error(*x, plain->where())};
  if (options_.binary)
    if (auto readable = check_binary(plain->where(), next.tables); !readable)
      return readable;
  // Before the slot: one that is older than its publication can't be read.
  if (options_.set_up)
    if (auto made = make_publication(*plain, options_, *found); !made)
      return made;
  auto types = user_types(*plain);
  if (!types)
    return pass(types);
  next.types = std::move(*types);
  if (auto ready = prepare(*plain, next); !ready)
    return ready;
  queue_.put(std::move(next));
  return {};
}

// A table that is captured has none as long as it is the same one, and in the
// publication.
status late_tables::find_gap(connection& plain, const report& found) {
  auto published = published_tables(plain, options_.publication);
  if (!published)
    return pass(published);
  for (const auto& x : found.tables) {
    auto captured = queue_.relation_of(x.qualified());
    if (!captured || (captured == x.id && published->contains(x.id)))
      continue;
    // It may have been dropped meanwhile.
    auto there = has_table(plain, x);
    if (!there)
      return pass(there);
    if (!*there)
      continue;
    auto gap = captured == x.id
                 ? lacks_changes(options_.publication, x.qualified())
                 : made_anew(x.qualified());
    gap.detail = plain.where() + ": " + gap.detail;
    queue_.fail_with(gap);
    return tl::unexpected{std::move(gap)};
  }
  return {};
}

status late_tables::prepare(connection& plain, prepared_join& into) {
  if (options_.copy)
    return prepare_copies(into);
  auto now = plain.run("SELECT pg_catalog.pg_current_wal_lsn()");
  if (!now)
    return pass(now);
  into.consistent = parse_lsn(now->text(0, 0));
  return {};
}

status late_tables::prepare_copies(prepared_join& into) {
  auto replication = connection::open(
    options_.conninfo, connection::kind::replication, options_.patience);
  if (!replication)
    return pass(replication);
  auto slot = temporary_slot_name();
  auto made = [&] {
    auto used = in_use{queue_, *replication};
    return export_snapshot(*replication, slot, true, options_.patience);
  }();
  if (!made)
    return pass(made);
  into.consistent = made->consistent;
  auto copies = table_copies::start(
    table_copies::of(options_, into.tables, made->name));
  if (!copies)
    return pass(copies);
  auto stream = start_stream(std::move(*replication),
                             {slot, options_.publication, made->consistent,
                              made->consistent, options_.binary},
                             options_.queue_bytes, options_.patience);
  if (!stream)
    return pass(stream);
  into.copies = std::move(*copies);
  into.stream = std::move(*stream);
  return {};
}

} // namespace sluice::postgres
