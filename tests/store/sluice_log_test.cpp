// What an operator has to look at a log with.

#include <cstdio>

#include <sys/wait.h>

#include "store/segment_files.hpp"
#include "store/table_history.hpp"
#include "tests/store/spools.hpp"

using namespace log_test;

namespace {

struct outcome {
  int status = -1;
  std::string text; // stdout and stderr
};

// It lies beside this test.
outcome sluice_log(const std::string& arguments) {
  auto self = fs::read_symlink("/proc/self/exe").parent_path();
  auto command = (self / "sluice-log").string() + ' ' + arguments + " 2>&1";
  auto* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  auto result = outcome{};
  char buffer[4096];
  while (auto size = std::fread(buffer, 1, sizeof buffer, pipe))
    result.text.append(buffer, size);
  auto how = ::pclose(pipe);
  result.status = WIFEXITED(how) ? WEXITSTATUS(how) : -1;
  return result;
}

bool has(const outcome& x, const std::string& text) {
  return x.text.find(text) != std::string::npos;
}

// A service's directory with one log: rows 10 to 60, of tables 1 and 2 in
// turn, each block in a file of its own.
struct state_directory {
  temporary_directory home;
  std::string log = home.path() + "/log/app/0";
  std::vector<block_location> blocks = {};

  state_directory() {
    auto history = table_history::open(home.path(), "app").value();
    for (std::uint64_t table = 1; table <= 2; ++table) {
      auto schema = table_schema{{table},
                                 table == 1 ? "items" : "orders",
                                 {1},
                                 {0},
                                 {{"id", "INTEGER", 1}, {"name", "TEXT", 0}}};
      REQUIRE(history.add({{schema, {0}, false}}).has_value());
    }
    auto engine = open_segments(log, 1);
    for (std::uint64_t i = 1; i <= 6; ++i)
      REQUIRE(
        engine->append(block_of({{2 - i % 2, 10 * i, true, "fig"}}), {10 * i})
          .has_value());
    REQUIRE(sync(*engine).has_value());
    for (const auto& piece :
         plan_scan(*engine, {all_tables, {}, {6}, 1U << 30}).pieces)
      blocks.push_back(piece.location);
  }

  [[nodiscard]] std::string file_of(std::size_t block) const {
    return segment_path(log, blocks.at(block - 1).segment);
  }
  void damage(std::size_t block) const {
    auto bytes = slurp(file_of(block));
    bytes.at(blocks.at(block - 1).offset + 100) ^= 1;
    spill(file_of(block), bytes);
  }
};

} // namespace

TEST_CASE("sluice-log verify finds a sound log sound and leaves it as it is") {
  auto x = state_directory{};
  spill(x.log + "/00000000000000000099.seg.new", "unfinished");
  auto before = image{x.log};
  for (const auto& directory : {x.home.path(), x.log}) {
    auto seen = sluice_log("verify " + directory);
    CAPTURE(seen.text);
    CHECK(seen.status == 0);
    CHECK(has(seen, "ok       "));
    CHECK(has(seen, "6 blocks, 6 rows up to (60, 60, 0)"));
  }
  auto after = image{x.log};
  CHECK(before.files == after.files);
}

TEST_CASE("sluice-log verify names file, byte and range of what is damaged") {
  auto x = state_directory{};
  x.damage(3);
  auto before = image{x.log};
  auto seen = sluice_log("verify " + x.home.path());
  CAPTURE(seen.text);
  CHECK(seen.status == 1);
  CHECK(has(seen, x.file_of(3) + ": byte " + std::to_string(x.blocks[2].offset)
                    + ": block 3 is damaged; rows behind (20, 20, 0) and "
                      "before (40, 40, 0)"));
  CHECK(has(seen, "5 blocks, 5 rows"));
  seen = sluice_log("dump " + x.home.path());
  CAPTURE(seen.text);
  CHECK(seen.status == 1);
  CHECK(has(seen, "(20, 20, 0)"));
  CHECK_FALSE(has(seen, "(40, 40, 0)"));
  CHECK(has(seen, "sluice-log: log_corrupt: " + x.file_of(3)));
  CHECK(image{x.log}.files == before.files);
}

