// docs/row_format.md says what the code does.

#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include "messages/row.hpp"
#include "tests/support/checkout.hpp"

using namespace sluice;

namespace {

// The bytes between ```hex and ```, without the offset of each line.
std::string bytes_of_example(const std::string& path) {
  auto file = std::ifstream{path};
  REQUIRE_MESSAGE(file.good(), "cannot open ", path);
  auto result = std::string{};
  auto line = std::string{};
  while (std::getline(file, line) && line != "```hex") {
    // nop
  }
  while (std::getline(file, line) && line != "```") {
    auto words = std::istringstream{line};
    auto word = std::string{};
    words >> word; // offset
    CHECK(std::stoul(word, nullptr, 16) == result.size());
    while (words >> word)
      result += static_cast<char>(std::stoul(word, nullptr, 16));
  }
  return result;
}

} // namespace

TEST_CASE("the example in docs row_format is what it says") {
  auto bytes = bytes_of_example(
    sluice::test::checkout_file("docs/row_format.md"));
  REQUIRE(bytes.size() == 106);
  auto block = row_block::parse(bytes, {1});
  REQUIRE(block.has_value());
  REQUIRE((*block)->rows() == 1);
  auto row = (*block)->row(0);
  auto header = row_header{{7}, {{3}, {2}, 1}, row_op::update, false, {4}, 5};
  CHECK(row.header() == header);
  REQUIRE(row.columns() == 4);
  CHECK(row.in_key(0));
  CHECK_FALSE(row.in_key(1));
  auto values = std::vector<value_view>{};
  row.before().decode(values);
  auto before = std::vector<value_view>{value_view::of_integer(1),
                                        value_view::unchanged(),
                                        value_view::of_text("a"),
                                        {}};
  CHECK(values == before);
  row.after().decode(values);
  auto after = std::vector<value_view>{
    value_view::of_integer(-2), value_view::of_real(1.5),
    value_view::of_text(""), value_view::of_blob({"\0\xFF", 2})};
  CHECK(values == after);
  // And the builder writes the same bytes.
  auto builder = row_block_builder{};
  builder.add(header, {true, false, false, false}, before, after);
  CHECK(builder.finish()->bytes() == bytes);
}
