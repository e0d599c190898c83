// A real process that appends and is killed with SIGKILL.
//
//   SLUICE_KILLS=1000   how often

#include <csignal>
#include <cstdlib>
#include <random>

#include <sys/wait.h>

#include "tests/store/log_fixture.hpp"

using namespace log_test;

namespace {

// Appends blocks with tables 1 and 2 for ever and writes the ts of each
// closed block into `out` once append has returned.
[[noreturn]] void append_until_killed(const std::string& directory, int out) {
  auto log = segment_log::open({directory, 20000, 1000, nullptr});
  if (!log)
    ::_exit(1);
  auto ts = (*log)->appended_to().commit_ts.value;
  for (;;) {
    auto closes = ++ts % 3 != 0;
    auto text = std::string(ts % 700, 'x');
    auto done = (*log)->append(
      block_of({{1, ts, true, text, 0}, {2, ts, closes, text, 1}}), {ts - 1});
    if (!done)
      ::_exit(2);
    auto acknowledged = (*log)->appended_to().commit_ts.value;
    if (::write(out, &acknowledged, 8) != 8)
      ::_exit(3);
    if (ts % 16 == 0 && !sync(**log))
      ::_exit(4);
    if (ts % 50 == 0) {
      auto gone = (*log)->release(
        [ts](table_id) { return timestamp{ts < 400 ? 0 : ts - 400}; });
      if (!(*log)->disk()->remove(gone))
        ::_exit(5);
    }
    if (ts % 7 == 0 && !(*log)->abandon_open())
      ::_exit(6);
  }
}

// Each row has what its ts stands for.
void check_texts(segment_log& log) {
  auto pieces = log.plan_scan(all_tables, {}, log.last(), 1U << 30).pieces;
  for (const auto& piece : pieces) {
    auto block = load(log, piece);
    for (std::size_t i = 0; i < block->rows(); ++i) {
      auto x = block->row(i);
      auto ts = x.commit_ts().value;
      REQUIRE(x.after()[0].integer == static_cast<std::int64_t>(ts));
      REQUIRE(x.after()[1].bytes == std::string(ts % 700, 'x'));
    }
  }
}

} // namespace

TEST_CASE("what append returned survives SIGKILL, again and again") {
  auto seed = std::uint64_t{20240607};
  CAPTURE(seed);
  auto random = std::mt19937_64{seed};
  auto directory = temporary_directory{};
  std::uint64_t acknowledged = 0;
  const auto* given = std::getenv("SLUICE_KILLS");
  auto kills = given == nullptr ? 25 : std::strtoull(given, nullptr, 10);
  for (std::uint64_t round = 0; round < kills; ++round) {
    CAPTURE(round);
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(ends[0]);
      append_until_killed(directory.file("log"), ends[1]);
    }
    ::close(ends[1]);
    // Some are killed while they still recover.
    ::usleep(static_cast<useconds_t>(random() % 20000));
    ::kill(child, SIGKILL);
    std::uint64_t x = 0;
    while (::read(ends[0], &x, 8) == 8)
      acknowledged = x;
    ::close(ends[0]);
    int how = 0;
    ::waitpid(child, &how, 0);
    REQUIRE(WIFSIGNALED(how));
    auto log = open_segments(directory.file("log"));
    REQUIRE(log->appended_to().commit_ts.value >= acknowledged);
    REQUIRE(log->last() == log->last_closed());
    auto rows = scan(*log, 1);
    auto others = scan(*log, 2); // without what was open
    REQUIRE(
      std::includes(rows.begin(), rows.end(), others.begin(), others.end()));
    check_texts(*log);
    auto low = acknowledged < 390 ? 0 : acknowledged - 390;
    auto kept = std::lower_bound(rows.begin(), rows.end(), low + 1);
    for (auto ts = low + 1; ts <= acknowledged; ++ts, ++kept) {
      REQUIRE(kept != rows.end());
      REQUIRE(*kept == ts);
    }
  }
  MESSAGE(kills, " kills, rows acknowledged: ", acknowledged);
  CHECK(acknowledged > kills);
}
