#include "actors/sources/sqlite/capture_setup.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "actors/sources/sqlite/capture_plan.hpp"
#include "actors/sources/sqlite/source_error.hpp"
#include "actors/sources/sqlite/trigger_sql.hpp"

namespace sluice {

namespace {

std::string copied_key(const std::string& table) {
  return "copied:" + table;
}

status exec_all(sqlite_db& db, const std::vector<std::string>& statements) {
  for (const auto& sql : statements)
    if (auto done = db.exec(sql); !done)
      return done;
  return {};
}

// One set-up in progress, inside its transaction.
class setup {
public:
  setup(sqlite_db& db, source_journal& journal, const setup_request& request)
    : db_{db}, journal_{journal}, request_{request} {
    // nop
  }

  status run();

  setup_result result;
  identity who;

private:
  status require_table(const capture_plan& plan) const;
  status apply(planned_table& planned);
  status remove_triggers(std::int64_t capture);
  status add_triggers(const source_table& table, std::int64_t capture);
  status end(const capture& x, bool dropped);
  status begin_version(planned_table& planned);
  status number_version(capture& next);
  status refresh(const source_table& table, const capture& before);
  status need_marker();
  status choose_copies();
  expected<bool> was_copied(const capture& x);
  status place_copies();
  status drop_old_outboxes();
  status list_schemas();

  capture* find(std::int64_t id) {
    for (auto& x : result.captures)
      if (x.id == id)
        return &x;
    return nullptr;
  }

