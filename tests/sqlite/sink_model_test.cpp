#include <map>
#include <random>

#include "actors/sinks/sqlite/compaction.hpp"
#include "tests/sqlite/sink_fixture.hpp"

using namespace sink_test;

namespace {

// Portable: the distributions of <random> differ between libraries.
struct dice {
  std::mt19937_64 engine;
  std::uint64_t operator()(std::uint64_t n) { return engine() % n; }
  bool one_in(std::uint64_t n) { return (*this)(n) == 0; }
};

struct owned {
  value_type type = value_type::null;
  std::int64_t integer = 0;
  double real = 0;
  std::string bytes;

  [[nodiscard]] value_view view() const { return {type, integer, real, bytes}; }
  static owned of(const value_view& x) {
    return {x.type, x.integer, x.real, std::string{x.bytes}};
  }
  friend bool operator==(const owned& x, const owned& y) {
    return x.view() == y.view();
  }
};

using owned_row = std::vector<owned>;

values views(const owned_row& row) {
  auto result = values{};
  for (const auto& x : row)
    result.push_back(x.view());
  return result;
}

// The table: composite key with values of every class, in an order that is
// not that of the columns.
schema_ptr mixed() {
  return schema_of(1, "mixed", 1,
                   {{"a", "TEXT", 0},
                    {"k2", "", 2},
                    {"k1", "INTEGER", 1},
                    {"b", "REAL", 0},
                    {"c", "", 0}});
}

std::string key_of(const owned_row& row) {
  auto result = std::string{};
  append_key(result, row[2].view());
  append_key(result, row[1].view());
  return result;
}

using table = std::map<std::string, owned_row>;

struct event {
  row_op op = row_op::insert;
  owned_row before;
  owned_row after;
};

/// A random but valid history, and the table after each event.
struct history {
  dice roll;
  bool full = false; // never leave values out
  table now;
  std::vector<event> events;

  owned value() {
    switch (roll(5)) {
      case 0:
        return {};
      case 1:
        return owned::of(i(static_cast<std::int64_t>(roll(9)) - 4));
      case 2:
        return owned::of(r(static_cast<double>(roll(9)) / 2));
      case 3:
        return owned::of(t(std::string(roll(4), 'x')));
      default:
        return owned::of(b(std::string(roll(3), '\0')));
    }
  }
  owned key_part() {
    auto x = value();
    return x.type == value_type::null ? owned::of(i(7)) : x;
  }
  owned_row fresh() {
    auto text = owned::of(t("v" + std::to_string(roll(100))));
    return {roll.one_in(4) ? owned{} : text, key_part(),
            owned::of(i(static_cast<std::int64_t>(roll(6)))),
            owned::of(r(static_cast<double>(roll(10)) / 4)), value()};
  }
  const owned_row& pick() {
    auto at = now.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(roll(now.size())));
    return at->second;
  }
  void record(event x) { events.push_back(std::move(x)); }
  void erase(const owned_row& row) {
    auto gone = row; // `row` may be the one in the table
    record({row_op::erase, gone, {}});
    now.erase(key_of(gone));
  }
  void put(row_op op, const owned_row& before, const owned_row& after) {
    auto old = before;
    if (!old.empty())
      now.erase(key_of(old));
    if (auto there = now.find(key_of(after)); there != now.end())
      erase(there->second); // what REPLACE displaces goes first
    now[key_of(after)] = after;
    auto x = event{op, old, after};
    if (op == row_op::update && !full && roll.one_in(2))
      for (auto k : {0U, 3U, 4U})
        if (roll.one_in(3) || x.before[k] == x.after[k]) {
          if (x.before[k] == x.after[k])
            x.after[k] = owned::of(same());
          x.before[k] = owned::of(same());
        }
    record(std::move(x));
  }
  void clear(row_op op) {
    auto rows = now;
    now.clear();
    record({op, {}, {}});
    if (op == row_op::snapshot_begin)
      for (const auto& entry : rows)
        put(row_op::insert, {}, entry.second);
  }
  void step() {
    auto kind = roll(100);
    if (now.size() < 3 || kind < 35)
      put(row_op::insert, {}, fresh());
    else if (kind < 60) {
      auto before = pick();
      auto after = fresh();
      after[1] = before[1];
      after[2] = before[2];
      put(row_op::update, before, after);
    } else if (kind < 80) {
      auto before = pick();
      auto after = roll.one_in(2) ? before : fresh();
      after[1] = key_part();
      put(row_op::update, before, after);
    } else if (kind < 98)
      erase(pick());
    else
      clear(roll.one_in(2) ? row_op::truncate : row_op::snapshot_begin);
  }
};

/// The model's own idea of what an event does.
void play(table& to, const event& x) {
  if (x.op == row_op::truncate || x.op == row_op::snapshot_begin) {
    to.clear();
    return;
  }
  auto old = owned_row{};
  if (!x.before.empty()) {
    old = to.at(key_of(x.before));
    to.erase(key_of(x.before));
  }
  if (x.after.empty())
    return;
  auto row = x.after;
  for (std::size_t k = 0; k < row.size(); ++k)
    if (row[k].type == value_type::unchanged)
      row[k] = old.at(k);
  to[key_of(row)] = row;
}

