#include "store/compression.hpp"

#include "tests/store/log_fixture.hpp"

using namespace log_test;

namespace {

std::unique_ptr<segment_log> open(const std::string& directory, int level) {
  auto options = segment_log_options{directory, 32U << 10, 0};
  options.window_bytes = 16U << 10;
  options.compression = level;
  auto result = segment_log::open(options);
  INFO((result ? "" : to_string(result.error())));
  REQUIRE(result);
  return std::move(*result);
}

// Rows of a table that stays, each beside a larger one of a table that goes.
std::uint64_t rewritten_size(segment_log& log) {
  for (std::uint64_t i = 1; i <= 200; ++i)
    REQUIRE(log.append(block_of({{2, i, false, std::string(1000, 'f')},
                                 {1, i, true, std::string(400, 's'), 1}}),
                       {i}));
  REQUIRE(sync(log));
  auto only_1 = [](table_id x) {
    return x.value == 1 ? timestamp{} : timestamp::max();
  };
  while (rewrite(log, only_1)) {
    // until the bound holds
  }
  return log.stats().bytes_rewritten;
}

} // namespace

TEST_CASE("what is compressed comes back, and only if it became smaller") {
  auto text = std::string(5000, 'x') + "y";
  auto packed = compress(text, 3);
  REQUIRE(packed);
  CHECK(packed->size() < 100);
  auto back = std::string{"before "};
  REQUIRE(decompress(*packed, text.size(), back));
  CHECK(back == "before " + text);
  CHECK_FALSE(compress(text, 0));
  CHECK_FALSE(compress("no two alike", 19));
  CHECK_FALSE(compress("", 3));
  CHECK_FALSE(decompress(*packed, text.size() - 1, back));
  CHECK_FALSE(decompress(text, text.size(), back));
  packed->pop_back();
  CHECK_FALSE(decompress(*packed, text.size(), back));
}

TEST_CASE("rewritten segments are compressed, and read as if they were not") {
  auto plain = temporary_directory{};
  auto packed = temporary_directory{};
  auto log = open(plain.path(), 0);
  auto size = rewritten_size(*log);
  auto rows = scan(*log, 1);
  REQUIRE(rows.size() == 200);
  log = open(packed.path(), 3);
  CHECK(rewritten_size(*log) < size / 2);
  CHECK(scan(*log, 1) == rows);
  CHECK(scan(*log, 1, cursor(100, 1)).size() == 100);
  log.reset();
  log = open(packed.path(), 0); // of each piece it is known
  CHECK(log->report().blocks_lost == 0);
  CHECK(scan(*log, 1) == rows);
  auto all = std::size_t{0};
  auto plan = plan_scan(*log, {all_tables, {}, log->last(), 1U << 30});
  for (const auto& piece : plan.pieces)
    all += load(*log, piece)->rows();
  CHECK(all >= 200);
}

TEST_CASE("a flipped byte of what is compressed is damage") {
  auto directory = temporary_directory{};
  auto log = open(directory.path(), 3);
  (void) rewritten_size(*log);
  auto files = segment_files_of(directory.path());
  auto path = *std::find_if(files.begin(), files.end(), [](const auto& x) {
    return !fs::path{x}.stem().extension().empty();
  });
  auto plan = plan_scan(*log, {{1}, {}, log->last(), 1U << 30});
  auto bytes = slurp(path);
  auto flips = 0;
  for (std::size_t at = 4096; at < bytes.size(); at += 7, ++flips) {
    auto damaged = bytes;
    damaged[at] ^= 1;
    spill(path, damaged);
    for (const auto& piece : plan.pieces) {
      auto block = log->disk()->read(piece.location);
      if (!block)
        REQUIRE(block.error().code == errc::log_corrupt);
      else
        for (std::size_t i = 0; i < (*block)->rows(); ++i)
          if (auto row = (*block)->row(i); row.table().value == 1)
            REQUIRE(row.after()[1].bytes == std::string(400, 's'));
    }
  }
  CHECK(flips > 100);
}