  sqlite_db& db_;
  source_journal& journal_;
  const setup_request& request_;
  std::uint64_t marker_ = 0;            // of the DDL found; 0: none yet
  std::vector<std::int64_t> to_copy_;   // captures
  std::vector<std::int64_t> to_list_;   // captures with a new schema
  std::vector<std::int64_t> ended_now_; // by a drop
  std::vector<planned_table> to_refresh_;
};

status setup::run() {
  if (request_.opening) {
    auto found = verify_identity(db_, journal_, *request_.opening);
    if (!found)
      return pass_on(found);
    who = std::move(*found);
    result.owner = who.owner;
  }
  auto captures = load_captures(db_);
  if (!captures)
    return pass_on(captures);
  result.captures = std::move(*captures);
  auto plan = plan_capture(db_, request_.rules, result.captures);
  if (!plan)
    return pass_on(plan);
  result.left_out = std::move(plan->left_out);
  if (auto some = require_table(*plan); !some)
    return some;
  for (auto& planned : plan->tables)
    if (auto done = apply(planned); !done)
      return done;
  for (auto step : {&setup::choose_copies, &setup::place_copies})
    if (auto done = (this->*step)(); !done)
      return done;
  // After the copies' place, so that a refresh is never skipped by one.
  for (const auto& x : to_refresh_)
    if (auto done = refresh(x.table, x.before); !done)
      return done;
  for (auto step : {&setup::drop_old_outboxes, &setup::list_schemas})
    if (auto done = (this->*step)(); !done)
      return done;
  auto cookie = db_.query_integer("PRAGMA schema_version");
  if (!cookie)
    return pass_on(cookie);
  result.schema_cookie = *cookie;
  return {};
}

// One that was captured, and is gone, still has its end to tell.
status setup::require_table(const capture_plan& plan) const {
  if (!request_.need_table || !plan.tables.empty() || !result.captures.empty())
    return {};
  auto what = db_.path() + ": nothing to capture, ";
  if (result.left_out.empty())
    return fail(errc::unknown_table, what + "there is no table that matches",
                "Make a table first, or correct the names.");
  auto separator = "";
  for (const auto& x : result.left_out) {
    what += separator + x;
    separator = "; ";
  }
  return fail(errc::source_unsupported, what,
              "Change one of these tables so that it can be captured.");
}

status setup::need_marker() {
  if (marker_ != 0)
    return {};
  auto marker = insert_marker(db_, static_cast<int>(log_op::marker));
  if (!marker)
    return pass_on(marker);
  marker_ = *marker;
  return {};
}

status setup::apply(planned_table& planned) {
  switch (planned.step) {
    case capture_step::keep:
      return {};
    case capture_step::retrigger:
      to_copy_.push_back(planned.before.id);
      if (auto done = remove_triggers(planned.before.id); !done)
        return done;
      return add_triggers(planned.table, planned.before.id);
    case capture_step::end:
      return end(planned.before, planned.dropped);
    case capture_step::widen:
    case capture_step::renew:
      if (planned.before.id != 0)
        if (auto done = end(planned.before, false); !done)
          return done;
      return begin_version(planned);
  }
  return {};
}

// Also those that came to another table by ALTER TABLE RENAME.
status setup::remove_triggers(std::int64_t capture) {
  auto installed = load_triggers(db_);
  if (!installed)
    return pass_on(installed);
  auto prefix = "sluice_" + std::to_string(capture) + '_';
  for (const auto& x : *installed)
    if (x.text.name.compare(0, prefix.size(), prefix) == 0)
      if (auto done = db_.exec("DROP TRIGGER main." + x.text.name); !done)
        return done;
  return db_.exec("DROP TABLE IF EXISTS main." + gone_table(capture));
}

status setup::add_triggers(const source_table& table, std::int64_t capture) {
  if (auto done = exec_all(db_, gone_table_sql(table, capture)); !done)
    return done;
  for (const auto& x : capture_triggers(table, capture))
    if (auto done = db_.exec(x.sql); !done)
      return done;
  return {};
}

status setup::end(const capture& x, bool dropped) {
  if (auto done = need_marker(); !done)
    return done;
  if (auto done = remove_triggers(x.id); !done)
    return done;
  auto& ended = *find(x.id);
  ended.end_seq = marker_;
  ended.dropped = dropped;
  if (dropped)
    ended_now_.push_back(x.id);
  return store_capture(db_, ended);
}

// Rises for ever, also when the file was replaced by one that knows nothing of
// earlier versions: so the journal remembers, before anything is committed.
status setup::number_version(capture& next) {
  next.version = 1;
  for (const auto& x : result.captures)
    if (x.name == next.name)
      next.version = std::max(next.version, x.version + 1);
  auto key = "version:" + next.name;
  auto noted = journal_.note(key);
  if (!noted)
    return pass_on(noted);
  if (*noted)
    next.version = std::max(
      next.version,
      std::uint64_t{std::strtoull((*noted)->c_str(), nullptr, 10)} + 1);
  return journal_.set_note(key, std::to_string(next.version));
}

status setup::begin_version(planned_table& planned) {
  if (auto done = need_marker(); !done)
    return done;
  auto next = capture{};
  next.name = planned.table.name;
  next.from_seq = marker_;
  next.copy_seq = planned.before.copy_seq;
  next.columns = planned.table.columns;
  if (auto done = number_version(next); !done)
    return done;
  if (auto done = store_capture(db_, next); !done)
    return done;
  if (auto done = db_.exec(rows_table_sql(planned.table, next.id)); !done)
    return done;
  if (auto done = add_triggers(planned.table, next.id); !done)
    return done;
  to_list_.push_back(next.id);
  if (planned.step == capture_step::renew)
    to_copy_.push_back(next.id);
  else
    to_refresh_.push_back(planned);
  result.captures.push_back(std::move(next));
  return {};
}

status setup::refresh(const source_table& table, const capture& before) {
  auto last = last_sequence(db_);
  if (!last)
    return pass_on(last);
  auto newest = result.captures.back().id;
  for (const auto& x : result.captures)
    if (x.name == table.name && x.end_seq == 0)
      newest = x.id;
  for (const auto& sql : refresh_sql(table, newest, before.columns.size())) {
    auto query = db_.prepare(sql);
    if (!query)
      return pass_on(query);
    query->bind_unsigned(1, *last);
    if (auto done = query->run(); !done)
      return done;
  }
  return {};
}

expected<bool> setup::was_copied(const capture& x) {
  if (who.anew)
    return false;
  auto note = journal_.note(copied_key(x.name));
  if (!note)
    return pass_on(note);
  if (!*note)
    return false;
  auto noted = std::uint64_t{0};
  std::from_chars((*note)->data(), (*note)->data() + (*note)->size(), noted);
  auto resume = request_.opening->resume.commit_ts.value;
  return resume >= std::max(noted, x.copy_seq) && x.copy_seq > 0;
}

status setup::choose_copies() {
  if (!request_.opening)
    return {};
  for (const auto& x : result.captures) {
    if (x.end_seq != 0
        || std::find(to_copy_.begin(), to_copy_.end(), x.id) != to_copy_.end())
      continue;
    auto copied = was_copied(x);
    if (!copied)
      return pass_on(copied);
    if (!*copied)
      to_copy_.push_back(x.id);
  }
  return {};
}

status setup::place_copies() {
  if (to_copy_.empty())
    return {};
  // A schema is valid from before the rows of its copy.
  if (auto done = need_marker(); !done)
    return done;
  auto seq = insert_marker(db_, static_cast<int>(log_op::copy));
  if (!seq)
    return pass_on(seq);
  result.copy_seq = *seq;
  for (auto id : to_copy_) {
    auto& x = *find(id);
    x.copy_seq = *seq;
    if (auto done = store_capture(db_, x); !done)
      return done;
    // Before the commit: a note without its copy only makes it copy again.
    auto noted = journal_.set_note(copied_key(x.name), std::to_string(*seq));
    if (!noted)
      return noted;
    auto number = journal_.next_generation();
    if (!number)
      return pass_on(number);
    result.copies.push_back({x, *number});
  }
  return {};
}

// The outbox tables of ended captures go when all their rows are pruned.
status setup::drop_old_outboxes() {
  auto first = db_.query_integer("SELECT min(seq) FROM sluice_log");
  if (!first)
    return pass_on(first);
  for (const auto& x : result.captures)
    if (x.end_seq != 0 && x.end_seq < static_cast<std::uint64_t>(*first))
      if (auto done = db_.exec("DROP TABLE IF EXISTS main." + rows_table(x.id));
          !done)
        return done;
  return {};
}

status setup::list_schemas() {
  auto in = [](const std::vector<std::int64_t>& ids, std::int64_t id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  auto resume = request_.opening ? request_.opening->resume.commit_ts.value : 0;
  auto opened = [&](const capture& x) {
    auto counts = x.end_seq == 0 || (!who.anew && x.end_seq >= resume);
    return request_.opening && counts;
  };
  auto listed = std::vector<const capture*>{};
  auto names = std::vector<std::string>{};
  for (const auto& x : result.captures) {
    if (!opened(x) && !in(to_list_, x.id) && !in(ended_now_, x.id))
      continue;
    listed.push_back(&x);
    names.push_back(x.name);
  }
  auto tables = journal_.tables_of(names);
  if (!tables)
    return pass_on(tables);
  for (std::size_t i = 0; i < listed.size(); ++i) {
    const auto& x = *listed[i];
    auto schema = schema_of(x, (*tables)[i]);
    if (opened(x) || in(to_list_, x.id))
      result.schemas.push_back({schema, {x.from_seq}, false});
    if (x.dropped)
      result.schemas.push_back({schema, {x.end_seq}, true});
  }
  std::stable_sort(
    result.schemas.begin(), result.schemas.end(),
    [](const ddl_event& x, const ddl_event& y) { return x.ts < y.ts; });
  return {};
}

} // namespace

expected<setup_result> set_up_capture(sqlite_db& db, source_journal& journal,
                                      const setup_request& request) {
  // What is noted in the journal must not be lost in a power cut.
  if (auto done = db.exec("PRAGMA synchronous = FULL"); !done)
    return pass_on(done);
  auto transaction = sqlite_transaction::begin(db);
  if (!transaction)
    return tl::unexpected<error>{
      lock_failure(db, std::move(transaction.error()))};
  auto work = setup{db, journal, request};
  if (auto done = work.run(); !done)
    return pass_on(done);
  if (auto done = request.before_commit(); !done)
    return pass_on(done);
  if (auto done = transaction->commit(); !done)
    return tl::unexpected<error>{lock_failure(db, std::move(done.error()))};
  if (work.who.taken)
    if (auto noted = note_identity(journal, work.who); !noted)
      return pass_on(noted);
  if (auto done = db.exec("PRAGMA synchronous = NORMAL"); !done)
    return pass_on(done);
  return std::move(work.result);
}

} // namespace sluice
