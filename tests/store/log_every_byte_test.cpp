// A small log, damaged in each of its bytes, torn at each of them, without each
// of its files, and without each set of the sectors that were not synced.

#include <fmt/format.h>

#include "store/segment_format.hpp"
#include "tests/store/small_life.hpp"

using namespace log_test;

namespace {

// Rows 1 to 5, of which `synced` are durable; in two or more files.
struct small_log {
  small_life life{std::make_shared<simulated_disk>()};
  disk_image durable; // when it was synced
  disk_image files;

  explicit small_log(std::uint64_t synced) {
    REQUIRE(life.open());
    for (std::uint64_t ts = 1; ts <= 5; ++ts) {
      REQUIRE(life.append(ts));
      if (ts != synced)
        continue;
      REQUIRE(life.synced());
      durable = image_of(*life.disk);
    }
    files = image_of(*life.disk);
    REQUIRE(files.size() >= 7); // lock, store, segments, spool files
  }

  // What of rows 1 to 3 was in files of their own is in a rewritten one.
  void rewrite() {
    REQUIRE(life.rewritten(3));
    files = image_of(*life.disk);
  }

  void restart() {
    life.log.reset();
    REQUIRE(life.open());
    files = image_of(*life.disk);
  }

  [[nodiscard]] std::string newest() const {
    auto result = std::string{};
    for (const auto& entry : files)
      if (entry.first.ends_with(".seg"))
        result = entry.first;
    return result;
  }

  // The file of row 5, which is spooled.
  [[nodiscard]] std::string newest_spool() const {
    auto plan = plan_scan(*life.log, {{2}, {}, life.log->last(), 1 << 20});
    return segment_path({}, plan.pieces.back().location.segment).substr(1);
  }

  // Bytes of batches whose loss is the loss of rows.
  [[nodiscard]] std::map<std::string, std::vector<bool>> bytes_of_rows() const {
    auto result = std::map<std::string, std::vector<bool>>{};
    for (const auto& [name, bytes] : files)
      result[name].resize(bytes.size());
    auto plan = plan_scan(*life.log,
                          {all_tables, {}, life.log->last(), 1 << 20});
    for (const auto& piece : plan.pieces) {
      auto& marked = result.at(
        segment_path({}, piece.location.segment).substr(1));
      for (std::uint64_t i = 0; i < piece.location.size; ++i)
        marked.at(piece.location.offset + i) = true;
    }
    for (const auto& [name, bytes] : files)
      if (name.ends_with(".seg"))
        mark_references(bytes, result.at(name));
    return result;
  }

  // And of what says where rows are that were spooled.
  static void mark_references(const std::string& bytes,
                              std::vector<bool>& marked) {
    for (auto at = file_header_size; at < bytes.size(); at += batch_alignment) {
      if (bytes.compare(at, 4, "BTCH") != 0 || bytes[at + 6] != 2)
        continue;
      auto size = batch_header_size
                  + static_cast<unsigned char>(bytes[at + 12]);
      for (std::size_t i = 0; i < size; ++i)
        marked.at(at + i) = true;
    }
  }
};

enum class outcome { harmless, reported, refused };

// Opens what is left of a log whose rows are all durable: each row is there,
// or somebody is told.
outcome open_damaged(const small_log& was, const disk_image& files,
                     std::uint64_t at_least = 5) {
  auto x = small_life{disk_of(files)};
  auto opened = segment_log::open({small_directory, 1U << 20, 0, x.disk});
  if (!opened) {
    REQUIRE(opened.error().code == errc::log_corrupt);
    REQUIRE(opened.error().detail.find(small_directory) == 0);
    return outcome::refused;
  }
  auto lost = (*opened)->report().blocks_lost;
  if (lost == 0) {
    check_small(was.life, **opened, at_least);
    return outcome::harmless;
  }
  for (std::uint64_t table = 1; table <= 2; ++table) {
    auto got = read_small(**opened, table);
    REQUIRE(got.failure.code == errc::log_corrupt);
    REQUIRE(got.failure.detail.find(": byte ") != std::string::npos);
    auto floor = was.life.floors[table - 1];
    REQUIRE(last_in_order(got.rows, floor) <= was.life.durable);
  }
  return outcome::reported;
}

struct tally {
  std::uint64_t harmless = 0;
  std::uint64_t reported = 0;
  std::uint64_t refused = 0;
  void add(outcome x) {
    harmless += x == outcome::harmless ? 1 : 0;
    reported += x == outcome::reported ? 1 : 0;
    refused += x == outcome::refused ? 1 : 0;
  }
  [[nodiscard]] std::uint64_t all() const {
    return harmless + reported + refused;
  }
};

// One bit, all bits, and none.
std::vector<char> others_than(char byte, std::size_t at) {
  auto result = std::vector<char>{static_cast<char>(byte ^ (1 << (at % 8))),
                                  static_cast<char>(~byte)};
  if (byte != 0)
    result.push_back('\0');
  return result;
}

} // namespace

