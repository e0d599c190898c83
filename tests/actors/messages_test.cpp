#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <doctest/doctest.h>

#include "tests/support/deterministic.hpp"
#include "tests/support/sink_samples.hpp"

/// Every type of the id block crosses a link and comes out equal. No samples
/// are listed: they are made from the fields, so that a new type is tested
/// from its first day and a field of a new kind does not compile.
using namespace sluice;

namespace {

// Fills a value with what no default is, and no two fields have in common.
class filler {
public:
  template <class T>
  void fill(T& x) {
    if constexpr (message_struct<T>)
      std::apply([&](auto&... fields) { (fill(fields), ...); }, x.fields());
    else if constexpr (std::is_same_v<T, bool>)
      x = !x;
    else if constexpr (std::is_enum_v<T>)
      x = static_cast<T>(3);
    else
      x = static_cast<T>(++last_ * 0x0101);
  }
  void fill(std::string& x) { x = "text " + std::to_string(++last_); }
  void fill(block_ptr& x) {
    auto number = ++last_;
    x = samples::inserts(number, {1, number + 1});
  }
  void fill(schema_ptr& x) {
    auto schema = table_schema{};
    fill(schema);
    x = std::make_shared<const table_schema>(std::move(schema));
  }
  template <class T>
  void fill(std::vector<T>& x) {
    x.resize(2);
    for (auto& element : x)
      fill(element);
  }

private:
  std::uint64_t last_ = 0;
};

template <class T>
bool same(const std::shared_ptr<T>& x, const std::shared_ptr<T>& y);
template <class T>
bool same(const std::vector<T>& x, const std::vector<T>& y);

// Field by field; blocks and schemas by what they hold.
template <class T>
bool same(const T& x, const T& y) {
  if constexpr (message_struct<T>) {
    auto fields_of_x = const_cast<T&>(x).fields();
    auto fields_of_y = const_cast<T&>(y).fields();
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return (same(std::get<I>(fields_of_x), std::get<I>(fields_of_y)) && ...);
    }
    (std::make_index_sequence<std::tuple_size_v<decltype(fields_of_x)>>{});
  } else {
    return x == y;
  }
}

template <class T>
bool same(const std::shared_ptr<T>& x, const std::shared_ptr<T>& y) {
  return x == y || (x && y && *x == *y);
}

template <class T>
bool same(const std::vector<T>& x, const std::vector<T>& y) {
  return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [](const T& a, const T& b) { return same(a, b); });
}

template <class T>
T round_trip(caf::actor_system& system, T& x) {
  auto buffer = std::vector<char>{};
  auto write = caf::binary_serializer{system, buffer};
  REQUIRE_FALSE(write(x));
  auto read = caf::binary_deserializer{system, buffer};
  auto result = T{};
  REQUIRE_FALSE(read(result));
  CHECK(read.remaining() == 0);
  return result;
}

template <class T>
inline constexpr bool is_handle = false;
template <class... Signatures>
inline constexpr bool is_handle<caf::typed_actor<Signatures...>> = true;

template <class T>
void check(caf::actor_system& system) {
  if constexpr (!is_handle<T>) {
    INFO(std::string{caf::type_name<T>::value});
    auto x = T{};
    CHECK(same(x, round_trip(system, x)));
    filler{}.fill(x);
    if constexpr (!std::is_empty_v<T>)
      CHECK_FALSE(same(x, T{}));
    auto y = round_trip(system, x);
    CHECK(same(x, y));
    CHECK(caf::deep_to_string(x) == caf::deep_to_string(y));
    // The dynamic way, as in a mailbox across a link.
    auto wrapped = caf::make_message(x);
    auto unwrapped = round_trip(system, wrapped);
    REQUIRE(unwrapped.template match_elements<T>());
    CHECK(same(x, unwrapped.template get_as<T>(0)));
  }
}

template <std::size_t I>
using type_at =
  typename caf::type_by_id<caf::id_block::sluice::begin + I>::type;

template <std::size_t... I>
void check_all(caf::actor_system& system, std::index_sequence<I...>) {
  (check<type_at<I>>(system), ...);
}

} // namespace

TEST_CASE("every message survives a link") {
  auto world = test::deterministic{};
  check_all(world.system(),
            std::make_index_sequence<caf::id_block::sluice::end
                                     - caf::id_block::sluice::begin>{});
}

TEST_CASE("a link refuses a block that is damaged") {
  auto world = test::deterministic{};
  auto block = samples::inserts(1, {5});
  auto buffer = std::vector<char>{};
  auto write = caf::binary_serializer{world.system(), buffer};
  REQUIRE_FALSE(write(block));
  buffer[3] ^= 0x7F; // In the record's size.
  auto read = caf::binary_deserializer{world.system(), buffer};
  auto result = block_ptr{};
  CHECK(read(result));
  CHECK_FALSE(result);
}
