#include "actors/sources/sqlite/outbox_prune.hpp"

#include <algorithm>

#include <sqlite3.h>

#include "actors/sources/sqlite/source_error.hpp"
#include "actors/sources/sqlite/source_identity.hpp"
#include "actors/sources/sqlite/trigger_sql.hpp"

namespace sluice {

namespace {

struct prune_range {
  std::uint64_t first = 0; // oldest row
  outbox_place keep;       // newest confirmed one; seq 0: none
  std::uint64_t given = 0; // newest confirmed one that is a row or a copy
};

expected<prune_range> find_range(sqlite_db& db, timestamp confirmed) {
  auto result = prune_range{};
  auto bind = [&](sqlite_statement& q) {
    // SQLite has no sequences above 2^63.
    q.bind_unsigned(1, std::min(confirmed.value, UINT64_MAX / 2));
  };
  auto done = db.run("SELECT seq, nonce FROM sluice_log WHERE seq <= ?1"
                     " ORDER BY seq DESC LIMIT 1",
                     bind, [&](sqlite_statement& q) {
                       result.keep = {q.unsigned_integer(0), q.integer(1)};
                     });
  if (!done)
    return pass_on(done);
  done = db.run(
    "SELECT seq FROM sluice_log WHERE seq <= ?1 AND op > 0"
    " ORDER BY seq DESC LIMIT 1",
    bind, [&](sqlite_statement& q) { result.given = q.unsigned_integer(0); });
  if (!done)
    return pass_on(done);
  auto first = db.query_integer("SELECT min(seq) FROM sluice_log");
  if (!first)
    return pass_on(first);
  result.first = static_cast<std::uint64_t>(*first);
  return result;
}

status delete_below(sqlite_db& db, std::uint64_t end) {
  auto captures = std::vector<std::int64_t>{};
  auto bind = [&](sqlite_statement& q) { q.bind_unsigned(1, end); };
  auto done = db.run(
    "SELECT DISTINCT tbl FROM sluice_log"
    " WHERE seq < ?1 AND op BETWEEN 1 AND 3",
    bind, [&](sqlite_statement& q) { captures.push_back(q.integer(0)); });
  if (!done)
    return done;
  for (auto capture : captures) {
    done = db.run("DELETE FROM " + rows_table(capture) + " WHERE seq < ?1",
                  bind);
    if (!done)
      return done;
    // With the write lock held no statement is in progress: what is in the
    // scratch table was left behind.
    auto scratch = db.query_integer("SELECT count(*) FROM main.sqlite_schema"
                                    " WHERE name = '"
                                    + gone_table(capture) + '\'');
    if (!scratch)
      return pass_on(scratch);
    if (*scratch > 0)
      if (done = db.exec("DELETE FROM " + gone_table(capture)); !done)
        return done;
  }
  return db.run("DELETE FROM sluice_log WHERE seq < ?1", bind);
}

expected<bool> prune_locked(sqlite_db& db, const std::string& owner,
                            const prune_range& range) {
  auto transaction = sqlite_transaction::begin(db);
  if (!transaction)
    return pass_on(transaction);
  if (auto ours = verify_owner(db, owner); !ours)
    return pass_on(ours);
  auto end = std::min(range.keep.seq, range.first + prune_rows_max);
  if (auto done = delete_below(db, end); !done)
    return pass_on(done);
  if (auto done = transaction->commit(); !done)
    return pass_on(done);
  return end < range.keep.seq;
}

} // namespace

expected<bool> prune_outbox(sqlite_db& db, source_journal& journal,
                            const std::string& owner, timestamp confirmed) {
  auto range = find_range(db, confirmed);
  if (!range)
    return is_busy(db) ? expected<bool>{true} : pass_on(range);
  if (range->keep.seq == 0 || range->first >= range->keep.seq)
    return false;
  auto noted = note_confirmed(journal, range->keep, range->given);
  if (!noted)
    return pass_on(noted);
  auto more = prune_locked(db, owner, *range);
  if (!more && more.error().code == errc::source_unavailable && is_busy(db))
    return true;
  return more;
}

} // namespace sluice
