// The program that an operator has, and what he pastes into psql.
#include <filesystem>
#include <fstream>
#include <utility>

#include <sys/wait.h>

#include "tests/postgres/setup_fixture.hpp"

using namespace sluice;
using namespace sluice::setup_test;

namespace {

struct outcome {
  int status = -1;
  std::string text; ///< stdout and stderr.
};

outcome run_shell(const std::string& command) {
  auto* pipe = ::popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  auto result = outcome{};
  char buffer[4096];
  for (;;) {
    auto size = std::fread(buffer, 1, sizeof buffer, pipe);
    if (size == 0)
      break;
    result.text.append(buffer, size);
  }
  auto how = ::pclose(pipe);
  result.status = WIFEXITED(how) ? WEXITSTATUS(how) : -1;
  return result;
}

// It lies beside this test.
outcome doctor(const std::string& arguments) {
  auto self = std::filesystem::read_symlink("/proc/self/exe");
  return run_shell((self.parent_path() / "pg_doctor").string() + ' '
                   + arguments);
}

} // namespace

TEST_CASE("what the doctor prints can be pasted into psql") {
  if (skipped())
    return;
  throwaway_postgres server{{"wal_level = replica"}};
  auto at = desk{server};
  at.run("CREATE TABLE t (id int PRIMARY KEY);"
         "CREATE TABLE \"n o\" (\"K\" int NOT NULL UNIQUE);"
         "CREATE ROLE app LOGIN PASSWORD 'tell_nobody';"
         "ALTER TABLE t OWNER TO app; ALTER TABLE \"n o\" OWNER TO app");
  auto call = "'" + server.conninfo(at.db)
              + " user=app password=tell_nobody' --table 'public.t'"
                " --table 'public.n o' --slot s --publication p";
  auto seen = doctor(call);
  // A restart in between, and the table that had no key, take another look.
  for (int looks = 0; looks < 2; ++looks) {
    CAPTURE(seen.text);
    CHECK(seen.status == 1);
    CHECK(!contains(seen.text, "tell_nobody"));
    auto block = seen.text.find("\n-- To be run");
    REQUIRE(block != std::string::npos);
    auto file = server.directory() + "/pasted.sql";
    std::ofstream{file} << seen.text.substr(block);
    auto pasted = run_shell(throwaway_postgres::programs() + "/psql -X -h "
                            + server.directory() + " -p 5432 -U postgres -d "
                            + at.db + " -f " + file);
    CHECK(!contains(pasted.text, "syntax error"));
    server.stop();
    server.start();
    seen = doctor(call);
  }
  CAPTURE(seen.text);
  CHECK(seen.status == 0);
  CHECK(contains(seen.text, "ok       publication: p has every table"));
  CHECK(!contains(seen.text, "-- To be run"));
}

TEST_CASE("the doctor without a table to capture finds something missing") {
  if (skipped())
    return;
  auto at = desk{};
  at.mend();
  auto seen = doctor("'" + at.options.conninfo + "' --slot " + at.db
                     + " --publication " + at.db);
  CAPTURE(seen.text);
  CHECK(seen.status == 1);
  CHECK(contains(seen.text, "broken   tables: "));
}

TEST_CASE("the doctor says in one line why it could not look") {
  for (const auto* arguments :
       {"", "--nonsense", "a b", "a password=tell_nobody",
        "'host=127.0.0.1 port=1 password=tell_nobody'",
        "'password=my tell_nobody'", "'' --slot ''"}) {
    auto seen = doctor(arguments);
    CAPTURE(arguments);
    CAPTURE(seen.text);
    CHECK(seen.status == 2);
    CHECK(seen.text.find('\n') == seen.text.size() - 1);
    CHECK(contains(seen.text, "pg_doctor: "));
    CHECK(!contains(seen.text, "tell_nobody"));
  }
}