TEST_CASE("sluice-log verify tells of a torn tail, which is no damage") {
  auto x = state_directory{};
  {
    auto engine = open_segments(x.log);
    for (auto ts : {std::uint64_t{70}, std::uint64_t{80}})
      REQUIRE(engine->append(block_of({{1, ts}}), {}).has_value());
  }
  auto path = segment_files_of(x.log).back();
  fs::resize_file(path, fs::file_size(path) - 70);
  auto seen = sluice_log("verify " + x.home.path());
  CAPTURE(seen.text);
  CHECK(seen.status == 0);
  CHECK(has(seen, "torn     " + path + ": byte "));
  CHECK(has(seen, "7 rows up to (70, 70, 0)"));
}

TEST_CASE("sluice-log shows rows that were spooled, and what did not commit") {
  auto x = state_directory{};
  auto names = std::vector<std::string>{};
  {
    auto engine = open_segments(x.log);
    for (std::uint64_t id = 1; id <= 2; ++id)
      spool(*engine, {id}, {{1, 1, "plum"}, {2, 2, "plum"}});
    commit(*engine, {1}, 70, 65);
    for (const auto& file : fs::directory_iterator{x.log})
      if (file.path().extension() == ".spool")
        names.push_back(file.path().string());
    std::sort(names.begin(), names.end());
  }
  auto before = image{x.log};
  auto seen = sluice_log("verify " + x.home.path());
  CAPTURE(seen.text);
  CHECK(seen.status == 0);
  CHECK(has(seen, "7 blocks, 8 rows up to (70, 65, 2)"));
  CHECK(has(seen, "open     " + names.at(1) + ": 320 bytes of a transaction"));
  CHECK_FALSE(has(seen, names.at(0)));
  seen = sluice_log("dump " + x.home.path() + " --table items --from 60");
  CHECK(seen.text.find("items (1): insert (70, 65, 1)") == 0);
  seen = sluice_log("stats " + x.home.path());
  CHECK(has(seen, "8 rows; resolved 60"));
  CHECK(has(seen, "orders (2): 4 rows, "));
  seen = sluice_log("export " + x.home.path() + " --from 60");
  CHECK(std::count(seen.text.begin(), seen.text.end(), '\n') == 2);
  CHECK(image{x.log}.files == before.files);
}

TEST_CASE("sluice-log shows the rows of a table between two commit_ts") {
  auto x = state_directory{};
  auto seen = sluice_log("dump " + x.home.path()
                         + " --table items --from 10 --to 50");
  CHECK(seen.status == 0);
  CHECK(seen.text.find("items (1): insert (30, 30, 0)") == 0);
  CHECK(std::count(seen.text.begin(), seen.text.end(), '\n') == 2);
  seen = sluice_log("dump " + x.log + " --table 2 --from 50");
  CHECK(seen.text.find("orders (2): insert (60, 60, 0)") == 0);
  seen = sluice_log("dump " + x.log + " --table nothing");
  CHECK(seen.status == 2);
  CHECK(has(seen, "unknown_table: \"nothing\" is not in meta.db"));
  seen = sluice_log("stats " + x.home.path());
  CHECK(seen.status == 0);
  CHECK(has(seen, "6 rows; resolved 60"));
  CHECK(has(seen, "orders (2): 3 rows, "));
}

TEST_CASE("sluice-log exports lines of JSON where the schemas are known") {
  auto x = state_directory{};
  auto seen = sluice_log("export " + x.home.path() + " --table orders");
  CAPTURE(seen.text);
  CHECK(seen.status == 0);
  CHECK(std::count(seen.text.begin(), seen.text.end(), '\n') == 3);
  CHECK(has(seen, R"("after":{"id":20,"name":"fig"})"));
  fs::rename(x.home.path() + "/meta.db", x.home.path() + "/other.db");
  seen = sluice_log("export " + x.home.path());
  CHECK(seen.status == 2);
  CHECK(has(seen, "unknown_table: no schema of table 1: there is no meta.db"));
}

TEST_CASE("sluice-log leaves the log of a running service alone") {
  auto x = state_directory{};
  auto engine = open_segments(x.log);
  for (const auto* command : {"verify ", "stats ", "dump ", "export "}) {
    auto seen = sluice_log(command + x.home.path());
    CAPTURE(seen.text);
    CHECK(seen.status == 2);
    CHECK(has(seen, "sluice-log: log_locked: " + x.log));
    CHECK(std::count(seen.text.begin(), seen.text.end(), '\n') == 1);
  }
  auto seen = sluice_log("verify " + x.home.path() + "/nothing");
  CHECK(seen.status == 2);
  CHECK(has(seen, "invalid_option: "));
}
