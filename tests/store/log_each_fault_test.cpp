// Random lives of a log, and in each batch and header of what they left one
// byte that is another, or two at once. Nobody loses more than the batch, and
// not in silence.
//
//   SLUICE_LIVES=10000   how many
//   SLUICE_SEED=7        of the first; the others count on from it

#include <fmt/format.h>

#include "tests/store/left_log.hpp"
#include "tests/support/environment.hpp"

using namespace log_test;
using sluice::test::number_of;

namespace {

constexpr std::uint64_t lives_default = 40;
constexpr auto steps = 60;

struct tally {
  std::uint64_t flips = 0;
  std::uint64_t reported = 0;
  std::uint64_t cut = 0;
  std::uint64_t renewed = 0;
  std::uint64_t abandoned = 0;
  std::uint64_t released = 0;
  std::uint64_t again = 0; // rewritten for the second time
  std::uint64_t spooled = 0;
  std::uint64_t refused = 0;
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

void flip(disk_image& files, const place& at, dice& luck) {
  auto size = at.from == 0 ? std::min<std::uint64_t>(at.size, 64) : at.size;
  files[at.file][at.from + luck.roll(size)] ^= static_cast<char>(
    1U << luck.roll(8));
}

void flip_two(left_log& log, dice& luck, tally& seen) {
  for (auto i = 0; i < 100; ++i) {
    auto nth = luck.roll(log.places.size() - 1);
    const auto& one = log.places[nth];
    // Half of them are neighbours, as where a sector is bad.
    auto other = luck.percent(50) ? nth + 1 : luck.roll(log.places.size());
    const auto& two = log.places[other];
    auto damaged = log.files;
    flip(damaged, one, luck);
    flip(damaged, two, luck);
    INFO(one.file << " at " << one.from << ", " << two.file << " at "
                  << two.from);
    auto disk = disk_of(damaged);
    for (auto round = 0; round < 2; ++round) {
      CAPTURE(round);
      auto opened = log.life.open_at(disk);
      if (opened) {
        log.check_two(**opened, one, two);
        seen.reported += (*opened)->report().blocks_lost > 0 ? 1 : 0;
        continue;
      }
      REQUIRE(opened.error().code == errc::log_corrupt);
      ++seen.refused;
      break;
    }
    ++seen.flips;
  }
}

// What a life leaves, sometimes without power.
template <class Damage>
void live(std::uint64_t seed, tally& seen, Damage damage) {
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
  damage(log, luck, seen);
  seen.renewed += life.renewed;
  seen.abandoned += life.abandoned;
  seen.released += life.released;
  seen.again += life.rewritten_again;
  for (const auto& entry : log.files)
    seen.spooled += entry.first.ends_with(".spool") ? 1 : 0;
}

// Whether so many that each of them has to have been there.
template <class Damage>
bool many_lives(tally& seen, Damage damage) {
  auto lives = number_of("SLUICE_LIVES", lives_default);
  auto first = number_of("SLUICE_SEED", 1);
  for (std::uint64_t i = 0; i < lives; ++i) {
    INFO("SLUICE_SEED=" << first + i << " SLUICE_LIVES=1");
    live(first + i, seen, damage);
  }
  return lives >= lives_default;
}

} // namespace

TEST_CASE("one flipped byte costs its batch, and somebody is told") {
  auto seen = tally{};
  auto many = many_lives(seen, flip_each);
  fmt::print("flips in lives: {}, {} reported, {} cut; {} segments renewed, {} "
             "abandoned, {} released, {} rewritten again, {} spooled\n",
             seen.flips, seen.reported, seen.cut, seen.renewed, seen.abandoned,
             seen.released, seen.again, seen.spooled);
  for (auto x : {seen.reported, seen.cut, seen.renewed, seen.abandoned,
                 seen.released, seen.again, seen.spooled})
    CHECK((x > 10 || !many));
}

TEST_CASE("of two flipped bytes none takes a row in silence") {
  auto seen = tally{};
  auto many = many_lives(seen, [](left_log& log, dice& luck, tally& to) {
    if (!log.power) // that is a third fault
      flip_two(log, luck, to);
  });
  fmt::print("two flips at once: {}, {} reported, {} refused\n", seen.flips,
             seen.reported, seen.refused);
  CHECK((seen.reported > 1000 || !many));
}
