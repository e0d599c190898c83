#include <algorithm>
#include <limits>
#include <utility>

#include "store/log_index.hpp"

/// The part of the index that says which blocks to read for a scan.
namespace sluice {

namespace {

// A table with few rows in each block must not load the whole log at once.
constexpr std::uint64_t cold_bytes_max = 1 << 20;
// What it costs to read few rows of a window: two calls.
constexpr std::uint64_t window_bytes_min = 16 << 10;
constexpr auto none = std::numeric_limits<std::uint32_t>::max();

struct found_share {
  std::uint64_t number = 0;
  std::uint32_t newer = none; // that was found before
};

/// The way back over the shares of a table in a segment.
struct trail {
  std::deque<segment_index>::const_iterator segment;
  table_id table;
  row_cursor after;
  std::uint64_t next = table_map::none;
  std::uint32_t oldest = none; // of those found

  // Asks for what `step` looks at.
  bool go_to(std::uint64_t share) {
    next = share;
    if (share == table_map::none)
      return false;
    segment->prefetch(share);
    return true;
  }
  bool step(std::vector<found_share>& found) {
    const auto& share = segment->share(next);
    if (share.last <= after)
      return false;
    found.push_back({next, oldest});
    oldest = static_cast<std::uint32_t>(found.size() - 1);
    return go_to(share.previous);
  }
};

/// The places of blocks in an answer; of a window, for each table its own.
class block_places {
public:
  /// @param next It has this one if it has none yet.
  std::uint32_t find(block_index block, table_id table, std::uint32_t next) {
    if (next >= slots_.size() / 2)
      grow();
    auto& x = slot_of(block, table);
    if (x.place == none)
      x = {block, table, next};
    return x.place;
  }

private:
  struct slot {
    block_index block;
    table_id table;
    std::uint32_t place = none; // that: a free one
  };

  slot& slot_of(block_index block, table_id table) {
    auto i = block.value + table.value * 0x9E3779B97F4A7C15ULL;
    for (;; ++i) {
      auto& x = slots_[i & (slots_.size() - 1)];
      if (x.place == none || (x.block == block && x.table == table))
        return x;
    }
  }
  void grow() {
    auto old = std::exchange(slots_, std::vector<slot>(slots_.size() * 2));
    for (const auto& x : old)
      if (x.place != none)
        slot_of(x.block, x.table) = x;
  }

  std::vector<slot> slots_ = std::vector<slot>(64); // a power of two
};

/// How much a plan still has room for.
struct budget {
  block_index to;
  std::uint64_t bytes = 0;
  std::uint64_t cold = 0; // of whole blocks to read, whoever's rows are in them
};

} // namespace

class log_index::planner {
public:
  explicit planner(const log_index& log) : log_{log} {
    // nop
  }

  planned_scans run(std::span<const scan_wish> wishes) {
    auto trails = std::vector<trail>{};
    trails.reserve(wishes.size());
    for (const auto& x : wishes)
      trails.push_back({log_.segment_after(x.after), x.table, x.after});
    follow(trails);
    result_.pieces.reserve(found_.size());
    result_.scans.reserve(wishes.size());
    for (std::size_t i = 0; i < wishes.size(); ++i)
      plan(wishes[i], trails[i]);
    return std::move(result_);
  }

private:
  // Finds all shares behind the cursors. Trails take one step after the other
  // in turn, so that their cache misses overlap.
  void follow(std::span<trail> trails) {
    auto going = std::vector<trail*>{};
    going.reserve(trails.size());
    for (auto& x : trails)
      if (x.segment != log_.segments_.end() && x.table != all_tables) {
        x.segment->tables().prefetch(x.table);
        going.push_back(&x);
      }
    std::erase_if(going, [](trail* x) {
      return !x->go_to(x->segment->tables().find(x->table));
    });
    while (!going.empty())
      std::erase_if(going, [&](trail* x) { return !x->step(found_); });
  }

