#include "messages/key_range.hpp"

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;

namespace {

std::string key(std::vector<value_view> values) {
  return encode_key(values);
}

value_view number(std::int64_t x) {
  return value_view::of_integer(x);
}

value_view text(std::string_view x) {
  return value_view::of_text(x);
}

// One record, with an integer key and a text.
struct one_row {
  one_row(row_op op, std::vector<value_view> before,
          std::vector<value_view> after) {
    auto builder = row_block_builder{};
    builder.add({{7}, {{1}, {1}, 0}, op, false, {1}, 0}, {true, false}, before,
                after);
    block = builder.finish();
  }
  [[nodiscard]] bool within(std::int64_t from, std::int64_t to) const {
    auto uut = key_filter{{key({number(from)}), key({number(to)})}};
    return uut(block->row(0));
  }
  block_ptr block;
};

} // namespace

TEST_CASE("encoded keys sort as their values do") {
  auto sorted = std::vector<std::string>{
    key({value_view{}}),
    key({number(std::numeric_limits<std::int64_t>::min())}),
    key({number(-1)}),
    key({number(0)}),
    key({number(0), text("a")}), // what begins with it comes next
    key({number(0), text("b")}),
    key({number(1)}),
    key({number(256)}),
    key({number(std::numeric_limits<std::int64_t>::max())}),
    key({value_view::of_real(-1e300)}),
    key({value_view::of_real(-1.5)}),
    key({value_view::of_real(-1.0)}),
    key({value_view::of_real(0.0)}),
    key({value_view::of_real(1e-300)}),
    key({value_view::of_real(2.0)}),
    key({text("")}),
    key({text(std::string_view{"\0", 1})}),
    key({text(std::string_view{"\0a", 2})}),
    key({text("\x01")}),
    key({text("a")}),
    key({text("a"), number(5)}),
    key({text(std::string_view{"a\0", 2})}),
    key({text("aa"), number(3)}),
    key({text("\xFF")}),
    key({value_view::of_blob("")}),
    key({value_view::of_blob("a")}),
  };
  CHECK(std::is_sorted(sorted.begin(), sorted.end()));
  CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end());
}

TEST_CASE("keys of two texts sort by the first one, whatever is in them") {
  auto random = std::mt19937_64{20261126};
  auto draw = [&] {
    auto result = std::string(random() % 4, ' ');
    for (auto& x : result)
      x = "\0\x01\xFFz"[random() % 4];
    return result;
  };
  for (auto i = 0; i < 20'000; ++i) {
    auto x = std::pair{draw(), draw()};
    auto y = std::pair{draw(), draw()};
    auto of = [](const auto& z) {
      return key({text(z.first), text(z.second)});
    };
    CAPTURE(i);
    REQUIRE((x < y) == (of(x) < of(y)));
  }
}

TEST_CASE("a range has its first key and not its end") {
  auto at = [](std::int64_t id) {
    return one_row{row_op::insert, {}, {number(id), text("x")}};
  };
  CHECK_FALSE(at(9).within(10, 20));
  CHECK(at(10).within(10, 20));
  CHECK(at(19).within(10, 20));
  CHECK_FALSE(at(20).within(10, 20));
  CHECK(key_filter{{}}(at(9).block->row(0)));
  CHECK(key_filter{{"", key({number(10)})}}(at(9).block->row(0)));
  CHECK_FALSE(key_filter{{key({number(10)}), ""}}(at(9).block->row(0)));
}

TEST_CASE("an update concerns the ranges of its old key and of its new one") {
  auto moved = one_row{row_op::update,
                       {number(5), value_view::unchanged()},
                       {number(15), text("x")}};
  CHECK(moved.within(0, 10));
  CHECK(moved.within(10, 20));
  CHECK_FALSE(moved.within(20, 30));
  // The source did not say the key again.
  auto stayed = one_row{row_op::update,
                        {number(5), text("x")},
                        {value_view::unchanged(), text("y")}};
  CHECK(stayed.within(0, 10));
  CHECK_FALSE(stayed.within(10, 20));
}

TEST_CASE("what is about the whole table concerns every range") {
  CHECK(one_row{row_op::truncate, {}, {}}.within(0, 10));
  CHECK(one_row{row_op::snapshot_begin, {}, {}}.within(0, 10));
}

TEST_CASE("a row that is gone concerns the range of its old key") {
  auto gone = one_row{row_op::erase, {number(5), value_view::unchanged()}, {}};
  CHECK(gone.within(0, 10));
  CHECK_FALSE(gone.within(10, 20));
}
