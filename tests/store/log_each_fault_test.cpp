// Random lives of a log, and in each batch and header of what they left one
// byte that is another. Nobody loses more than the batch, and not in silence.
//
//   SLUICE_LIVES=10000   how many
//   SLUICE_SEED=7        of the first; the others count on from it

#include <cstdlib>

#include <fmt/format.h>

#include "tests/store/left_log.hpp"

using namespace log_test;

namespace {

constexpr std::uint64_t lives_default = 100;
constexpr auto steps = 40;

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const auto* given = std::getenv(name);
  return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

struct tally {
  std::uint64_t flips = 0;
  std::uint64_t reported = 0;
  std::uint64_t cut = 0;
  std::uint64_t renewed = 0;
  std::uint64_t abandoned = 0;
  std::uint64_t released = 0;
  std::uint64_t again = 0; // rewritten for the second time
  std::uint64_t spooled = 0;
};

void flip_each(left_log& log, dice& luck, tally& seen) {
  for (const auto& hit : log.places)
    for (auto header : {true, false}) {
      auto size = hit.from == 0 && hit.size == file_header_size
                    ? std::uint64_t{64}
                    : std::min<std::uint64_t>(hit.size, batch_header_size);
      if (!header && hit.size <= batch_header_size)
        continue;
      auto at = header ? hit.from + luck.roll(size)
                       : hit.from + size + luck.roll(hit.size - size);
      CAPTURE(hit.file);
      CAPTURE(hit.from);
      CAPTURE(hit.first.value);
      CAPTURE(hit.last.value);
      CAPTURE(hit.rows);
      CAPTURE(at);
      auto damaged = log.files;
      damaged[hit.file][at] ^= static_cast<char>(1U << luck.roll(8));
      auto disk = disk_of(damaged);
      for (auto round = 0; round < 2; ++round) {
        CAPTURE(round);
        auto opened = log.life.open_at(disk);
        // What said how far it was complete was not synced, either.
        if (!opened && log.power && hit.rows) {
          REQUIRE(opened.error().code == errc::log_corrupt);
          break;
        }
        INFO((opened ? "" : to_string(opened.error())));
        REQUIRE(opened);
        log.check(**opened, hit, luck);
        if (round == 0) {
          seen.reported += (*opened)->report().blocks_lost > 0 ? 1 : 0;
          seen.cut += (*opened)->appended_to() < log.end ? 1 : 0;
        }
      }
      ++seen.flips;
    }
}

void live(std::uint64_t seed, tally& seen) {
  auto life = eventful_life{seed};
  life.run(steps);
  auto& luck = life.luck;
  if (luck.percent(70))
    life.end_transaction();
  if (luck.percent(70))
    life.synced();
  if (luck.percent(30))
    life.restart();
  auto log = left_log{life, luck.percent(30)};
  log.check_whole();
  log.find_places();
  flip_each(log, luck, seen);
  seen.renewed += life.renewed;
  seen.abandoned += life.abandoned;
  seen.released += life.released;
  for (const auto& entry : log.files) {
    seen.again += entry.first.find(".2.seg") != std::string::npos ? 1 : 0;
    seen.spooled += entry.first.ends_with(".spool") ? 1 : 0;
  }
}

} // namespace

TEST_CASE("one flipped byte costs its batch, and somebody is told") {
  auto lives = number_of("SLUICE_LIVES", lives_default);
  auto first = number_of("SLUICE_SEED", 1);
  auto seen = tally{};
  for (std::uint64_t i = 0; i < lives; ++i) {
    INFO("SLUICE_SEED=" << first + i << " SLUICE_LIVES=1");
    live(first + i, seen);
  }
  fmt::print("{} flips in {} lives: {} reported, {} cut; {} renewed, {} "
             "abandoned, {} released, {} rewritten again, {} spooled\n",
             seen.flips, lives, seen.reported, seen.cut, seen.renewed,
             seen.abandoned, seen.released, seen.again, seen.spooled);
  if (lives < lives_default)
    return; // One that is lived again need not have everything.
  for (auto x : {seen.reported, seen.cut, seen.renewed, seen.abandoned,
                 seen.released, seen.again, seen.spooled})
    CHECK(x > 10);
}
