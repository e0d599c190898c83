// Somebody restores an older copy of the replica.

#include "tests/kill/rig.hpp"

using namespace sluice::kill_test;

namespace {

void copy_database(const std::string& from, const std::string& to) {
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(to + suffix);
    if (std::filesystem::exists(from + suffix))
      std::filesystem::copy_file(from + suffix, to + suffix);
  }
}

std::vector<std::string> segments_of(const rig& uut) {
  auto result = std::vector<std::string>{};
  for (const auto& x :
       std::filesystem::recursive_directory_iterator(uut.state + "/log"))
    if (x.is_regular_file())
      result.push_back(x.path().string());
  std::sort(result.begin(), result.end());
  return result;
}

// Replicates until the replica is `changes` further.
void go_on(rig& uut, std::int64_t changes) {
  auto goal = uut.position() + changes;
  uut.start();
  uut.wait_for_progress(goal);
}

} // namespace

TEST_CASE("A restored older replica becomes equal again while the log has it") {
  auto uut = rig{choose_seed()};
  CAPTURE(uut.seed);
  uut.make_databases();
  uut.start_application(3'000);
  go_on(uut, 1'000);
  auto backup = uut.directory.file("backup.db");
  SUBCASE("after an orderly stop") {
    uut.terminate();
  }
  SUBCASE("after a kill") {
    uut.kill();
  }
  copy_database(uut.replica, backup);
  auto position = uut.position();
  go_on(uut, 3'000);
  uut.kill();
  copy_database(backup, uut.replica);
  CHECK(uut.position() == position);
  go_on(uut, 1'000);
  uut.kill();
  uut.stop_application();
  uut.finish();
  uut.check_contents();
  uut.check_changes();
}

TEST_CASE("A restored replica that is older than the log stops its feed") {
  auto uut = rig{choose_seed()};
  CAPTURE(uut.seed);
  uut.settings = {"--segment-bytes", "65536"};
  uut.make_databases();
  uut.start_application(5'000);
  go_on(uut, 500);
  uut.terminate();
  auto backup = uut.directory.file("backup.db");
  copy_database(uut.replica, backup);
  auto had = segments_of(uut);
  uut.start();
  auto removed = [&] {
    return std::none_of(had.begin(), had.end(),
                        [](const auto& x) {
                          return x.ends_with(".seg")
                                 && std::filesystem::exists(x);
                        })
           || uut.replicator->ended();
  };
  REQUIRE_MESSAGE(comes_true(60s, removed), uut.logged());
  uut.terminate();
  uut.stop_application();
  copy_database(backup, uut.replica);
  auto known = uut.logged().size();
  auto before = rows_of(uut.replica, "accounts", "id");
  uut.start();
  CHECK_MESSAGE(uut.replicator->wait_for(30s) == 2, uut.logged());
  CHECK_MESSAGE(uut.logged().find("kill_replicator: lost_by_retention", known)
                  != std::string::npos,
                uut.logged());
  // Not one change of after the gap was applied.
  CHECK(rows_of(uut.replica, "accounts", "id") == before);
}
