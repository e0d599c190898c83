// A real process that appends and is killed with SIGKILL.
//
//   SLUICE_KILLS=1000   how often

#include <csignal>
#include <cstdlib>
#include <functional>
#include <random>

#include <sys/wait.h>

#include "tests/store/log_fixture.hpp"

using namespace log_test;

namespace {

using opener = std::function<expected<std::unique_ptr<log_engine>>()>;

// Appends blocks with tables 1 and 2 for ever and writes the ts of each
// closed block into `out` once append has returned.
[[noreturn]] void append_until_killed(const opener& open, int out) {
  auto log = open();
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
void check_texts(log_engine& log) {
  auto pieces = plan_scan(log, {all_tables, {}, log.last(), 1U << 30}).pieces;
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

std::uint64_t wanted_kills(std::uint64_t otherwise) {
  const auto* given = std::getenv("SLUICE_KILLS");
  return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

// @param lifetime_max_us Some are killed while they still recover.
void kill_again_and_again(const opener& open, std::uint64_t kills,
                          std::uint64_t lifetime_max_us) {
  auto seed = std::uint64_t{20240607};
  CAPTURE(seed);
  auto random = std::mt19937_64{seed};
  std::uint64_t acknowledged = 0;
  for (std::uint64_t round = 0; round < kills; ++round) {
    CAPTURE(round);
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(ends[0]);
      append_until_killed(open, ends[1]);
    }
    ::close(ends[1]);
    ::usleep(static_cast<useconds_t>(random() % lifetime_max_us));
    ::kill(child, SIGKILL);
    std::uint64_t x = 0;
    while (::read(ends[0], &x, 8) == 8)
      acknowledged = x;
    ::close(ends[0]);
    int how = 0;
    ::waitpid(child, &how, 0);
    REQUIRE(WIFSIGNALED(how));
    auto opened = open();
    INFO((opened ? "" : to_string(opened.error())));
    REQUIRE(opened.has_value());
    auto log = std::move(*opened);
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

} // namespace

TEST_CASE("what append returned survives SIGKILL, again and again") {
  auto directory = temporary_directory{};
  auto path = directory.file("log");
  auto open = [path]() -> expected<std::unique_ptr<log_engine>> {
    return segment_log::open({path, 20000, 1000, nullptr});
  };
  kill_again_and_again(open, wanted_kills(25), 20000);
}

#ifdef SLUICE_ROCKSDB
TEST_CASE("what append returned to rocksdb_log survives SIGKILL") {
  auto directory = temporary_directory{};
  auto path = directory.file("log");
  kill_again_and_again(
    [path] {
      return open_rocksdb_log({path, 20000, 1000});
    },
    15, 200000);
}
#endif
