// What is wrong with how the program is called, and the manual of errors.
#include "desk.hpp"
#include "messages/errc.hpp"

using namespace sluice::error_test;

namespace {

constexpr auto see_help = "Run it with --help to see what it takes.";

void refuses(const desk& uut, const strings& arguments,
             const std::string& detail) {
  auto run = program{"sqlite_to_sqlite", arguments, uut.top, user::same};
  desk::says(run, "invalid_option", detail, see_help);
}

} // namespace

TEST_CASE("a call with wrong arguments is one line") {
  auto uut = desk{};
  refuses(uut, {"app.db", "--state", "state"}, "replica is required");
  refuses(uut, {"app.db", "replica.db"}, "--state is required");
  refuses(uut, {"app.db", "replica.db", "--state", "state", "--on"},
          "The following argument was not expected: --on");
  refuses(uut, {"app.db", "replica.db", "--state", "state", "--table"},
          "--table: 1 required TEXT missing");
  CHECK(!fs::exists(uut.at("state")));
  CHECK(!fs::exists(uut.at("replica.db")));
  uut.verifies();
}

TEST_CASE("--help is no error") {
  auto uut = desk{};
  auto run = program{"sqlite_to_sqlite", {"--help"}, uut.top, user::same};
  CHECK(run.wait() == 0);
  CHECK(run.err().empty());
  CHECK(run.out().find("--copy-again") != std::string::npos);
}

TEST_CASE("every code has its row in the manual of errors") {
  auto manual = text_of(sluice::test::checkout_file("docs/errors.md"));
  REQUIRE(!manual.empty());
  for (std::uint8_t i = 1; i < sluice::errc_count; ++i) {
    auto code = static_cast<sluice::errc>(i);
    auto name = std::string{to_string(code)};
    CAPTURE(name);
    CHECK(manual.find("\n| `" + name + "` |") != std::string::npos);
    CHECK(manual.find(std::string{meaning(code)}) != std::string::npos);
    CHECK(manual.find(std::string{remedy(code)}) != std::string::npos);
  }
}
