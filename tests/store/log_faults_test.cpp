// A disk that fails, at each of its calls in turn.

#include <atomic>
#include <cerrno>
#include <functional>

#include "tests/store/log_fixture.hpp"
#include "tests/store/spools.hpp"

using namespace log_test;

namespace {

enum class fault { io_error, full, half_write, interrupted };

// Lets the call number `fail_at` fail, or all from that one on.
class failing_ops : public file_ops {
public:
  int fail_at = 0; // 0: none
  bool sticky = false;
  fault kind = fault::io_error;
  bool only_syncs = false;
  bool no_unlink = false;
  std::atomic<int> calls{0};

  int open(const char* path, int flags, mode_t mode) override {
    return fails() ? -1 : file_ops::open(path, flags, mode);
  }
  ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) override {
    if (!fails())
      return file_ops::pwritev(fd, parts, count, at);
    // Part of it reaches the file all the same.
    auto first = parts[0];
    first.iov_len = (first.iov_len + 1) / 2;
    auto written = file_ops::pwritev(fd, &first, 1, at);
    if (kind == fault::half_write)
      return written;
    set_error();
    return -1;
  }
  ssize_t pread(int fd, void* to, std::size_t size, off_t at) override {
    return fails() ? -1 : file_ops::pread(fd, to, size, at);
  }
  int fdatasync(int fd) override {
    return fails(true) ? -1 : file_ops::fdatasync(fd);
  }
  int fsync(int fd) override { return fails(true) ? -1 : file_ops::fsync(fd); }
  int ftruncate(int fd, off_t size) override {
    return fails() ? -1 : file_ops::ftruncate(fd, size);
  }
  int rename(const char* from, const char* to) override {
    return fails() ? -1 : file_ops::rename(from, to);
  }
  int unlink(const char* path) override {
    if (no_unlink)
      set_error();
    return no_unlink || fails() ? -1 : file_ops::unlink(path);
  }
  off_t size(int fd) override { return fails() ? -1 : file_ops::size(fd); }
  int lock(int fd) override { return fails() ? -1 : file_ops::lock(fd); }
  int access(const char* path) override {
    return fails() ? -1 : file_ops::access(path);
  }
  int mkdir(const char* path, mode_t mode) override {
    return fails() ? -1 : file_ops::mkdir(path, mode);
  }
  int list(const char* path, std::vector<std::string>& names) override {
    return fails() ? -1 : file_ops::list(path, names);
  }
  int random(void* to, std::size_t size) override {
    return fails() ? -1 : file_ops::random(to, size);
  }

private:
  bool fails(bool is_sync = false) {
    if (only_syncs && !is_sync)
      return false;
    auto n = ++calls;
    auto hit = fail_at != 0 && (sticky ? n >= fail_at : n == fail_at);
    if (hit)
      set_error();
    return hit;
  }
  void set_error() const {
    errno = kind == fault::full          ? ENOSPC
            : kind == fault::interrupted ? EINTR
                                         : EIO;
  }
};

using numbers = std::vector<std::uint64_t>;

// A short life of a log, with a restart; what it says is done goes into
// `acknowledged`.
struct life {
  std::shared_ptr<failing_ops> ops;
  numbers acknowledged;
  std::uint64_t durable = 0;

  void run(const std::string& directory) {
    for (auto begin : {std::uint64_t{1}, std::uint64_t{11}})
      if (!run(directory, begin, begin == 1 ? 10 : 14))
        return;
  }

