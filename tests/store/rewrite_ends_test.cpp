// Rewrites that can't better anything must come to an end.

#include "tests/store/log_fixture.hpp"

using namespace log_test;

namespace {

constexpr auto segment_bytes = std::uint64_t{32} << 10U;
constexpr auto slow = std::uint64_t{1};

timestamp only_slow(table_id table) {
  return table.value == slow ? timestamp{} : timestamp::max();
}

std::unique_ptr<segment_log> open(const std::string& directory) {
  auto options = segment_log_options{directory, segment_bytes, 0};
  options.window_bytes = 4000;
  auto result = segment_log::open(options);
  REQUIRE(result.has_value());
  return std::move(*result);
}

void add(log_engine& log, std::uint64_t ts, bool is_slow) {
  auto text = is_slow ? std::string{"slow"} : std::string(900, 'f');
  REQUIRE(log.append(block_of({{is_slow ? slow : 2, ts, true, text}}), {ts}));
}

// Until there is nothing to do, but not for ever.
std::uint64_t rounds(log_engine& log) {
  auto result = std::uint64_t{0};
  while (result < 50 && rewrite(log, only_slow))
    ++result;
  return result;
}

} // namespace

TEST_CASE("a dead row that must stay does not make a segment worth it again") {
  auto directory = temporary_directory{};
  auto log = open(directory.path());
  SUBCASE("because it is larger than all that is live") {
    auto large = std::string(200'000, 'f');
    REQUIRE(log->append(block_of({{2, 1, true, large}, {slow, 2}}), {2}));
    add(*log, 3, false);
    add(*log, 4, false);
  }
  SUBCASE("because it is as large as what is live") {
    for (std::uint64_t ts = 1; ts <= 60; ++ts)
      add(*log, ts, ts == 20);
    for (std::uint64_t ts = 61; ts <= 3000; ++ts)
      add(*log, ts, true);
  }
  REQUIRE(sync(*log));
  auto before = scan(*log, slow);
  CHECK(rounds(*log) < 30);
  CHECK(scan(*log, slow) == before);
  log.reset();
  log = open(directory.path());
  CHECK(rounds(*log) < 30); // it has forgotten
  CHECK(scan(*log, slow) == before);
}

TEST_CASE("many small batches take less once they are rewritten") {
  auto directory = temporary_directory{};
  auto log = open(directory.path());
  for (std::uint64_t ts = 1; ts <= 2000; ++ts)
    add(*log, ts, true);
  REQUIRE(sync(*log));
  auto live = log->live_bytes(only_slow);
  CHECK(log->stats().disk_bytes > 2 * live + 2 * segment_bytes);
  CHECK(rounds(*log) < 30);
  CHECK(log->stats().disk_bytes <= 2 * live + 2 * segment_bytes);
  CHECK(scan(*log, slow).size() == 2000);
}

TEST_CASE("a segment that is left is not chosen, and others are") {
  auto directory = temporary_directory{};
  auto log = open(directory.path());
  for (std::uint64_t ts = 1; ts <= 400; ++ts)
    add(*log, ts, ts % 10 == 0);
  REQUIRE(sync(*log));
  auto order = log->plan_rewrite(only_slow, log->last());
  REQUIRE(order);
  auto left = order->segments.front();
  log->rewrite_failed({errc::log_corrupt, ""}, left);
  while (true) {
    order = log->plan_rewrite(only_slow, log->last());
    if (!order)
      break;
    for (auto segment : order->segments)
      CHECK(segment != left);
    REQUIRE(rewrite(*log, only_slow));
  }
  CHECK(log->stats().bytes_rewritten > 0);
  CHECK(scan(*log, slow).size() == 40);
}
