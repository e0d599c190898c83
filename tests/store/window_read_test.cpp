// One table is read out of a window by itself: not what stands beside it, all
// of its rows, and nothing that is damaged.

#include <fstream>

#include "store/segment_files.hpp"
#include "store/window_format.hpp"
#include "tests/store/counting_ops.hpp"
#include "tests/store/log_fixture.hpp"

using namespace log_test;
using sluice::test::counting_ops;

namespace {

constexpr auto tables = std::uint64_t{1000};
constexpr auto large = std::uint64_t{500}; // each row is a piece
constexpr auto rows_of_each = std::uint64_t{3};

// Of a table 0 that nobody needs, and of others that are all in one window.
struct rewritten_log {
  temporary_directory directory;
  std::shared_ptr<counting_ops> ops = std::make_shared<counting_ops>();
  std::unique_ptr<segment_log> log;

  rewritten_log() {
    auto opened = segment_log::open({directory.path(), 32U << 20U, 0, ops});
    REQUIRE(opened.has_value());
    log = std::move(*opened);
    for (std::uint64_t ts = 1; ts <= rows_of_each; ++ts) {
      auto rows = std::vector<row>{
        {0, ts, false, std::string(12U << 20U, 'f')}};
      for (std::uint64_t table = 1; table <= tables; ++table) {
        auto size = table == large ? 80'000U : 1U;
        rows.push_back(
          {table, ts, table == tables, std::string(size, 'x'), table});
      }
      REQUIRE(log->append(block_of(rows), {ts}).has_value());
    }
    REQUIRE(sync(*log).has_value());
    // What is written goes on in another file, so that this one can go.
    REQUIRE(log->append(block_of({{1, rows_of_each + 1, true, "x", 1}}), {})
              .has_value());
    REQUIRE(sync(*log).has_value());
    auto needed = [](table_id x) {
      return x.value == 0 ? timestamp::max() : timestamp{};
    };
    while (rewrite(*log, needed)) {
      // until the bound holds
    }
  }

  [[nodiscard]] scan_block piece_of(std::uint64_t table) const {
    auto plan = plan_scan(*log, {{table}, {}, {rows_of_each}, 1U << 30});
    REQUIRE(plan.pieces.size() == 1);
    REQUIRE(plan.pieces.front().location.table == table_id{table});
    return plan.pieces.front();
  }
};

} // namespace

TEST_CASE("one table is read without what else is in its window") {
  auto x = rewritten_log{};
  for (auto table : {std::uint64_t{1}, large - 1, large, large + 1, tables}) {
    CAPTURE(table);
    auto piece = x.piece_of(table);
    CHECK(piece.location.pieces == (table == large ? rows_of_each : 1));
    auto before = x.ops->bytes_read.load();
    auto rows = load(*x.log, piece);
    auto read = x.ops->bytes_read - before;
    CHECK(rows->rows() == rows_of_each);
    CHECK(rows->runs().size() == 1);
    CHECK(rows->row(0).table() == table_id{table});
    CHECK(read
          == rows->bytes().size() + piece.location.pieces * window_piece_size);
  }
}

TEST_CASE("each flipped byte of a table's part of a window is seen by its "
          "reader, and by no other") {
  auto x = rewritten_log{};
  auto piece = x.piece_of(7);
  auto beside = x.piece_of(8);
  auto at = piece.location;
  auto path = segment_path(x.directory.path(), at.segment);
  auto payload = at.offset + batch_header_size;
  auto entry = payload + window_front_size
               + std::uint64_t{at.piece} * window_piece_size;
  auto file = std::fstream{path,
                           std::ios::in | std::ios::out | std::ios::binary};
  auto load_at = [&](std::uint64_t place, auto& to) {
    file.seekg(static_cast<std::streamoff>(place));
    file.read(reinterpret_cast<char*>(&to), sizeof to);
  };
  auto offset = std::uint32_t{0};
  auto size = std::uint32_t{0};
  load_at(entry + 64, offset);
  load_at(entry + 68, size);
  auto flipped_is_seen = [&](std::uint64_t place) {
    CAPTURE(place);
    auto byte = char{0};
    load_at(place, byte);
    auto put = [&](char y) {
      file.seekp(static_cast<std::streamoff>(place));
      file.put(y);
      file.flush();
    };
    put(static_cast<char>(byte ^ 1));
    auto read = x.log->disk()->read(at);
    REQUIRE_FALSE(read.has_value());
    REQUIRE(read.error().code == errc::log_corrupt);
    REQUIRE(x.log->disk()->read(beside.location).has_value());
    put(byte);
  };
  for (auto place = entry; place < entry + window_piece_size; ++place)
    flipped_is_seen(place);
  for (auto place = payload + offset; place < payload + offset + size; ++place)
    flipped_is_seen(place);
  CHECK(x.log->disk()->read(at).has_value());
}