  void plan(const scan_wish& wish, const trail& begin) {
    const auto* gap = log_.gaps_.behind(wish.after);
    auto cut = gap != nullptr && gap->first <= wish.to;
    auto to = cut ? gap->first.previous() : wish.to;
    auto first = result_.pieces.size();
    result_.scans.push_back({first, 0, std::min(to, log_.last())});
    if (wish.table == all_tables)
      plan_whole(wish, to, begin.segment);
    else
      plan_table(wish, to, begin);
    if (cut && scan().count == 0)
      scan().failure = {errc::log_corrupt, gap->why};
  }

  void plan_table(const scan_wish& wish, block_index to, trail at) {
    auto left = budget{to, wish.bytes_max,
                       std::max(wish.bytes_max, cold_bytes_max)};
    while (at.segment != log_.segments_.end()) {
      for (auto i = at.oldest; i != none; i = found_[i].newer)
        if (!add_share(left, *at.segment, found_[i].number))
          return;
      at = {std::next(at.segment), wish.table, wish.after};
      follow({&at, 1});
    }
  }

  // False when it has no room.
  bool add_share(budget& left, const segment_index& segment,
                 std::uint64_t number) {
    const auto& share = segment.share(number);
    const auto& held = segment.block_of(number);
    if (held.first > left.to)
      return false;
    auto cold = std::uint64_t{0};
    if (held.block == nullptr)
      cold = held.window
               ? std::max<std::uint64_t>(share.bytes, window_bytes_min)
               : held.at.size;
    if (scan().count > 0 && (share.bytes > left.bytes || cold > left.cold)) {
      scan().complete_to = held.first.previous();
      return false;
    }
    left.bytes -= std::min<std::uint64_t>(left.bytes, share.bytes);
    left.cold -= std::min(left.cold, cold);
    auto at = held.at;
    auto place = segment_index::place(number);
    if (held.window) {
      at.table = share.table;
      at.piece = held.pieces[place];
      at.pieces = held.pieces[place + 1] - at.piece;
    }
    add_piece(held, at, place);
    return true;
  }

  // Released segments leave gaps between the indices.
  void plan_whole(const scan_wish& wish, block_index to,
                  segment_list::const_iterator segment) {
    auto behind = [&](const held_block& x) { return x.last <= wish.after; };
    auto bytes = std::uint64_t{0};
    for (; segment != log_.segments_.end(); ++segment) {
      const auto& blocks = segment->blocks();
      auto block = std::partition_point(blocks.begin(), blocks.end(), behind);
      for (; block != blocks.end(); ++block) {
        if (block->first > to)
          return;
        if (block->block == nullptr && block->at.segment == 0) {
          scan().complete_to = std::max(scan().complete_to, block->index);
          continue; // lost, but nobody was promised its rows
        }
        if (scan().count > 0 && bytes + block->at.size > wish.bytes_max) {
          scan().complete_to = block->first.previous();
          return;
        }
        bytes += block->at.size;
        auto& whole = add_piece(*block, block->at, 0);
        if (block->block == nullptr && whole.tables.empty())
          for (const auto& share : block->shares)
            whole.tables.push_back(share.table);
      }
    }
  }

  scan_block& add_piece(const held_block& held, const block_location& at,
                        std::uint32_t run) {
    scan().complete_to = std::max(scan().complete_to, held.index);
    ++scan().count;
    auto next = static_cast<std::uint32_t>(result_.blocks.size());
    auto place = places_.find(held.first, at.table, next);
    if (place == next)
      result_.blocks.push_back({held.first, held.block, at, {}, held.last});
    result_.pieces.push_back({place, run});
    return result_.blocks[place];
  }

  // The one that is planned.
  [[nodiscard]] planned_scan& scan() { return result_.scans.back(); }

  const log_index& log_;
  std::vector<found_share> found_;
  block_places places_;
  planned_scans result_;
};

planned_scans log_index::plan_scans(std::span<const scan_wish> wishes) const {
  return planner{*this}.run(wishes);
}

// The first one with rows behind a cursor.
log_index::segment_list::const_iterator
log_index::segment_after(row_cursor after) const {
  return std::partition_point(
    segments_.begin(), segments_.end(), [&](const segment_index& x) {
      return !x.empty() && x.blocks().back().last <= after;
    });
}

} // namespace sluice
