// Kills by phase. What a process is at shows from outside, and whether a kill
// was in time shows afterwards; one that was not is not counted.

#include "tests/kill/rig.hpp"

using namespace sluice::kill_test;

namespace {

constexpr auto wanted = 5; // kills in a phase

/// What the replica has committed of ours.
std::string committed(const rig& uut) {
  auto db = look_into(uut.replica);
  auto query = statement{
    db.get(), "SELECT (SELECT incarnation FROM sluice_sink_fence) || ' ' || "
              "(SELECT total(commit_ts) FROM sluice_sink_position) || ' ' || "
              "(SELECT total(ts) FROM sluice_sink_watermark)"};
  query.step();
  return std::string{query.bytes(0)};
}

std::int64_t newest_change(const rig& uut) {
  return integer(uut.source, "SELECT max(seq) FROM sluice_log");
}
std::int64_t oldest_change(const rig& uut) {
  return integer(uut.source, "SELECT min(seq) FROM sluice_log");
}

/// Whether somebody writes.
bool is_locked(database& db) {
  sqlite3_busy_timeout(db.get(), 0);
  auto code = sqlite3_exec(db.get(), "BEGIN IMMEDIATE; ROLLBACK", nullptr,
                           nullptr, nullptr);
  return code == SQLITE_BUSY;
}

int segments(const rig& uut) {
  auto result = 0;
  auto ignored = std::error_code{};
  auto all = std::filesystem::recursive_directory_iterator(uut.state + "/log",
                                                           ignored);
  for (const auto& x : all)
    result += x.path().extension() == ".seg" ? 1 : 0;
  return result;
}

/// Whether the replicator has a file of its log open.
bool has_log_open(const rig& uut) {
  auto ignored = std::error_code{};
  auto files = std::filesystem::directory_iterator(
    fmt::format("/proc/{}/fd", uut.replicator->id()), ignored);
  for (auto end = std::filesystem::directory_iterator{}; files != end;
       files.increment(ignored)) {
    auto path = std::filesystem::read_symlink(files->path(), ignored);
    if (path.string().starts_with(uut.state + "/log"))
      return true;
  }
  return false;
}

class phase {
public:
  phase(const char* name, double changes_per_second) : name_{name} {
    uut.settings = {"--segment-bytes", "65536"};
    uut.make_databases();
    uut.start_application(changes_per_second);
  }

  /// Kills until enough were in time. `attempt` starts the replicator, kills
  /// it, and says whether that was in time.
  template <class Attempt>
  void kill(Attempt attempt) {
    while (counted_ < wanted) {
      REQUIRE_MESSAGE(clock::now() - began_ < 200s, counted_, " of ", all_,
                      " kills were in time\n", uut.logged());
      ++all_;
      counted_ += attempt() ? 1 : 0;
    }
  }
  void wait(const std::function<bool()>& holds) {
    auto done = [&] { return holds() || uut.replicator->ended(); };
    REQUIRE_MESSAGE(comes_true(60s, done), uut.logged());
    REQUIRE_MESSAGE(!uut.replicator->ended(), uut.logged());
  }
  void wait_for_changes(std::int64_t after) const {
    REQUIRE(comes_true(60s, [&] { return newest_change(uut) > after; }));
  }

