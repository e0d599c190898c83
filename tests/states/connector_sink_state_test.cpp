#include "actors/sinks/connector_sink_state.hpp"

#include <doctest/doctest.h>

#include "tests/support/sink_samples.hpp"

using namespace sluice;
using namespace sluice::samples;
using namespace std::chrono_literals;

namespace {

using uut_type = connector_sink_state;
using effects = uut_type::effects;
using write_target = uut_type::write_target;
using commit_target = uut_type::commit_target;
using tick_after = uut_type::tick_after;

constexpr auto me = incarnation{5};

struct fixture {
  uut_type uut{connector_sink_options{4, 100ms}};

  fixture() {
    auto feed = feed_record{{1}, "f", {}};
    REQUIRE(uut.on_open_sink({feed}) == effects{uut_type::connect{feed}});
    auto opened = sink_opened{me, {position(1, 10, 10)}, {10}};
    REQUIRE(uut.on_connected(opened) == effects{opened});
  }

  // Writes a batch without looking at what comes of it.
  effects write(std::uint64_t batch, std::vector<write_item> items,
                uut_type::duration now = 1s) {
    static_cast<void>(uut.on_write_rows({me, batch, std::move(items)}));
    return uut.on_written({}, now);
  }

  // A commit that the tick leads to, and what it says.
  effects tick(uut_type::duration now = 1s) { return uut.on_tick(now); }
};

} // namespace

TEST_CASE("connector sink says what the target says of itself") {
  auto uut = uut_type{};
  static_cast<void>(uut.on_open_sink({}));
  auto lower = sink_opened{me, {}, {3}};
  CHECK(uut.on_connected(lower) == effects{lower});
}

TEST_CASE("connector sink tries an unavailable target again") {
  auto uut = uut_type{};
  static_cast<void>(uut.on_open_sink({}));
  auto away = error{errc::sink_unavailable, "away"};
  CHECK(uut.on_connected(tl::unexpected{away})
        == effects{sink_failed{{}, away, false}});
  auto fenced = error{errc::sink_fenced, "newer"};
  CHECK(uut.on_connected(tl::unexpected{fenced})
        == effects{sink_failed{{}, fenced, true}});
}

TEST_CASE("connector sink ignores everything before it is open") {
  auto uut = uut_type{};
  CHECK(uut.on_write_rows({{}, 1, {item(1, {11})}}).empty());
  CHECK(uut.on_store_watermark({{}, {20}}, 1s).empty());
  CHECK(uut.on_tick(1s).empty());
}

TEST_CASE_FIXTURE(fixture, "connector sink commits what the mailbox held") {
  auto first = item(1, {11});
  CHECK(uut.on_write_rows({me, 1, {first}}) == effects{write_target{{first}}});
  CHECK(uut.on_written({}, 1s)
        == effects{rows_released{me, 1}, tick_after{0s}});
  // The second batch was in the mailbox before the tick.
  CHECK(write(2, {item(2, {12, 13})}) == effects{rows_released{me, 2}});
  CHECK(tick()
        == effects{commit_target{{position(1, 11, 11), position(2, 13, 13)},
                                 std::nullopt}});
  CHECK(uut.on_committed({}, 1s) == effects{rows_durable{me, 2, {10}}});
  CHECK(tick().empty());
}

TEST_CASE_FIXTURE(fixture, "connector sink commits a large transaction early") {
  CHECK(write(1, {item(1, {11, 12, 13})}).size() == 2);
  CHECK(write(2, {item(1, {14})})
        == effects{rows_released{me, 2},
                   commit_target{{position(1, 14, 14)}, std::nullopt}});
  CHECK(uut.on_committed({}, 1s) == effects{rows_durable{me, 2, {10}}});
  // The tick of the first batch still comes, and finds nothing.
  CHECK(tick().empty());
  // The next transaction starts counting at 0.
  CHECK(write(3, {item(1, {15})})
        == effects{rows_released{me, 3}, tick_after{0s}});
}

