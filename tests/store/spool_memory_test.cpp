// A transaction that is larger than the memory that it may take.

#include <sstream>

#include <malloc.h>

#include "tests/store/spools.hpp"

using namespace log_test;

namespace {

constexpr auto chunks = std::uint64_t{256};
constexpr auto chunk_bytes = std::uint64_t{1} << 20U;
constexpr auto rows_per_chunk = std::uint64_t{1024};
// A chunk as its source has it, as it is read, and summaries of all of them.
constexpr auto memory_bytes_max = std::uint64_t{8} << 20U;

// What /proc/self/status says, in bytes.
std::uint64_t bytes_of(const std::string& name) {
  auto status = std::istringstream{slurp("/proc/self/status")};
  auto word = std::string{};
  auto result = std::uint64_t{0};
  while (status >> word)
    if (word == name + ':')
      status >> result;
  return result << 10U;
}

// The most memory that is resident from now on, above what is now.
struct watched_memory {
  std::uint64_t before = 0;

  watched_memory() {
    ::malloc_trim(0);
    spill("/proc/self/clear_refs", "5"); // VmHWM begins anew
    before = bytes_of("VmRSS");
  }
  [[nodiscard]] std::uint64_t most() const {
    return bytes_of("VmHWM") - before;
  }
};

// Whose text is the same bytes as often as it takes.
block_ptr chunk(std::uint64_t number, const std::string& text) {
  auto builder = row_block_builder{};
  auto values = std::vector{value_view::of_integer(0),
                            value_view::of_text(text)};
  for (std::uint64_t i = 1; i <= rows_per_chunk; ++i) {
    auto position = number * rows_per_chunk + i;
    auto header = row_header{
      {1 + i % 3}, {{}, {}, position}, row_op::insert, false, {1}, 0};
    values[0] = value_view::of_integer(static_cast<std::int64_t>(position));
    builder.add(header, {true, false}, {}, values);
  }
  return builder.finish();
}

} // namespace

TEST_CASE("a transaction of 256 MiB takes 8 MiB of memory") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  MESSAGE("skipped: sanitizers keep what is freed, and notes of their own");
  return;
#endif
  auto directory = temporary_directory{};
  auto text = std::string(chunk_bytes / rows_per_chunk, 't');
  auto id = transaction_id{7};
  auto sub = transaction_id{8};
  auto memory = watched_memory{};
  auto log = open_segments(directory.path());
  for (std::uint64_t i = 0; i < chunks; ++i) {
    auto of = std::vector<rows_of_transaction>{{id, rows_per_chunk}};
    if (i % 64 == 63)
      of = {{id, rows_per_chunk - 1}, {sub, 1}};
    REQUIRE(log->spool(id, chunk(i, text), of).has_value());
  }
  log->leave_out(id, sub);
  auto end = commit(*log, id, 30, 25);
  CHECK(end.last.value - end.first.value + 1 == chunks);
  REQUIRE(sync(*log).has_value());
  // Four chunks lost a row, so they are there a second time.
  CHECK(log->stats().disk_bytes > chunks * chunk_bytes);
  CHECK(log->stats().disk_bytes < (chunks + 5) * chunk_bytes * 11 / 10);
  for (auto round = 0; round < 2; ++round) {
    auto rows = std::uint64_t{0};
    auto after = row_cursor{};
    for (auto done = block_index{}; done < log->last();) {
      auto plan = plan_scan(*log, {{1}, after, log->last(), 1U << 20});
      CHECK(plan.pieces.size() <= 3);
      for (const auto& piece : plan.pieces) {
        auto block = load(*log, piece);
        for (const auto& run : block->runs())
          rows += run.table == table_id{1} ? run.count : 0;
        after = block->last_cursor();
      }
      done = plan.complete_to;
    }
    CHECK(rows >= chunks * (rows_per_chunk / 3) - 4);
    CHECK(rows <= chunks * (rows_per_chunk / 3 + 1));
    log.reset();
    log = open_segments(directory.path());
  }
  MESSAGE("at most ", memory.most(), " bytes of memory, ", chunks * chunk_bytes,
          " of rows");
  CHECK(memory.most() < memory_bytes_max);
  CHECK(memory.most() > chunk_bytes); // or nothing was measured
}
