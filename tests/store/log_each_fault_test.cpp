// Random lives of a log, and in each batch and header of what they left one
// byte that is another. Nobody loses more than the batch, and not in silence.
//
//   SLUICE_LIVES=10000   how many
//   SLUICE_SEED=7        of the first; the others count on from it

#include <cstdlib>

#include <fmt/format.h>

#include "store/little_endian.hpp"
#include "store/segment_format.hpp"
#include "tests/store/eventful_life.hpp"

using namespace log_test;

namespace {

constexpr std::uint64_t lives_default = 100;
constexpr auto steps = 40;

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const auto* given = std::getenv(name);
  return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

// A row that a log has.
struct stored {
  row_cursor at;
  std::uint64_t table = 0;
  std::string bytes;
  friend bool operator==(const stored&, const stored&) = default;
};

struct reading {
  std::vector<stored> rows;
  error failure;
};

reading read(segment_log& log, std::uint64_t table, row_cursor after) {
  auto result = reading{};
  for (auto done = block_index{}; done < log.last();) {
    auto plan = log.plan_scan({table}, after, log.last(), 2000);
    result.failure = plan.failure;
    if (plan.failure)
      return result;
    for (const auto& piece : plan.pieces) {
      auto block = load(log, piece);
      for (std::size_t i = 0; i < block->rows(); ++i) {
        auto x = block->row(i);
        auto wanted = table == all_tables.value || x.table().value == table;
        if (!wanted || x.cursor() <= after)
          continue;
        after = x.cursor();
        result.rows.push_back({after, x.table().value, std::string{x.bytes()}});
      }
    }
    REQUIRE((plan.complete_to > done || !plan.pieces.empty()));
    done = plan.complete_to;
  }
  return result;
}

// A batch or a header, and the blocks that it has.
struct place {
  std::string file;
  std::uint64_t from = 0;
  std::uint64_t size = 0;
  bool rows = false;
  block_index first = {};
  block_index last = {};
  block_index durable_before = {};
};

struct live_block {
  block_index first;
  block_location at;
  std::vector<stored> rows;
};

// A log as it was left.
struct left_log {
  eventful_life& life;
  disk_image files = {};
  std::vector<live_block> blocks = {};
  std::vector<place> places = {};
  row_cursor end = {};   // of what a start finds
  block_index last = {}; // also
  block_index synced = {};
  bool idle = false; // all is durable

  explicit left_log(eventful_life& x) : life{x} {
    auto& log = *x.log;
    synced = log.synced_to();
    idle = synced == log.last();
    for (const auto& piece :
         log.plan_scan(all_tables, {}, log.last(), 1U << 30).pieces) {
      auto& added = blocks.emplace_back(
        live_block{piece.index, piece.location, {}});
      auto block = load(log, piece);
      for (std::size_t i = 0; i < block->rows(); ++i) {
        auto at = block->row(i);
        added.rows.push_back(
          {at.cursor(), at.table().value, std::string{at.bytes()}});
      }
    }
    x.log.reset();
    x.disk->kill();
    x.disk->heal();
    files = image_of(*x.disk);
  }

  // -- places -----------------------------------------------------------------

  void find_places() {
    places.push_back({"store", 0, 40});
    for (const auto& [name, bytes] : files) {
      auto spool = name.ends_with(".spool");
      if (!spool && !name.ends_with(".seg"))
        continue;
      if (!spool)
        places.push_back({name, 0, file_header_size});
      find_batches(name, bytes, spool ? 0 : file_header_size);
    }
  }

  void find_batches(const std::string& name, const std::string& bytes,
                    std::uint64_t at) {
    auto uuid = decode_store_file(files.at("store")).value();
    auto place_of = batch_place{uuid, segment_of(name), 0};
    for (; at + batch_header_size <= bytes.size(); at += batch_alignment) {
      place_of.offset = at;
      auto header = decode_batch_header(
        std::string_view{bytes}.substr(at, batch_header_size), place_of);
      if (!header)
        continue;
      auto found = place{name,
                         at,
                         batch_header_size + header->payload_size,
                         false,
                         header->first,
                         header->last,
                         header->durable_before};
      if (header->kind != batch_kind::mark)
        mark_rows(found, place_of.segment);
      places.push_back(found);
      at += header->extent() - batch_alignment;
    }
  }

  // Only what lies there counts.
  void mark_rows(place& x, std::uint64_t segment) {
    for (const auto& block : blocks)
      if (block.at.segment == segment && block.at.offset == x.from) {
        x.rows = true;
        if (is_spool(segment))
          x.first = x.last = block.first;
        return;
      }
    // A reference is where its blocks are not.
    const auto& bytes = files.at(x.file);
    auto spool = load<std::uint64_t>(bytes, x.from + batch_header_size);
    auto named = [&](const live_block& block) {
      return block.first == x.first && block.at.segment == spool;
    };
    x.rows = !is_spool(segment) && bytes[x.from + 6] == 2
             && std::any_of(blocks.begin(), blocks.end(), named);
  }