  bool run(const std::string& directory, std::uint64_t begin,
           std::uint64_t end) {
    auto opened = segment_log::open({directory, 5000, 1000, ops});
    if (!opened)
      return false;
    auto& log = **opened;
    for (std::uint64_t ts = begin; ts <= end; ++ts) {
      append(log, ts);
      if (ts % 5 == 0 && sync(log))
        durable = log.synced_to().value;
      if (ts == 8 || ts == 11) {
        auto open = log.append(
          block_of({{1, 1000 + ts, false}, {1, 2000 + ts, false}}), {0});
        if (open && !log.abandon_open())
          return false; // its source would start over: see below
      }
      if (ts == 12) {
        auto gone = log.release(
          [](table_id x) { return timestamp{x.value == 2 ? 6U : 0U}; });
        (void) log.disk()->remove(gone);
      }
      if (ts == 13)
        rewrite(log);
      check(log);
    }
    return true;
  }

  static void rewrite(segment_log& log) {
    auto order = log.plan_rewrite(
      [](table_id x) { return timestamp{x.value == 2 ? 13U : 0U}; },
      log.last());
    if (!order)
      return;
    if (auto done = log.rewriter()->run(*order))
      (void) log.disk()->remove(log.rewritten(*done));
  }

  void append(segment_log& log, std::uint64_t ts) {
    if (ts == 4 || ts == 13)
      return spool(log, ts);
    auto rows = block_of(
      {{1, ts, true, std::string(400, 'a')}, {2, ts, true, "x", 1}});
    auto done = log.append(rows, {0});
    if (!done) {
      REQUIRE((done.error().code == errc::log_io
               || done.error().code == errc::disk_full));
      done = log.append(rows, {0}); // The source tries again.
    }
    if (done)
      acknowledged.push_back(ts);
  }

  void spool(segment_log& log, std::uint64_t ts) {
    auto luck = sluice::test::dice{ts};
    auto rows = std::vector<row>{{1, ts, true, std::string(400, 'a')},
                                 {2, ts, true, "x", 1}};
    auto done = status{};
    for (auto tries = 0; tries < 2; ++tries) {
      done = spool_at_random(log, luck, rows);
      auto end = done ? log.commit_spooled({ts}, {{ts}, {ts}, {}})
                      : tl::unexpected{done.error()};
      if (end)
        return acknowledged.push_back(ts);
      REQUIRE((end.error().code == errc::log_io
               || end.error().code == errc::disk_full));
      for (auto x : {ts, std::uint64_t{1}})
        (void) log.disk()->remove(log.abort_spooled({x}));
    }
  }

  // Reads of what is in memory or on a disk that works again.
  void check(segment_log& log) {
    auto fail_at = std::exchange(ops->fail_at, 0);
    CHECK(scan(log, 1) == acknowledged);
    ops->fail_at = fail_at;
  }
};

} // namespace

TEST_CASE("whichever call fails, what was acknowledged is there") {
  auto kind = fault::io_error;
  auto sticky = false;
  SUBCASE("once, an error of the device") {
    // nop
  }
  SUBCASE("from then on, an error of the device") {
    sticky = true;
  }
  SUBCASE("once, a full disk") {
    kind = fault::full;
  }
  SUBCASE("from then on, a full disk") {
    kind = fault::full;
    sticky = true;
  }
  SUBCASE("once, a write that stops half way") {
    kind = fault::half_write;
  }
  auto calls = 0; // known after the first round, without a fault
  auto tried = 0;
  for (auto fail_at = 0; fail_at <= calls; ++fail_at) {
    CAPTURE(fail_at);
    auto directory = temporary_directory{};
    auto now = life{std::make_shared<failing_ops>(), {}, 0};
    now.ops->fail_at = fail_at;
    now.ops->sticky = sticky;
    now.ops->kind = kind;
    now.run(directory.file("log"));
    if (fail_at == 0)
      calls = now.ops->calls;
    auto log = segment_log::open({directory.file("log")});
    INFO((log ? "" : to_string(log.error())));
    REQUIRE(log.has_value());
    REQUIRE(scan(**log, 1) == now.acknowledged);
    REQUIRE((*log)->last().value >= now.durable);
    REQUIRE((*log)->last() == (*log)->last_closed());
    ++tried;
    if (fail_at != 0)
      REQUIRE(now.ops->calls >= fail_at); // or nothing has failed
  }
  MESSAGE(tried, " lives with ", calls, " calls");
  CHECK(tried == calls + 1);
  CHECK(calls > 80);
}

