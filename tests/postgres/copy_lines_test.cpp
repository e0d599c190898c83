#include <doctest/doctest.h>

#include "actors/sources/postgres/table_copies.hpp"

using namespace sluice::postgres;

namespace {

using fields = std::vector<std::optional<std::string>>;

fields first_line(std::string_view lines) {
  auto result = fields{};
  next_line(lines, result);
  return result;
}

} // namespace

TEST_CASE("A line of COPY is cut at its tabs") {
  CHECK(first_line("1\ttwo\t3.5\n") == fields{"1", "two", "3.5"});
  CHECK(first_line("\t\n") == fields{"", ""});
}

TEST_CASE("NULL is not the empty string, nor the text that looks like it") {
  CHECK(first_line("\\N\t\t\\\\N\n") == fields{std::nullopt, "", "\\N"});
}

TEST_CASE("Escapes of COPY are undone") {
  CHECK(first_line("a\\tb\\nc\\\\d\\b\\f\\r\\v\n")
        == fields{"a\tb\nc\\d\b\f\r\v"});
}

TEST_CASE("Lines are taken one after the other") {
  auto lines = std::string_view{"1\tx\n2\t\\N\n"};
  auto line = fields{};
  next_line(lines, line);
  CHECK(line == fields{"1", "x"});
  next_line(lines, line);
  CHECK(line == fields{"2", std::nullopt});
  CHECK(lines.empty());
}
