#include "actors/sources/postgres/slot.hpp"

#include <thread>
#include <utility>

#include <unistd.h>

namespace sluice::postgres {

namespace {

using clock = std::chrono::steady_clock;
using milliseconds = std::chrono::milliseconds;

constexpr auto retry = milliseconds{100};
constexpr std::string_view object_in_use = "55006";
constexpr std::string_view duplicate_object = "42710";

} // namespace

expected<server_state> ask_server(connection& to, const std::string& slot,
                                  const std::string& publication) {
  auto system = to.run("IDENTIFY_SYSTEM");
  if (!system)
    return tl::unexpected{std::move(system.error())};
  auto result = server_state{};
  result.system = system->text(0, 0);
  result.timeline = system->text(0, 1);
  result.end = parse_lsn(system->text(0, 2));
  auto slots = to.run("SELECT confirmed_flush_lsn, wal_status FROM"
                      " pg_catalog.pg_replication_slots WHERE slot_name = "
                      + quoted_text(slot));
  if (!slots)
    return tl::unexpected{std::move(slots.error())};
  if (slots->rows() > 0)
    result.slot = slot_state{parse_lsn(slots->text(0, 0)),
                             slots->text(0, 1) == "lost"};
  auto publications = to.run(
    "SELECT 1 FROM pg_catalog.pg_publication WHERE pubname = "
    + quoted_text(publication));
  if (!publications)
    return tl::unexpected{std::move(publications.error())};
  result.has_publication = publications->rows() > 0;
  return result;
}

std::string temporary_slot_name() {
  // Two at the same nanosecond of a process are not worth a lock.
  return "sluice_" + std::to_string(getpid()) + "_"
         + std::to_string(clock::now().time_since_epoch().count());
}

expected<exported_snapshot> export_snapshot(connection& to,
                                            const std::string& slot,
                                            bool temporary,
                                            milliseconds patience) {
  auto named = quoted_name(slot) + (temporary ? " TEMPORARY" : "");
  auto late = false;
  auto made = to.run_within(patience,
                            "CREATE_REPLICATION_SLOT " + named
                              + " LOGICAL pgoutput (SNAPSHOT 'export')",
                            late);
  if (!made && late)
    return fail(errc::source_unavailable,
                to.where() + ": no slot within "
                  + std::to_string(patience.count())
                  + " ms: the server waits for transactions that are open",
                "Look for old ones in pg_stat_activity (backend_xid); it is"
                " tried again.");
  if (!made && to.last_state() == duplicate_object)
    return tl::unexpected{foreign_slot(to.where(), slot)};
  if (!made)
    return tl::unexpected{std::move(made.error())};
  return exported_snapshot{parse_lsn(made->text(0, 1)),
                           std::string{made->text(0, 2)}};
}

status drop_temporary_slot(connection& to, const std::string& slot) {
  auto dropped = to.run("DROP_REPLICATION_SLOT " + quoted_name(slot));
  if (!dropped)
    return tl::unexpected{std::move(dropped.error())};
  return {};
}

status drop_slot(connection& plain, const std::string& slot,
                 milliseconds patience) {
  auto end = clock::now() + patience;
  for (;;) {
    auto dropped = plain.run("SELECT pg_catalog.pg_drop_replication_slot("
                             + quoted_text(slot) + ")");
    if (dropped)
      return {};
    if (plain.last_state() != object_in_use || clock::now() >= end)
      return tl::unexpected{std::move(dropped.error())};
    std::this_thread::sleep_for(retry);
  }
}

expected<std::unique_ptr<replication_stream>>
start_stream(connection to, const replication_stream::request& what,
             std::size_t queue_bytes, milliseconds patience) {
  auto end = clock::now() + patience;
  for (;;) {
    auto begun = replication_stream::begin(to, what);
    if (begun)
      return replication_stream::listen_to(std::move(to), what, queue_bytes);
    if (to.last_state() == object_in_use && clock::now() >= end)
      begun.error().remedy = "Stop the other reader of the slot; this one goes"
                             " on to try.";
    if (to.last_state() != object_in_use || clock::now() >= end)
      return tl::unexpected{std::move(begun.error())};
    std::this_thread::sleep_for(retry);
  }
}

} // namespace sluice::postgres
