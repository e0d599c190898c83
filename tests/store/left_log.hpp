#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "store/little_endian.hpp"
#include "store/segment_format.hpp"
#include "tests/store/eventful_life.hpp"
#include "tests/store/stored_rows.hpp"

/// What an eventful life leaves on its disk, and what of it must be found
/// whichever batch or header is damaged.
namespace log_test {

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
  bool power = false;
  bool idle = false; // all is durable

  // With the power, what was not synced is lost, or some of it.
  left_log(eventful_life& x, bool power_lost) : life{x}, power{power_lost} {
    auto& log = *x.log;
    synced = log.synced_to();
    idle = synced == log.last() && !power;
    for (const auto& piece :
         plan_scan(log, {all_tables, {}, log.last(), 1U << 30}).pieces) {
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
    if (power)
      x.disk->crash(x.luck);
    else
      x.disk->kill();
    files = image_of(*x.disk);
  }

  // -- places -----------------------------------------------------------------

  void find_places() {
    places.push_back({"store", 0, 40});
    for (const auto& [name, bytes] : files) {
      auto spool = name.ends_with(".spool");
      if (!spool && !name.ends_with(".seg"))
        continue;
      if (!spool && bytes.size() >= file_header_size)
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
      auto found = place{
        name,
        at,
        std::min(batch_header_size + header->payload_size, bytes.size() - at),
        false,
        header->first,
        header->last,
        header->durable_before};
      if (header->kind != batch_kind::mark) {
        mark_rows(found, place_of.segment);
        found.rows = found.rows || power; // others count than did
      }
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
    auto spool = sluice::load<std::uint64_t>(bytes, x.from + batch_header_size);
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
    auto least = from.appended;
    while (!idle && least > 0 && from.rows[least - 1].block > synced)
      --least;
    REQUIRE(count >= from.complete(least));
    for (std::uint64_t table = 1; table <= life.tables; ++table) {
      auto got = read_stored(log, table, floor_of(table));
      REQUIRE_FALSE(got.failure);
      check_rows(got, table, count);
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

  [[nodiscard]] block_index
  durable_without(const place& hit, const place* other = nullptr) const {
    // What was abandoned at the end of a file says nothing.
    auto ends = std::map<std::string, block_index>{};
    for (const auto& x : places)
      if (x.rows)
        ends[x.file] = std::max(ends[x.file], x.last);
    auto result = block_index{};
    for (const auto& x : places)
      if (&x != &hit && &x != other && ends.contains(x.file)
          && x.last <= ends[x.file])
        result = std::max(result, x.durable_before);
    return std::min(result, synced);
  }

  // Of a log that lost power only what its source sent is known, and what was
  // proven durable.
  void check_torn(segment_log& log, const place& hit) const {
    auto now = log.appended_to();
    auto lost = log.report().blocks_lost > 0;
    if (hit.rows)
      REQUIRE(now >= std::min(end, complete_before(hit.first)));
    auto known = hit.first > block_index{}; // else it is a chunk of nobody
    if (!hit.rows || (known && hit.first <= durable_without(hit)))
      REQUIRE((now == end || lost));
    REQUIRE((hit.rows || !lost));
    for (std::uint64_t table = 1; table <= life.tables; ++table) {
      auto got = read_stored(log, table, floor_of(table));
      REQUIRE((lost || !got.failure));
      check_rows(got, table, life.from.up_to(now));
    }
  }

  // Of two faults at once: no row is wrong, and what something proves durable
  // does not go in silence.
  void check_two(segment_log& log, const place& one, const place& two) const {
    auto now = log.appended_to();
    auto lost = log.report().blocks_lost > 0;
    auto cut = end;
    for (const auto* x : {&one, &two})
      if (x->rows && x->first > durable_without(one, &two))
        cut = std::min(cut, complete_before(x->first));
    REQUIRE((now >= cut || lost));
    for (std::uint64_t table = 1; table <= life.tables; ++table) {
      auto got = read_stored(log, table, floor_of(table));
      REQUIRE((lost || !got.failure));
      check_rows(got, table, life.from.up_to(now));
    }
  }

  // Of the first `count` of the source all that are needed are there, up to a
  // failure.
  void check_rows(const stored_reading& got, std::uint64_t table,
                  std::size_t count) const {
    auto next = std::size_t{0};
    for (std::size_t i = 0; i < count; ++i) {
      const auto& x = life.from.rows[i];
      if (x.x.table != table || replayed_source::of(x) <= floor_of(table))
        continue;
      if (next == got.rows.size() && got.failure)
        return;
      REQUIRE(next < got.rows.size());
      REQUIRE(got.rows[next++].bytes == x.bytes);
    }
    REQUIRE(next == got.rows.size());
  }

  void check(segment_log& log, const place& hit, dice& luck) {
    if (power)
      return check_torn(log, hit);
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
    auto got = read_stored(log, table, after);
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

} // namespace log_test