TEST_CASE_FIXTURE(fixture, "connector sink keeps the latest position only") {
  REQUIRE(write(1, {item(1, {11})}).size() == 2);
  REQUIRE(write(2, {checkpoint_item(1, 11, 19)}).size() == 1);
  CHECK(tick() == effects{commit_target{{position(1, 11, 19)}, std::nullopt}});
}

TEST_CASE_FIXTURE(fixture, "connector sink moves a checkpoint without rows") {
  CHECK(uut.on_write_rows({me, 1, {checkpoint_item(2, 0, 15)}})
        == effects{write_target{}});
  CHECK(uut.on_written({}, 1s)
        == effects{rows_released{me, 1}, tick_after{0s}});
  CHECK(tick() == effects{commit_target{{position(2, 0, 15)}, std::nullopt}});
}

TEST_CASE_FIXTURE(fixture, "connector sink lets a watermark ride along") {
  REQUIRE(write(1, {item(1, {11})}).size() == 2);
  CHECK(uut.on_store_watermark({me, {20}}, 1s).empty());
  CHECK(tick() == effects{commit_target{{position(1, 11, 11)}, timestamp{20}}});
  CHECK(uut.on_committed({}, 1s) == effects{rows_durable{me, 1, {20}}});
}

TEST_CASE_FIXTURE(fixture, "a commit never holds a watermark of later rows") {
  // Two batches fill the transaction; the watermark speaks for three.
  REQUIRE(write(1, {item(1, {11, 12})}).size() == 2);
  REQUIRE(uut.on_store_watermark({me, {12}}, 1s).empty());
  CHECK(
    write(2, {item(1, {13, 14})}).back()
    == uut_type::effect{commit_target{{position(1, 14, 14)}, timestamp{12}}});
  REQUIRE(uut.on_committed({}, 1s) == effects{rows_durable{me, 2, {12}}});
  REQUIRE(write(3, {item(1, {15})}).size() >= 1);
  REQUIRE(uut.on_store_watermark({me, {15}}, 1s).empty());
  CHECK(tick() == effects{commit_target{{position(1, 15, 15)}, timestamp{15}}});
}

TEST_CASE_FIXTURE(fixture, "a watermark whose rows failed is not stored") {
  REQUIRE(write(1, {item(1, {11})}).size() == 2);
  static_cast<void>(uut.on_write_rows({me, 2, {item(1, {12})}}));
  auto away = error{errc::sink_unavailable, "away"};
  CHECK(uut.on_written(tl::unexpected{away}, 1s)
        == effects{sink_failed{me, away, false}});
  CHECK(uut.on_store_watermark({me, {12}}, 1s).empty());
  CHECK(tick().empty());
  // The next incarnation starts from what the target has, with nothing open.
  static_cast<void>(uut.on_open_sink({}));
  auto again = sink_opened{{6}, {}, {10}};
  REQUIRE(uut.on_connected(again) == effects{again});
  CHECK(tick().empty());
  CHECK(uut.on_write_rows({me, 3, {item(1, {13})}}).empty());
  static_cast<void>(uut.on_write_rows({{6}, 1, {item(1, {11})}}));
  REQUIRE(uut.on_written({}, 1s).size() == 2);
  CHECK(tick() == effects{commit_target{{position(1, 11, 11)}, std::nullopt}});
}

TEST_CASE_FIXTURE(fixture, "an idle feed's watermark is stored now and then") {
  CHECK(uut.on_store_watermark({me, {20}}, 1s) == effects{tick_after{0s}});
  CHECK(tick() == effects{commit_target{{}, timestamp{20}}});
  REQUIRE(uut.on_committed({}, 1s) == effects{rows_durable{me, 0, {20}}});
  CHECK(uut.on_store_watermark({me, {21}}, 1s + 30ms)
        == effects{tick_after{70ms}});
  CHECK(uut.on_store_watermark({me, {22}}, 1s + 60ms).empty());
  CHECK(tick(1s + 100ms) == effects{commit_target{{}, timestamp{22}}});
  CHECK(uut.on_committed({}, 1s + 100ms) == effects{rows_durable{me, 0, {22}}});
  CHECK(tick(1s + 200ms).empty());
}

