#include <array>
#include <optional>

#include "tests/sqlite/json_lines_fixture.hpp"
#include "tests/sqlite/random_history.hpp"

using namespace json_test;

namespace {

constexpr auto tables = std::size_t{3};

/// What happened in the database, in commit order: event n at commit_ts n + 1.
struct commit {
  std::size_t table;
  event what;
};

std::vector<commit> make_commits(std::uint64_t seed, std::size_t events) {
  auto result = std::vector<commit>{};
  auto roll = dice{std::mt19937_64{seed + 2'000'000}};
  auto pasts = std::array<history, tables>{};
  auto used = std::array<std::size_t, tables>{};
  for (std::size_t k = 0; k < tables; ++k)
    pasts[k].roll = {std::mt19937_64{seed * tables + k}};
  while (result.size() < events) {
    auto k = roll(tables);
    pasts[k].step();
    for (; used[k] < pasts[k].events.size(); ++used[k])
      result.push_back({k, pasts[k].events[used[k]]});
  }
  return result;
}

schema_ptr table_of(std::size_t k) {
  auto result = *mixed();
  result.table = {k + 1};
  result.name = "mixed_" + std::to_string(k + 1);
  return std::make_shared<const table_schema>(std::move(result));
}

std::string bytes_of(const std::string& base64) {
  auto digits = std::string_view{
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"};
  auto result = std::string{};
  std::uint32_t bits = 0;
  auto count = 0;
  for (auto c : base64.substr(0, base64.find('='))) {
    bits = bits << 6 | static_cast<std::uint32_t>(digits.find(c));
    count += 6;
    if (count >= 8) {
      count -= 8;
      result += static_cast<char>(bits >> count & 0xFF);
    }
  }
  return result;
}

owned value_of(const json& x) {
  if (x.is_null())
    return {};
  if (x.is_number_float())
    return owned::of(r(x.get<double>()));
  if (x.is_number_integer())
    return owned::of(i(x.get<std::int64_t>()));
  if (x.is_object())
    return owned::of(b(bytes_of(x.at("$base64").get<std::string>())));
  if (x == "__debezium_unavailable_value")
    return owned::of(same());
  return owned::of(t(x.get<std::string>()));
}

std::optional<owned_row> row_of(const json& x) {
  if (x.is_null())
    return {};
  auto result = owned_row{};
  auto schema = mixed();
  for (const auto& column : schema->columns)
    result.push_back(value_of(x.at(column.name)));
  return result;
}

/// A consumer of the file as docs/json_lines.md has it.
struct folded {
  std::array<table, tables> rows;
  owned_row deleted; // by the line before

  void take(const std::string& line) {
    auto x = json::parse(line);
    auto name = x["source"]["table"].get<std::string>();
    auto& to = rows.at(static_cast<std::size_t>(name.back() - '1'));
    auto before = row_of(x["before"]);
    auto after = row_of(x["after"]);
    auto op = x["op"].get<std::string>();
    if (op == "t") {
      to.clear();
      return;
    }
    REQUIRE(before.has_value() == (op == "u" || op == "d"));
    REQUIRE(after.has_value() == (op != "d"));
    auto older = std::exchange(deleted, {});
    if (before) {
      auto there = to.find(key_of(*before));
      REQUIRE(there != to.end());
      older = there->second;
      to.erase(there);
    }
    if (!after) {
      deleted = older;
      return;
    }
    for (std::size_t k = 0; k < after->size(); ++k)
      if ((*after)[k].type == value_type::unchanged)
        (*after)[k] = older.at(k);
    to[key_of(*after)] = *after;
  }
};

/// The rows of commits [first, last), which are of one table.
sink_rows rows_of(const std::vector<commit>& commits, std::size_t first,
                  std::size_t last) {
  auto builder = rows_builder{table_of(commits[first].table)};
  for (auto n = first; n < last; ++n)
    builder.add(commits[n].what.op, n + 1, views(commits[n].what.before),
                views(commits[n].what.after));
  return builder.rows();
}

/// Commits [first, last), cut where the table changes.
void write(change_file& uut, const std::vector<commit>& commits,
           std::size_t first, std::size_t last) {
  while (first < last) {
    auto end = first + 1;
    while (end < last && commits[end].table == commits[first].table)
      ++end;
    uut.write(rows_of(commits, first, end));
    first = end;
  }
}

std::size_t place_of(const sink_position& x) {
  return x.positions.empty() ? 0 : x.positions[0].cursor.commit_ts.value;
}

void check(const change_file& uut, const std::vector<commit>& commits,
           std::size_t done) {
  auto model = std::array<table, tables>{};
  for (std::size_t n = 0; n < done; ++n)
    play(model.at(commits[n].table), commits[n].what);
  auto there = folded{};
  auto at = std::string{};
  for (const auto& line : lines_of(uut.text())) {
    there.take(line);
    auto x = json::parse(line);
    auto here = x["source"]["sequence"].get<std::string>()
                + x["op"].get<std::string>();
    REQUIRE(here != at); // Nothing is there twice.
    at = here;
  }
  for (std::size_t k = 0; k < tables; ++k)
    REQUIRE(there.rows.at(k) == model.at(k));
}

/// Random pieces, commits, and kills after which it comes again from a random
/// earlier place.
void run(std::uint64_t seed) {
  auto commits = make_commits(seed, 400);
  auto roll = dice{std::mt19937_64{seed + 1'000'000}};
  auto uut = change_file{};
  auto done = place_of(uut.open());
  auto sent = done;
  auto restarts = 0;
  while (done < commits.size()) {
    auto last = std::min(sent + 1 + roll(40), commits.size());
    write(uut, commits, sent - std::min(sent, roll(5)), last);
    sent = last;
    if (roll.one_in(3))
      uut.commit({position(0, sent)});
    if (!roll.one_in(4) && sent != commits.size())
      continue;
    if (roll.one_in(2))
      uut.kill();
    ++restarts;
    done = place_of(uut.open());
    check(uut, commits, done);
    sent = done - std::min<std::size_t>(done, roll(40));
  }
  REQUIRE(restarts > 1);
}

} // namespace

TEST_CASE("a file of random changes folded is what the model has") {
  for (auto seed = std::uint64_t{1}; seed <= 12; ++seed) {
    CAPTURE(seed);
    run(seed);
  }
}
