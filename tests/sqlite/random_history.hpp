#pragma once

#include <iterator>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "actors/sinks/sqlite/compaction.hpp"
#include "tests/sqlite/sink_fixture.hpp"

/// Random but valid histories of a table, and what it has after each event.
namespace sink_test {

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

inline values views(const owned_row& row) {
  auto result = values{};
  for (const auto& x : row)
    result.push_back(x.view());
  return result;
}

// The table: composite key with values of every class, in an order that is
// not that of the columns.
inline schema_ptr mixed() {
  return schema_of(1, "mixed", 1,
                   {{"a", "TEXT", 0},
                    {"k2", "", 2},
                    {"k1", "INTEGER", 1},
                    {"b", "REAL", 0},
                    {"c", "", 0}});
}

inline std::string key_of(const owned_row& row) {
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
inline void play(table& to, const event& x) {
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

/// Events [first, last) as one write; event n has commit_ts n + 1.
inline sink_rows rows_of(const std::vector<event>& events, std::size_t first,
                         std::size_t last) {
  auto builder = rows_builder{mixed()};
  for (auto n = first; n < last; ++n)
    builder.add(events[n].op, n + 1, views(events[n].before),
                views(events[n].after));
  return builder.rows();
}

inline history make_history(std::uint64_t seed, std::size_t events, bool full) {
  auto result = history{{std::mt19937_64{seed}}, full, {}, {}};
  while (result.events.size() < events)
    result.step();
  return result;
}

} // namespace sink_test
