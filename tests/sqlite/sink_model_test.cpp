#include "tests/sqlite/random_history.hpp"

using namespace sink_test;

namespace {

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

std::size_t place_of(const sink_position& x) {
  return x.positions.empty() ? 0 : x.positions[0].cursor.commit_ts.value;
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
