#include "actors/sinks/callback_sink_state.hpp"

#include <doctest/doctest.h>

#include "tests/support/sink_samples.hpp"

using namespace sluice;
using namespace sluice::samples;
using namespace std::chrono_literals;

namespace {

using uut_type = callback_sink_state;
using effects = uut_type::effects;
using call = uut_type::call;
using store_positions = uut_type::store_positions;
using tick_after = uut_type::tick_after;

constexpr auto me = incarnation{5};

struct fixture {
  uut_type uut{callback_sink_options{200ms, 100ms}};

  fixture() {
    auto feed = feed_record{{1}, "f", {{"*"}, {}, feed_order::table}};
    REQUIRE(uut.on_open_sink({feed})
            == effects{uut_type::load_positions{feed}});
    auto opened = sink_opened{me, {position(1, 10, 10)}, {10}};
    REQUIRE(uut.on_loaded(opened) == effects{opened});
  }

  effects write(std::uint64_t batch, std::vector<write_item> items,
                uut_type::duration now = 1s) {
    return uut.on_write_rows({me, batch, std::move(items)}, now);
  }
  effects ack(std::uint64_t batch, uut_type::duration now = 1s) {
    return uut.on_acknowledge({me, batch}, now);
  }
  effects stored(uut_type::duration now = 1s) {
    return uut.on_stored(me, {}, now);
  }
};

/// Batch 1 was stored at 1s, with the low watermark 10.
struct after_a_store : fixture {
  after_a_store() {
    give(1, {item(1, {11})}, 1s);
    REQUIRE(uut.on_tick(1s).size() == 1);
    REQUIRE(stored() == effects{rows_durable{me, 1, {10}}});
  }

