#include "actors/sources/sqlite/source_identity.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "actors/sources/sqlite/capture_catalog.hpp"
#include "actors/sources/sqlite/source_error.hpp"
#include "actors/sources/sqlite/trigger_sql.hpp"

namespace sluice {

namespace {

// Version of the set-up; rises when an older sluice could not go on with it.
constexpr std::uint64_t setup_version = 1;

// Sequences are reserved in the journal by the million, so that the highest
// one ever given is known, roughly, without a write per read.
constexpr std::uint64_t ceiling_step = 1'000'000;

struct notes {
  std::string database; // empty: a new journal
  std::string owner;
  std::uint64_t ceiling = 0;
  outbox_place confirmed; // seq 0: nothing yet
  std::uint64_t given = 0;
};

template <class T>
const char* take_number(const char* at, const char* end, T& into) {
  while (at != end && *at == ' ')
    ++at;
  return std::from_chars(at, end, into).ptr;
}

expected<std::string> read_note(source_journal& journal, const char* key) {
  auto x = journal.note(key);
  if (!x)
    return pass_on(x);
  return x->value_or("");
}

expected<notes> read_notes(source_journal& journal) {
  auto result = notes{};
  auto ceiling = std::string{};
  auto confirmed = std::string{};
  struct entry {
    const char* key;
    std::string* into;
  };
  for (const auto& x :
       {entry{"database", &result.database}, entry{"owner", &result.owner},
        entry{"ceiling", &ceiling}, entry{"confirmed", &confirmed}}) {
    auto text = read_note(journal, x.key);
    if (!text)
      return pass_on(text);
    *x.into = *text;
  }
  take_number(ceiling.data(), ceiling.data() + ceiling.size(), result.ceiling);
  const auto* end = confirmed.data() + confirmed.size();
  const auto* at = take_number(confirmed.data(), end, result.confirmed.seq);
  at = take_number(at, end, result.confirmed.nonce);
  take_number(at, end, result.given);
  return result;
}

expected<std::string> meta(sqlite_db& db, std::string_view key) {
  auto result = std::string{};
  auto done = db.run(
    "SELECT value FROM sluice_meta WHERE key = ?1",
    [&](sqlite_statement& q) { q.bind_text(1, key); },
    [&](sqlite_statement& q) { result = q.text(0); });
  if (!done)
    return pass_on(done);
  return result;
}

expected<std::optional<std::int64_t>> value_at(sqlite_db& db, const char* sql,
                                               std::uint64_t seq) {
  auto result = std::optional<std::int64_t>{};
  auto done = db.run(
    sql, [&](sqlite_statement& q) { q.bind_unsigned(1, seq); },
    [&](sqlite_statement& q) { result = q.integer(0); });
  if (!done)
    return pass_on(done);
  return result;
}

status create_outbox(sqlite_db& db) {
  for (const auto& sql : outbox_sql())
    if (auto done = db.exec(sql); !done)
      return done;
  return db.exec("INSERT INTO sluice_meta VALUES ('version', '"
                 + std::to_string(setup_version)
                 + "'), ('database', lower(hex(randomblob(16))))");
}

// With AUTOINCREMENT the next row gets a higher sequence than this.
status raise_sequence(sqlite_db& db, std::uint64_t to) {
  auto bind = [&](sqlite_statement& q) { q.bind_unsigned(1, to); };
  auto done = db.run("UPDATE sqlite_sequence SET seq = max(seq, ?1)"
                     " WHERE name = 'sluice_log'",
                     bind);
  if (!done || db.changes() > 0)
    return done;
  return db.run("INSERT INTO sqlite_sequence(name, seq)"
                " VALUES ('sluice_log', ?1)",
                bind);
}

// Above every sequence ever given out, even if nothing remembers them: they
// start at 1 or at such a number, and rise slower than one per microsecond.
std::uint64_t present_microseconds() {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(
    duration_cast<microseconds>(system_clock::now().time_since_epoch())
      .count());
}

status take_over(sqlite_db& db, identity& into) {
  auto done = db.exec("INSERT OR REPLACE INTO sluice_meta"
                      " VALUES ('owner', lower(hex(randomblob(16))))");
  if (!done)
    return done;
  auto owner = meta(db, "owner");
  auto database = meta(db, "database");
  if (!owner || !database)
    return pass_on(owner ? database : owner);
  into = {*database, *owner, true, true};
  return {};
}

std::string place(std::uint64_t seq) {
  return "position " + std::to_string(seq);
}

expected<std::optional<std::int64_t>> op_at(sqlite_db& db, std::uint64_t seq) {
  return value_at(db, "SELECT op FROM sluice_log WHERE seq = ?1", seq);
}

// What speaks against going on from `resume`.
status verify_history(sqlite_db& db, const notes& noted,
                      const identity_request& request) {
  auto resume = request.resume.commit_ts.value;
  auto last = last_sequence(db);
  if (!last)
    return pass_on(last);
  auto back = [&](const std::string& what) -> status {
    return fail(errc::source_rolled_back, db.path() + ": " + what);
  };
  if (auto asked = std::max(resume, noted.confirmed.seq); *last < asked)
    return back("its outbox ends at " + std::to_string(*last) + ", before "
                + place(asked));
  auto first = db.query_integer("SELECT min(seq) FROM sluice_log");
  if (!first)
    return pass_on(first);
  auto places = std::vector<outbox_place>{};
  if (noted.confirmed.seq > 0)
    places.push_back(noted.confirmed);
  if (request.known)
    places.push_back(*request.known);
  if (resume > 0 && resume >= static_cast<std::uint64_t>(*first)) {
    auto op = op_at(db, resume);
    if (!op)
      return pass_on(op);
    if (!*op)
      return back(place(resume) + " is not in its outbox");
    // A row's cursor has its nonce; a copied row's does not.
    if (!request.resume.is_end() && **op != static_cast<int>(log_op::copy))
      places.push_back(
        {resume, static_cast<std::int64_t>(request.resume.position)});
  }
  for (const auto& x : places) {
    auto nonce = nonce_at(db, x.seq);
    if (!nonce)
      return pass_on(nonce);
    if (*nonce != x.nonce)
      return back(place(x.seq) + " was given out twice");
  }
  return {};
}

status verify_ids(sqlite_db& db, const notes& noted) {
  auto database = meta(db, "database");
  auto owner = meta(db, "owner");
  if (!owner || !database)
    return pass_on(owner ? database : owner);
  if (*database != noted.database)
    return fail(errc::source_replaced, db.path() + ": its id is " + *database
                                         + ", it was " + noted.database);
  return verify_owner(db, noted.owner);
}

status verify_version(sqlite_db& db) {
  auto text = meta(db, "version");
  if (!text)
    return pass_on(text);
  std::uint64_t version = 0;
  take_number(text->data(), text->data() + text->size(), version);
  if (version != setup_version)
    return fail(errc::source_unsupported,
                db.path() + ": its outbox has version " + *text
                  + ", this program knows " + std::to_string(setup_version),
                "Use the version of sluice that made it, or a later one.");
  return {};
}

// Rows that were confirmed and pruned are missing between resume and now.
expected<bool> has_gap(sqlite_db& db, const notes& noted,
                       std::uint64_t resume) {
  auto first = db.query_integer("SELECT min(seq) FROM sluice_log");
  if (!first)
    return pass_on(first);
  return resume < noted.given
         && resume + 1 < static_cast<std::uint64_t>(*first);
}

} // namespace

expected<identity> verify_identity(sqlite_db& db, source_journal& journal,
                                   const identity_request& request) {
  auto result = identity{};
  auto noted = read_notes(journal);
  if (!noted)
    return pass_on(noted);
  auto present = has_outbox(db);
  if (!present)
    return pass_on(present);
  auto fresh = noted->database.empty();
  auto verdict = status{};
  if (!*present) {
    if (auto made = create_outbox(db); !made)
      return pass_on(made);
    if (!fresh)
      verdict = fail(errc::source_replaced,
                     db.path() + ": it was captured and has no outbox now");
  } else if (auto known = verify_version(db); !known) {
    return pass_on(known);
  } else if (!fresh) {
    verdict = verify_ids(db, *noted);
    if (verdict)
      verdict = verify_history(db, *noted, request);
  }
  if (!verdict && !request.copy_again)
    return pass_on(verdict);
  if (verdict && !fresh) {
    auto gap = has_gap(db, *noted, request.resume.commit_ts.value);
    if (!gap)
      return pass_on(gap);
    return identity{noted->database, noted->owner, *gap, false};
  }
  if (*present || !fresh) {
    auto floor = std::max(
      {noted->ceiling, request.resume.commit_ts.value, present_microseconds()});
    if (auto raised = raise_sequence(db, floor); !raised)
      return pass_on(raised);
  }
  if (auto taken = take_over(db, result); !taken)
    return pass_on(taken);
  return result;
}

status note_identity(source_journal& journal, const identity& taken) {
  // Not the pair of the history before.
  if (auto noted = note_confirmed(journal, {}, 0); !noted)
    return noted;
  if (auto noted = journal.set_note("owner", taken.owner); !noted)
    return noted;
  return journal.set_note("database", taken.database);
}

status verify_owner(sqlite_db& db, const std::string& owner) {
  auto present = meta(db, "owner");
  if (!present)
    return pass_on(present);
  if (*present != owner)
    return fail(errc::stale_source,
                db.path() + ": another service captures it");
  return {};
}

expected<std::optional<std::int64_t>> nonce_at(sqlite_db& db,
                                               std::uint64_t seq) {
  return value_at(db, "SELECT nonce FROM sluice_log WHERE seq = ?1", seq);
}

status note_ceiling(source_journal& journal, std::uint64_t seq,
                    std::uint64_t& noted) {
  if (seq < noted)
    return {};
  auto next = seq + ceiling_step;
  auto done = journal.set_note("ceiling", std::to_string(next));
  if (done)
    noted = next;
  return done;
}

status note_confirmed(source_journal& journal, const outbox_place& place,
                      std::uint64_t given) {
  return journal.set_note("confirmed", std::to_string(place.seq) + ' '
                                         + std::to_string(place.nonce) + ' '
                                         + std::to_string(given));
}

} // namespace sluice