  static std::uint64_t segment_of(const std::string& name) {
    auto dot = name.find('.');
    auto number = std::stoull(name.substr(0, dot));
    if (name.ends_with(".spool"))
      return spool_segment(number);
    auto rest = name.substr(dot + 1);
    return rest == "seg" ? number
                         : rewritten_segment(number, std::stoull(rest));
  }

  // -- what must hold ---------------------------------------------------------

  // Rows that are read from `after` on.
  [[nodiscard]] std::vector<stored>
  wanted(std::uint64_t table, row_cursor after, row_cursor to) const {
    auto result = std::vector<stored>{};
    for (const auto& block : blocks)
      for (const auto& x : block.rows)
        if (x.at > after && x.at <= to
            && (table == all_tables.value || x.table == table))
          result.push_back(x);
    return result;
  }

  [[nodiscard]] row_cursor floor_of(std::uint64_t table) const {
    return row_cursor::end_of({life.floors.at(table)});
  }

  // What a start makes of it has all that was appended.
  void check_whole() {
    auto opened = life.open_at(disk_of(files));
    INFO((opened ? "" : to_string(opened.error())));
    REQUIRE(opened);
    auto& log = **opened;
    REQUIRE(log.report().blocks_lost == 0);
    end = log.appended_to();
    last = log.last();
    auto& from = life.from;
    auto count = from.complete(from.up_to(end));
    REQUIRE(count == from.complete(from.appended));
    for (std::uint64_t table = 1; table <= life.tables; ++table) {
      auto got = read(log, table, floor_of(table));
      REQUIRE_FALSE(got.failure);
      auto next = std::size_t{0};
      for (std::size_t i = 0; i < count; ++i) {
        const auto& x = from.rows[i];
        if (x.x.table != table || from.of(x) <= floor_of(table))
          continue;
        REQUIRE(next < got.rows.size());
        REQUIRE(got.rows[next++].bytes == x.bytes);
      }
      REQUIRE(next == got.rows.size());
    }
  }

  // The highest cursor of a complete row before block `x`.
  [[nodiscard]] row_cursor complete_before(block_index x) const {
    auto result = row_cursor{};
    for (const auto& block : blocks)
      if (block.first < x)
        for (const auto& y : block.rows) {
          auto n = life.from.up_to(y.at);
          if (n > 0 && life.from.rows[n - 1].x.end)
            result = y.at;
        }
    return result;
  }

  // Whether it has rows that are complete.
  [[nodiscard]] bool counts(const place& x) const {
    return std::any_of(blocks.begin(), blocks.end(), [&](const live_block& y) {
      return y.first >= x.first && y.first <= x.last
             && y.rows.front().at <= end;
    });
  }

  [[nodiscard]] block_index durable_without(const place& hit) const {
    auto has_rows = [&](const std::string& file) {
      return std::any_of(places.begin(), places.end(), [&](const place& x) {
        return x.rows && x.file == file;
      });
    };
    auto result = block_index{};
    for (const auto& x : places)
      if (&x != &hit && has_rows(x.file))
        result = std::max(result, x.durable_before);
    return std::min(result, synced);
  }

  void check(segment_log& log, const place& hit, dice& luck) {
    auto now = std::min(end, log.appended_to());
    auto lost = log.report().blocks_lost;
    if (!hit.rows) {
      REQUIRE(lost == 0);
      REQUIRE(log.last() == last);
      REQUIRE(log.appended_to() == end);
    } else if (hit.first <= durable_without(hit) || idle) {
      REQUIRE((lost > 0 || !counts(hit)));
      REQUIRE(log.appended_to() == end);
    } else {
      REQUIRE(now >= complete_before(hit.first));
    }
    auto next = end;
    for (const auto& block : blocks)
      if (hit.rows && block.first > hit.last) {
        next = block.rows.front().at;
        break;
      }
    for (std::uint64_t table = 0; table <= life.tables; ++table)
      for (auto i = 0; i < 3; ++i) {
        auto after = floor_of(table);
        if (i > 0)
          after = std::max(after, cursor(luck.roll(life.from.ts + 1)));
        check_reader(log, hit, table, after, now, next);
      }
  }

  void check_reader(segment_log& log, const place& hit, std::uint64_t table,
                    row_cursor after, row_cursor to, row_cursor next) {
    CAPTURE(table);
    CAPTURE(after.commit_ts.value);
    auto got = read(log, table, after);
    auto all = wanted(table, after, to);
    if (!got.failure) {
      REQUIRE(got.rows == all);
      return;
    }
    CAPTURE(to_string(got.failure));
    REQUIRE(hit.rows);
    REQUIRE(got.failure.code == errc::log_corrupt);
    REQUIRE(log.report().blocks_lost > 0);
    REQUIRE(after < next);
    auto before = row_cursor{};
    for (const auto& block : blocks)
      if (block.first < hit.first)
        before = block.rows.back().at;
    REQUIRE(got.rows == wanted(table, after, before));
  }
};

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
        if (hit.file == "store") {
          REQUIRE_FALSE(opened);
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
  auto log = left_log{life};
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