table read(const replica& from) {
  auto db = from.connect();
  auto there = db->query_integer(
    "SELECT count(*) FROM sqlite_schema WHERE name = 'mixed'");
  auto result = table{};
  if (*there == 0)
    return result;
  auto query = db->prepare("SELECT * FROM mixed");
  REQUIRE(query.has_value());
  for (auto row = query->step(); row && *row; row = query->step()) {
    auto values_there = owned_row{};
    for (auto k = 0; k < query->columns(); ++k)
      values_there.push_back(owned::of(query->value(k)));
    result[key_of(values_there)] = values_there;
  }
  return result;
}

/// Events [first, last) as one write; event n has commit_ts n + 1.
sink_rows rows_of(const std::vector<event>& events, std::size_t first,
                  std::size_t last) {
  auto builder = rows_builder{mixed()};
  for (auto n = first; n < last; ++n)
    builder.add(events[n].op, n + 1, views(events[n].before),
                views(events[n].after));
  return builder.rows();
}

std::size_t place_of(const sink_position& x) {
  return x.positions.empty() ? 0 : x.positions[0].cursor.commit_ts.value;
}

history make_history(std::uint64_t seed, std::size_t events, bool full) {
  auto result = history{{std::mt19937_64{seed}}, full, {}, {}};
  while (result.events.size() < events)
    result.step();
  return result;
}

/// Random batches, commits, and restarts that replay from a random earlier
/// place; after each restart the replica is what the file claims.
void run(std::uint64_t seed, bool compact) {
  auto events = make_history(seed, 600, false).events;
  auto roll = dice{std::mt19937_64{seed + 1'000'000}};
  auto uut = replica{compact};
  auto done = place_of(uut.open());
  auto model = table{};
  auto modelled = std::size_t{0};
  auto sent = done;
  while (done < events.size()) {
    auto last = std::min(sent + 1 + roll(60), events.size());
    // Now and then some of it again: the barrier drops it.
    uut.write(rows_of(events, sent - std::min(sent, roll(5)), last));
    sent = last;
    if (roll.one_in(3))
      uut.commit({position(1, sent)});
    if (!roll.one_in(4) && sent != events.size())
      continue;
    done = place_of(uut.open());
    REQUIRE(done >= modelled); // What was committed stays.
    for (; modelled < done; ++modelled)
      play(model, events[modelled]);
    REQUIRE(read(uut) == model);
    sent = done - std::min<std::size_t>(done, roll(40));
  }
}

} // namespace

TEST_CASE("a random stream with restarts gives what the model has") {
  for (auto seed = std::uint64_t{1}; seed <= 15; ++seed) {
    CAPTURE(seed);
    run(seed, true);
    run(seed, false);
  }
}

TEST_CASE("a target that is ahead of the stream ends in the right state") {
  for (auto seed = std::uint64_t{1}; seed <= 10; ++seed) {
    for (auto compact : {true, false}) {
      CAPTURE(seed);
      CAPTURE(compact);
      auto past = make_history(seed, 400, true);
      const auto& events = past.events;
      auto uut = replica{compact};
      uut.open();
      uut.apply(rows_builder{mixed()}); // nothing
      uut.write(rows_of(events, 0, events.size()));
      uut.commit({});
      for (auto from : {0, 100, 250}) {
        CAPTURE(from);
        uut.exec("DELETE FROM sluice_sink_position");
        uut.open();
        auto first = static_cast<std::size_t>(from);
        while (first < events.size()) {
          auto last = std::min(first + 1 + past.roll(90), events.size());
          uut.write(rows_of(events, first, last));
          first = last;
        }
        uut.commit({});
        REQUIRE(read(uut) == past.now);
      }
    }
  }
}

TEST_CASE("keys have equal bytes exactly when SQLite takes them for equal") {
  auto all = values{i(0),
                    r(0),
                    r(-0.0),
                    i(1),
                    r(1),
                    i(INT64_MAX),
                    r(9223372036854775808.0),
                    i(INT64_MIN),
                    r(-9223372036854775808.0),
                    i(9007199254740993),
                    r(9007199254740992.0),
                    i(9007199254740992),
                    t(""),
                    b(""),
                    t("a"),
                    t({"a\0", 2}),
                    t({"a\0\0", 3}),
                    t("ab"),
                    b("a"),
                    t({"a\1", 2}),
                    r(0.5),
                    r(1e300)};
  auto db = sqlite_db::open(":memory:");
  REQUIRE(db.has_value());
  auto query = (*db)->prepare("SELECT ?1 = ?2 COLLATE BINARY");
  for (const auto& x : all)
    for (const auto& y : all) {
      query->reset();
      query->bind_value(1, x).bind_value(2, y);
      REQUIRE(*query->step());
      auto first = std::string{};
      auto second = std::string{};
      append_key(first, x);
      append_key(second, y);
      // Followed by another value, none may run into the next.
      append_key(first, t("z"));
      append_key(second, t("z"));
      CHECK((first == second) == (query->integer(0) == 1));
    }
}