TEST_CASE(
  "a full disk is told as such and the log goes on when there is room") {
  auto directory = temporary_directory{};
  auto ops = std::make_shared<failing_ops>();
  auto log = open_segments(directory.path(), 1U << 20, 0, ops);
  REQUIRE(log->append(block_of({{1, 1}}), {0}).has_value());
  ops->kind = fault::full;
  ops->sticky = true;
  ops->fail_at = ops->calls + 1;
  auto failed = log->append(block_of({{1, 2}}), {0});
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code == errc::disk_full);
  CHECK(log->last() == block_index{1});
  CHECK(log->appended_to() == cursor(1));
  ops->fail_at = 0;
  REQUIRE(log->append(block_of({{1, 2}}), {0}).has_value());
  CHECK(scan(*log, 1) == numbers{1, 2});
}

TEST_CASE("after a device error the log goes on in another file") {
  auto directory = temporary_directory{};
  auto ops = std::make_shared<failing_ops>();
  auto log = open_segments(directory.path(), 1U << 20, 0, ops);
  REQUIRE(log->append(block_of({{1, 1}}), {0}).has_value());
  ops->fail_at = ops->calls + 1;
  CHECK_FALSE(log->append(block_of({{1, 2}}), {0}).has_value());
  REQUIRE(log->append(block_of({{1, 2}}), {0}).has_value());
  CHECK(log->stats().segments == 2);
  CHECK(scan(*log, 1) == numbers{1, 2});
  REQUIRE(sync(*log).has_value());
  log.reset();
  CHECK(scan(*open_segments(directory.path()), 1) == numbers{1, 2});
}

TEST_CASE("a sync that failed once is not believed the second time") {
  auto directory = temporary_directory{};
  auto ops = std::make_shared<failing_ops>();
  auto log = open_segments(directory.path(), 1U << 20, 0, ops);
  REQUIRE(log->append(block_of({{1, 1}}), {0}).has_value());
  ops->only_syncs = true;
  ops->fail_at = ops->calls + 1;
  for (int i = 0; i < 3; ++i) {
    auto done = sync(*log);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == errc::log_io);
  }
  CHECK(log->synced_to() == block_index{0});
  // Rows go elsewhere, reads go on.
  REQUIRE(log->append(block_of({{1, 2}}), {0}).has_value());
  CHECK(log->stats().segments == 2);
  CHECK(scan(*log, 1) == numbers{1, 2});
}

TEST_CASE("a file that is let go is out of range, deleted or not") {
  auto directory = temporary_directory{};
  auto ops = std::make_shared<failing_ops>();
  auto log = open_segments(directory.path(), 1, 0, ops);
  for (std::uint64_t i = 1; i <= 4; ++i)
    REQUIRE(log->append(block_of({{1, i}}), {i}).has_value());
  REQUIRE(sync(*log).has_value());
  auto planned = plan_scan(*log, {{1}, {}, log->last(), 1U << 20}).pieces;
  auto files = segment_files_of(directory.path()).size();
  auto gone = log->release([](table_id) { return timestamp{2}; });
  REQUIRE(gone.size() == 2);
  ops->no_unlink = true;
  CHECK(log->disk()->remove(gone).error().code == errc::log_io);
  CHECK(segment_files_of(directory.path()).size() == files);
  for (std::size_t i = 0; i < 4; ++i) {
    auto block = log->disk()->read(planned.at(i).location);
    CHECK(block.has_value() == (i >= 2));
    if (!block)
      CHECK(block.error().code == errc::out_of_range);
  }
  ops->no_unlink = false;
  CHECK(log->disk()->remove(gone).has_value());
  CHECK(segment_files_of(directory.path()).size() == files - 2);
}