TEST_CASE_FIXTURE(fixture, "a watermark that is not higher is not stored") {
  CHECK(uut.on_store_watermark({me, {10}}, 1s).empty());
  CHECK(uut.on_store_watermark({me, {9}}, 1s).empty());
  CHECK(uut.on_store_watermark({{4}, {30}}, 1s).empty());
}

TEST_CASE_FIXTURE(fixture, "rows do not wait for a watermark's timer") {
  REQUIRE(uut.on_store_watermark({me, {20}}, 1s).size() == 1);
  REQUIRE(tick().size() == 1);
  REQUIRE(uut.on_committed({}, 1s).size() == 1);
  REQUIRE(uut.on_store_watermark({me, {21}}, 1s) == effects{tick_after{100ms}});
  CHECK(write(1, {item(1, {25})})
        == effects{rows_released{me, 1}, tick_after{0s}});
  CHECK(tick() == effects{commit_target{{position(1, 25, 25)}, timestamp{21}}});
  REQUIRE(uut.on_committed({}, 1s + 1ms).size() == 1);
  CHECK(tick(1s + 100ms).empty());
}

TEST_CASE_FIXTURE(fixture, "a tick that comes too early leads to another") {
  REQUIRE(write(1, {item(1, {11})}).size() == 2);
  REQUIRE(write(2, {item(1, {12, 13, 14})}).size() == 2);
  REQUIRE(uut.on_committed({}, 1s).size() == 1);
  // The tick of the first batch is still under way.
  CHECK(uut.on_store_watermark({me, {20}}, 1s).empty());
  CHECK(tick() == effects{tick_after{100ms}});
  CHECK(tick(1s + 100ms) == effects{commit_target{{}, timestamp{20}}});
}

TEST_CASE_FIXTURE(fixture, "connector sink says why a commit failed") {
  REQUIRE(write(1, {item(1, {11})}).size() == 2);
  REQUIRE(tick().size() == 1);
  auto fenced = error{errc::sink_fenced, "newer"};
  CHECK(uut.on_committed(tl::unexpected{fenced}, 1s)
        == effects{sink_failed{me, fenced, true}});
  CHECK(uut.on_write_rows({me, 2, {item(1, {12})}}).empty());
}

// -- the order of transactions ------------------------------------------------

TEST_CASE_FIXTURE(fixture, "connector sink commits no part of a transaction") {
  auto torn = write_rows{me, 1, {item(1, {11, 12, 13, 14, 15})}, true};
  static_cast<void>(uut.on_write_rows(torn));
  // Held by the target's transaction: its credit is free, it is not durable.
  CHECK(uut.on_written({}, 1s) == effects{rows_released{me, 1}});
  CHECK(tick(2s).empty());
  static_cast<void>(uut.on_store_watermark({me, {12}}, 2s));
  CHECK(tick(3s).empty());
  auto out = write(2, {item(1, {16})}, 3s);
  REQUIRE(!out.empty());
  REQUIRE(std::holds_alternative<commit_target>(out.back()));
  CHECK(std::get<commit_target>(out.back()).low_watermark == timestamp{12});
}

TEST_CASE_FIXTURE(fixture, "connector sink commits when the rest has no rows") {
  static_cast<void>(uut.on_write_rows({me, 1, {item(1, {11})}, true}));
  static_cast<void>(uut.on_written({}, 1s));
  auto out = write(2, {});
  CHECK(out == effects{rows_released{me, 2}, tick_after{0s}});
  CHECK(tick() == effects{commit_target{{position(1, 11, 11)}, {}}});
}

TEST_CASE_FIXTURE(fixture, "connector sink takes no position back") {
  static_cast<void>(write(1, {item(1, {11, 12})}));
  static_cast<void>(write(2, {item(1, {11})})); // again, after a reset
  auto out = tick();
  REQUIRE(out.size() == 1);
  auto order = std::get<commit_target>(out[0]);
  REQUIRE(order.positions.size() == 1);
  CHECK(order.positions[0].cursor.commit_ts == timestamp{12});
}