  void check() {
    wait_for_changes(2'000);
    uut.stop_application();
    uut.finish();
    uut.check_contents();
    uut.check_changes();
    MESSAGE("seed ", uut.seed, ": ", counted_, " of ", all_, " kills ", name_,
            ", ", (clock::now() - began_) / 1ms, " ms");
  }

  rig uut{choose_seed()};

private:
  std::string name_;
  clock::time_point began_ = clock::now();
  int all_ = 0;
  int counted_ = 0;
};

kept_table big_table(int number) {
  return {"big_" + std::to_string(number),
          "(id INTEGER PRIMARY KEY, a, b)",
          "id",
          {"quote($id)"}};
}

// A table that the replicator has not seen yet. It is not changed, so each of
// its rows is to come once, however often the copy begins.
void make_big_table(rig& uut, int number) {
  auto big = big_table(number);
  auto made = "CREATE TABLE " + big.name + big.columns + ";" + witness_sql(big);
  look_into(uut.replica).exec(made);
  look_into(uut.source)
    .exec("BEGIN IMMEDIATE;" + made
          + "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n "
            "WHERE x < 40000) INSERT INTO "
          + big.name
          + " SELECT x, randomblob(300), 'row ' || x FROM n; COMMIT");
  uut.tables += ',' + big.name;
}

} // namespace

TEST_CASE("Kills in the stream lose nothing and repeat nothing") {
  auto test = phase{"in the stream", 4'000};
  auto& uut = test.uut;
  test.kill([&] {
    auto before = uut.position();
    uut.start();
    uut.wait_for_progress(before);
    auto there = uut.position();
    test.wait([&] { return uut.position() > there; });
    std::this_thread::sleep_for(uut.between(0, 30));
    uut.kill();
    return uut.position() > there;
  });
  test.check();
}

TEST_CASE("Kills in a copy lose nothing and repeat nothing") {
  auto test = phase{"in a copy", 1'000};
  auto& uut = test.uut;
  auto number = 0;
  auto shows = [&] { // when all of it is there
    return integer(uut.replica,
                   fmt::format("SELECT count(*) FROM big_{}", number))
           > 0;
  };
  test.kill([&] {
    if (number == 0 || shows()) // A copy that is complete is not made again.
      make_big_table(uut, ++number);
    auto known = uut.logged().size();
    auto copies = [&] {
      return uut.logged().find("copying big", known) != std::string::npos;
    };
    uut.start();
    test.wait([&] { return copies() || shows(); });
    std::this_thread::sleep_for(uut.between(0, 20));
    uut.kill();
    return copies() && !shows();
  });
  test.check();
  for (; number > 0; --number) {
    auto big = big_table(number);
    rig::check_same(rows_of(uut.source, big.name, big.order),
                    rows_of(uut.replica, big.name, big.order));
  }
}

TEST_CASE("Kills in an open transaction of the target leave nothing of it") {
  auto test = phase{"in an open transaction", 6'000};
  auto& uut = test.uut;
  test.kill([&] {
    auto before = uut.position();
    uut.start();
    uut.wait_for_progress(before);
    auto seen = std::string{};
    {
      auto db = look_into(uut.replica);
      test.wait([&] {
        seen = committed(uut);
        return is_locked(db);
      });
    }
    uut.kill();
    return committed(uut) == seen; // What was open then, was not committed.
  });
  test.check();
}

TEST_CASE("Kills in a prune of the outbox lose nothing and repeat nothing") {
  auto test = phase{"in a prune", 8'000};
  auto& uut = test.uut;
  // Before it deletes anything the source notes up to where it will.
  auto noted = [&] {
    return integer(uut.state + "/meta.db",
                   "SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM notes "
                   "WHERE key = 'confirmed'");
  };
  test.kill([&] {
    auto oldest = oldest_change(uut);
    test.wait_for_changes(oldest + 5'000); // It deletes 1,000 at a time.
    uut.start();
    test.wait([&] { return oldest_change(uut) > oldest; });
    uut.kill();
    return oldest_change(uut) < noted();
  });
  test.check();
}

TEST_CASE("Kills in the recovery of a log lose nothing and repeat nothing") {
  auto test = phase{"in a recovery", 8'000};
  auto& uut = test.uut;
  test.kill([&] {
    // Nobody takes what the log has, so it has several files.
    if (segments(uut) < 4) {
      auto before = uut.position();
      uut.start();
      uut.wait_for_progress(before);
      auto lock = look_into(uut.replica);
      lock.exec("BEGIN IMMEDIATE");
      test.wait([&] { return segments(uut) >= 6; });
      uut.kill();
    }
    auto before = committed(uut);
    uut.start();
    test.wait([&] { return has_log_open(uut); });
    std::this_thread::sleep_for(uut.between(0, 2));
    uut.kill();
    // Recovery comes before the target is opened, which shows there.
    return committed(uut) == before && segments(uut) >= 4;
  });
  test.check();
}