  /// Handed over and acknowledged, 10 ms after the store unless said.
  void give(std::uint64_t batch, std::vector<write_item> items,
            uut_type::duration now = 1s + 10ms) {
    static_cast<void>(write(batch, std::move(items), now));
    static_cast<void>(ack(batch, now));
  }
  void watermark(std::uint64_t ts, uut_type::duration now = 1s + 10ms) {
    static_cast<void>(uut.on_store_watermark({me, {ts}}, now));
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "callback sink acknowledges nothing by itself") {
  auto rows = item(1, {11});
  auto out = write(1, {rows});
  REQUIRE(out.size() == 1);
  CHECK(std::get<call>(out[0]).answer == acknowledge{me, 1});
  CHECK(std::get<call>(out[0]).rows.items == std::vector{rows});
  CHECK(uut.on_returned({me, 1}, {}).empty());
  CHECK(uut.on_tick(9s).empty());
}

TEST_CASE_FIXTURE(fixture, "callback sink stores what is acknowledged") {
  REQUIRE(write(1, {item(1, {11})}).size() == 1);
  CHECK(ack(1) == effects{rows_released{me, 1}, tick_after{0s}});
  CHECK(uut.on_tick(1s)
        == effects{store_positions{me, {position(1, 11, 11)}, {10}}});
  CHECK(stored() == effects{rows_durable{me, 1, {10}}});
  CHECK(uut.on_tick(2s).empty());
}

TEST_CASE_FIXTURE(fixture, "an acknowledgement counts for all batches before") {
  REQUIRE(write(1, {item(1, {11})}).size() == 1);
  REQUIRE(write(2, {item(2, {12})}).size() == 1);
  REQUIRE(write(3, {item(1, {13})}).size() == 1);
  CHECK(ack(2) == effects{rows_released{me, 2}, tick_after{0s}});
  CHECK(ack(1).empty());
  CHECK(ack(2).empty());
  CHECK(uut.on_tick(1s)
        == effects{store_positions{
          me, {position(1, 11, 11), position(2, 12, 12)}, {10}}});
}

TEST_CASE_FIXTURE(fixture, "acknowledgements are stored in groups") {
  for (auto i : {1, 2, 3, 4})
    REQUIRE(write(static_cast<std::uint64_t>(i),
                  {item(1, {static_cast<std::uint64_t>(10 + i)})})
              .size()
            == 1);
  REQUIRE(ack(1).size() == 2);
  REQUIRE(uut.on_tick(1s).size() == 1);
  REQUIRE(stored().size() == 1);
  CHECK(ack(2, 1s + 10ms) == effects{rows_released{me, 2}, tick_after{190ms}});
  CHECK(ack(3, 1s + 20ms) == effects{rows_released{me, 3}});
  CHECK(uut.on_tick(1s + 200ms)
        == effects{store_positions{me, {position(1, 13, 13)}, {10}}});
}

TEST_CASE_FIXTURE(fixture, "storing positions takes a tenth of the time") {
  REQUIRE(write(1, {item(1, {11})}).size() == 1);
  REQUIRE(write(2, {item(1, {12})}).size() == 1);
  REQUIRE(ack(1).size() == 2);
  REQUIRE(uut.on_tick(1s).size() == 1);
  REQUIRE(stored(1s + 100ms).size() == 1);
  CHECK(ack(2, 1s + 200ms) == effects{rows_released{me, 2}, tick_after{800ms}});
}

TEST_CASE_FIXTURE(fixture, "rows that are stored are not handed over again") {
  auto rows = item(1, {9, 10, 11});
  auto out = write(1, {rows});
  REQUIRE(out.size() == 1);
  CHECK(commits_of(std::get<call>(out[0]).rows.items)
        == std::vector<std::uint64_t>{11});
}

TEST_CASE_FIXTURE(fixture, "rows that are acknowledged are known, too") {
  REQUIRE(write(1, {item(1, {11})}).size() == 1);
  REQUIRE(ack(1).size() == 2);
  CHECK(write(2, {item(1, {11})}) == effects{rows_released{me, 2}});
}

TEST_CASE_FIXTURE(fixture, "a batch of known rows is done at once") {
  CHECK(write(1, {item(1, {9, 10})})
        == effects{rows_released{me, 1}, tick_after{0s}});
}

TEST_CASE_FIXTURE(fixture, "a batch without rows follows the one before") {
  REQUIRE(write(1, {item(1, {11})}).size() == 1);
  CHECK(write(2, {checkpoint_item(1, 11, 15)}).empty());
  REQUIRE(write(3, {item(1, {16})}).size() == 1);
  CHECK(ack(1) == effects{rows_released{me, 2}, tick_after{0s}});
  CHECK(uut.on_tick(1s)
        == effects{store_positions{me, {position(1, 11, 15)}, {10}}});
}

TEST_CASE_FIXTURE(fixture, "a watermark waits for the batches before it") {
  REQUIRE(write(1, {item(1, {11})}).size() == 1);
  CHECK(uut.on_store_watermark({me, {20}}, 1s).empty());
  REQUIRE(write(2, {item(1, {21})}).size() == 1);
  CHECK(uut.on_store_watermark({me, {22}}, 1s).empty());
  REQUIRE(ack(1).size() == 2);
  CHECK(uut.on_tick(1s) == effects{store_positions{me, {}, {20}}});
  CHECK(stored() == effects{rows_durable{me, 1, {20}}});
}

TEST_CASE_FIXTURE(fixture, "a quiet feed's watermark is stored now and then") {
  CHECK(uut.on_store_watermark({me, {20}}, 1s) == effects{tick_after{0s}});
  CHECK(uut.on_tick(1s) == effects{store_positions{me, {}, {20}}});
  REQUIRE(stored() == effects{rows_durable{me, 0, {20}}});
  CHECK(uut.on_store_watermark({me, {20}}, 1s).empty());
  CHECK(uut.on_store_watermark({me, {21}}, 1s + 10ms)
        == effects{tick_after{90ms}});
  CHECK(uut.on_tick(1s + 100ms) == effects{store_positions{me, {}, {21}}});
}

TEST_CASE_FIXTURE(fixture, "an early tick of a callback sink is repeated") {
  CHECK(uut.on_store_watermark({me, {20}}, 1s) == effects{tick_after{0s}});
  REQUIRE(uut.on_tick(1s).size() == 1);
  REQUIRE(stored().size() == 1);
  CHECK(uut.on_store_watermark({me, {21}}, 1s) == effects{tick_after{100ms}});
  CHECK(uut.on_tick(1s + 50ms).empty());
  CHECK(uut.on_tick(1s + 100ms) == effects{store_positions{me, {}, {21}}});
}

TEST_CASE_FIXTURE(after_a_store, "a watermark stands for all positions to it") {
  give(2, {item(1, {21}), item(2, {22})});
  watermark(22);
  give(3, {item(3, {23})});
  // Positions are not due, and those of tables 1 and 2 never will be.
  CHECK(uut.on_tick(1s + 100ms) == effects{store_positions{me, {}, {22}}});
  CHECK(stored(1s + 100ms)
        == effects{rows_durable{me, 2, {22}}, tick_after{110ms}});
  CHECK(uut.on_tick(1s + 210ms)
        == effects{store_positions{me, {position(3, 23, 23)}, {22}}});
  CHECK(stored(1s + 210ms) == effects{rows_durable{me, 3, {22}}});
}

TEST_CASE_FIXTURE(after_a_store, "a watermark goes along with positions") {
  give(2, {item(1, {21}), item(2, {22})});
  watermark(21);
  CHECK(uut.on_tick(1s + 200ms)
        == effects{store_positions{me, {position(2, 22, 22)}, {21}}});
}

TEST_CASE_FIXTURE(after_a_store, "batches become durable one after the other") {
  give(2, {item(1, {30})});
  give(3, {item(2, {20})});
  watermark(25);
  REQUIRE(uut.on_tick(1s + 100ms).size() == 1);
  CHECK(stored(1s + 100ms)
        == effects{rows_durable{me, 1, {25}}, tick_after{110ms}});
  watermark(30, 1s + 110ms);
  REQUIRE(uut.on_tick(1s + 200ms) == effects{store_positions{me, {}, {30}}});
  CHECK(stored(1s + 200ms) == effects{rows_durable{me, 3, {30}}});
  CHECK(uut.on_stop().empty());
}

TEST_CASE_FIXTURE(after_a_store, "watermarks do not keep positions from it") {
  give(2, {item(1, {90})});
  watermark(21);
  REQUIRE(uut.on_tick(1s + 100ms) == effects{store_positions{me, {}, {21}}});
  REQUIRE(stored(1s + 100ms).front()
          == effects::value_type{rows_durable{me, 1, {21}}});
  watermark(22, 1s + 110ms);
  REQUIRE(uut.on_tick(1s + 200ms) == effects{store_positions{me, {}, {22}}});
  REQUIRE(stored(1s + 200ms).size() == 2);
  watermark(23, 1s + 205ms);
  CHECK(uut.on_tick(1s + 210ms)
        == effects{store_positions{me, {position(1, 90, 90)}, {23}}});
}

TEST_CASE_FIXTURE(after_a_store, "a checkpoint above the watermark is kept") {
  give(2, {checkpoint_item(1, 11, 40)});
  watermark(30);
  REQUIRE(uut.on_tick(1s + 100ms) == effects{store_positions{me, {}, {30}}});
  CHECK(stored(1s + 100ms).front()
        == effects::value_type{rows_durable{me, 1, {30}}});
  CHECK(uut.on_stop()
        == effects{store_positions{me, {position(1, 11, 40)}, {30}}});
}

TEST_CASE_FIXTURE(after_a_store, "a cursor above the watermark is kept") {
  give(2, {checkpoint_item(1, 40, 20)});
  watermark(30);
  REQUIRE(uut.on_tick(1s + 100ms).size() == 1);
  CHECK(stored(1s + 100ms).front()
        == effects::value_type{rows_durable{me, 1, {30}}});
  CHECK(uut.on_stop()
        == effects{store_positions{me, {position(1, 40, 20)}, {30}}});
}

TEST_CASE_FIXTURE(after_a_store, "rows of an open cut wait for the watermark") {
  auto rows = item(1, {21});
  rows.after = position(1, 11, 11); // The cut goes on in the next batch.
  give(2, {rows});
  watermark(20);
  REQUIRE(uut.on_tick(1s + 100ms).size() == 1);
  CHECK(stored(1s + 100ms).front()
        == effects::value_type{rows_durable{me, 1, {20}}});
}

TEST_CASE_FIXTURE(after_a_store, "a slow disk gets few watermarks") {
  watermark(20);
  REQUIRE(uut.on_tick(1s + 100ms).size() == 1);
  REQUIRE(stored(1s + 150ms).size() == 1);
  CHECK(uut.on_store_watermark({me, {30}}, 1s + 150ms)
        == effects{tick_after{450ms}});
}

TEST_CASE_FIXTURE(fixture, "a batch that was refused comes again") {
  REQUIRE(write(1, {item(1, {11})}).size() == 1);
  REQUIRE(write(2, {item(1, {12})}).size() == 1);
  REQUIRE(ack(1).size() == 2);
  auto refused = error{errc::malformed, "no"};
  // What is acknowledged is stored first, so that it does not come again.
  CHECK(uut.on_returned({me, 2}, tl::unexpected{refused})
        == effects{store_positions{me, {position(1, 11, 11)}, {10}},
                   sink_failed{me, refused, false}});
  CHECK(stored().empty());
  CHECK(ack(2).empty());
  CHECK(write(3, {item(1, {13})}).empty());
  CHECK(uut.on_tick(2s).empty());
}

TEST_CASE_FIXTURE(fixture, "an acknowledgement of an older life is void") {
  REQUIRE(write(1, {item(1, {11})}).size() == 1);
  static_cast<void>(uut.on_open_sink({}));
  REQUIRE(uut.on_loaded(sink_opened{{6}, {}, {10}}).size() == 1);
  REQUIRE(uut.on_write_rows({{6}, 1, {item(1, {11})}}, 1s).size() == 1);
  CHECK(ack(1).empty());
  CHECK(uut.on_acknowledge({{6}, 1}, 1s).size() == 2);
  CHECK(uut.on_returned({me, 1}, fail(errc::malformed, "late")).empty());
}

TEST_CASE_FIXTURE(fixture, "callback sink keeps acknowledgements at its end") {
  CHECK(uut.on_stop().empty());
  REQUIRE(write(1, {item(1, {11})}).size() == 1);
  CHECK(uut.on_stop().empty());
  REQUIRE(ack(1).size() == 2);
  CHECK(uut.on_stop()
        == effects{store_positions{me, {position(1, 11, 11)}, {10}}});
}

TEST_CASE_FIXTURE(fixture, "callback sink is final only when it is replaced") {
  REQUIRE(write(1, {item(1, {11})}).size() == 1);
  REQUIRE(ack(1).size() == 2);
  REQUIRE(uut.on_tick(1s).size() == 1);
  auto full = error{errc::disk_full, "full"};
  SUBCASE("a full disk is tried again") {
    CHECK(uut.on_stored(me, tl::unexpected{full}, 1s)
          == effects{sink_failed{me, full, false}});
  }
  SUBCASE("a newer writer ends this one") {
    auto fenced = error{errc::sink_fenced, "newer"};
    CHECK(uut.on_stored(me, tl::unexpected{fenced}, 1s)
          == effects{sink_failed{me, fenced, true}});
  }
  SUBCASE("positions that can not be read are tried again") {
    static_cast<void>(uut.on_open_sink({}));
    CHECK(uut.on_loaded(tl::unexpected{full})
          == effects{sink_failed{{}, full, false}});
  }
}