TEST_CASE("each flipped byte of a log is noticed or does no harm") {
  auto log = small_log{5};
  SUBCASE("as it was appended") {
    // nop
  }
  SUBCASE("rewritten") {
    log.rewrite();
  }
  SUBCASE("rewritten, after a restart") {
    log.restart();
    log.rewrite();
    log.restart();
  }
  auto of_rows = log.bytes_of_rows();
  auto found = tally{};
  auto expected = tally{};
  for (const auto& entry : log.files) {
    const auto& name = entry.first;
    const auto& bytes = entry.second;
    CAPTURE(name);
    for (std::size_t at = 0; at < bytes.size(); ++at)
      for (auto other : others_than(bytes[at], at)) {
        CAPTURE(at);
        auto damaged = log.files;
        damaged[name][at] = other;
        auto got = open_damaged(log, damaged);
        auto wanted = of_rows.at(name)[at] ? outcome::reported
                                           : outcome::harmless;
        REQUIRE(got == wanted);
        found.add(got);
        expected.add(wanted);
      }
  }
  fmt::print("flips: {}; {} reported, {} refused, {} of what no row needs\n",
             found.all(), found.reported, found.refused, found.harmless);
  CHECK(found.all() > 2 * 2 * file_header_size);
  CHECK(found.reported > 5 * 2 * (batch_header_size + 250));
  CHECK(found.refused == 0);
}

// The file ends there, or goes on with zeros, or with what was there before.
TEST_CASE("a write that is torn at any byte takes only what was not synced") {
  auto log = small_log{4};
  auto name = std::string{};
  auto needed = std::uint64_t{0}; // bytes without which there is no row 5
  SUBCASE("of the segment") {
    name = log.newest();
    needed = batch_header_size + 40 + 2 * 24;
  }
  SUBCASE("of the spool file") {
    name = log.newest_spool();
    needed = 2 * batch_header_size + 250;
  }
  const auto& whole = log.files.at(name);
  auto synced = log.durable.contains(name) ? log.durable.at(name).size() : 0;
  auto tried = std::uint64_t{0};
  auto cut = std::uint64_t{0};
  for (auto at = synced; at <= whole.size(); ++at)
    for (auto how : {'-', '\0', '\xff'}) {
      CAPTURE(at);
      CAPTURE(static_cast<int>(how));
      auto torn = log.files;
      torn[name].resize(at);
      if (how != '-')
        torn[name].resize(whole.size(), how);
      auto x = small_life{disk_of(torn)};
      REQUIRE(x.open());
      check_small(log.life, *x.log, log.life.durable);
      cut += x.log->appended_to().commit_ts.value == 5 ? 0 : 1;
      ++tried;
    }
  fmt::print("torn writes: {} at {} bytes, {} without the row\n", tried,
             whole.size() - synced, cut);
  CHECK(tried == 3 * (whole.size() - synced + 1));
  // All but the padding of the batch is the row.
  CHECK(cut >= 3 * needed);
  CHECK(cut < tried);
}

// Also where rows are durable: then it is damage, and never a wrong row.
TEST_CASE("a file that is cut at any byte is noticed or does no harm") {
  auto log = small_log{5};
  auto found = tally{};
  auto bytes = std::size_t{0};
  for (const auto& entry : log.files) {
    const auto& name = entry.first;
    bytes += entry.second.size();
    CAPTURE(name);
    for (std::size_t at = 0; at < entry.second.size(); ++at) {
      CAPTURE(at);
      auto torn = log.files;
      torn[name].resize(at);
      if (name == log.newest()) {
        // With it goes what says that its rows were durable.
        auto x = small_life{disk_of(torn)};
        if (x.open() && x.log->report().blocks_lost == 0)
          check_small(log.life, *x.log, 1);
        continue;
      }
      found.add(open_damaged(log, torn));
    }
  }
  auto tried = bytes - log.files.at(log.newest()).size();
  fmt::print("cut files: {}; {} reported, {} refused, {} harmless\n",
             found.all(), found.reported, found.refused, found.harmless);
  CHECK(found.all() == tried);
  CHECK(found.refused == 0);
  CHECK(found.reported > file_header_size);
}

TEST_CASE("whichever file is lost, it is noticed or its rows come again") {
  auto log = small_log{5};
  auto newest_has = std::uint64_t{2}; // rows, behind which nothing is
  SUBCASE("as it was appended") {
    // nop
  }
  SUBCASE("rewritten") {
    log.rewrite();
  }
  SUBCASE("rewritten, after a restart") {
    log.restart();
    log.rewrite();
    log.restart();
    newest_has = 0;
  }
  auto of_rows = log.bytes_of_rows();
  for (const auto& entry : log.files)
    for (auto zeros : {false, true}) {
      const auto& name = entry.first;
      const auto& marked = of_rows.at(name);
      // Of a transaction that goes on; or segments say the same.
      auto spare = name.ends_with(".spool")
                   && std::count(marked.begin(), marked.end(), true) == 0;
      CAPTURE(name);
      CAPTURE(zeros);
      auto left = log.files;
      if (zeros)
        left[name].assign(left[name].size(), '\0');
      else
        left.erase(name);
      auto newest = name == log.newest();
      spare = spare || name == "lock" || name == "store";
      auto got = open_damaged(log, left, newest ? 5 - newest_has : 5);
      CHECK(got == (newest || spare ? outcome::harmless : outcome::reported));
    }
}

TEST_CASE("whichever unsynced sectors are lost, the log is a prefix") {
  constexpr auto sector = std::size_t{512};
  auto log = small_log{3};
  // What was synced, in the size that the file has now.
  auto before = log.durable;
  struct place {
    std::string file;
    std::size_t at;
  };
  auto pending = std::vector<place>{};
  for (const auto& [name, bytes] : log.files) {
    before[name].resize(bytes.size());
    for (std::size_t at = 0; at < bytes.size(); at += sector)
      if (bytes.compare(at, sector, before[name], at, sector) != 0)
        pending.push_back({name, at});
  }
  REQUIRE(pending.size() >= 4);
  REQUIRE(pending.size() <= 12);
  auto tried = std::uint64_t{0};
  auto by_end = std::map<std::uint64_t, std::uint64_t>{};
  auto subsets = std::uint64_t{1} << pending.size();
  for (std::uint64_t lost = 0; lost < subsets; ++lost)
    for (auto short_of : {false, true}) {
      CAPTURE(lost);
      CAPTURE(short_of);
      auto files = log.files;
      for (std::size_t i = 0; i < pending.size(); ++i)
        if ((lost >> i & 1) != 0) {
          const auto& x = pending[i];
          files[x.file].replace(x.at, sector,
                                before[x.file].substr(x.at, sector));
        }
      // The size of the newest file is lost, or its name if it has just one.
      if (short_of && log.durable.contains(log.newest()))
        files[log.newest()].resize(log.durable.at(log.newest()).size());
      else if (short_of)
        files.erase(log.newest());
      auto x = small_life{disk_of(files)};
      REQUIRE(x.open());
      check_small(log.life, *x.log, log.life.durable);
      ++by_end[x.log->appended_to().commit_ts.value];
      ++tried;
    }
  fmt::print("lost sectors: {} sets of {}", tried, pending.size());
  for (const auto& [end, count] : by_end)
    fmt::print(", {} end at row {}", count, end);
  fmt::print("\n");
  CHECK(tried == 2 * subsets);
  CHECK(by_end.size() == 3); // 3, 4 and 5
}
