#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "messages/block_summary.hpp"
#include "messages/disk.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"
#include "messages/table_map.hpp"

namespace sluice {

/// One table's rows in a block. Its number in a segment: the block's place
/// there << 32 | its own in the block.
struct indexed_share {
  table_id table;
  row_cursor last;
  std::uint32_t bytes = 0;                  ///< A block has fewer than 4 GiB.
  std::uint64_t previous = table_map::none; ///< Of that table, in the segment.
};

/// A table has several runs where its schema changed.
[[nodiscard]] std::vector<indexed_share>
shares_of(const std::vector<block_run>& runs);
[[nodiscard]] std::vector<indexed_share>
shares_of(const std::vector<table_share>& tables);

/// A live block of a segment, or what was rewritten of several.
struct held_block {
  block_index first; ///< Below `index` if it is a window, or a gap.
  block_index index;
  block_ptr block; ///< Null: read it at `at`.
  block_location at;
  timestamp resolved;
  row_cursor last;
  bool window = false;
  std::vector<indexed_share> shares = {}; ///< By table; a gap has none.
  std::vector<std::uint32_t> pieces = {}; ///< See `block_summary`.

  /// How many it counts for.
  [[nodiscard]] std::uint64_t blocks() const noexcept {
    return window ? 1 : index.value - first.value + 1;
  }
};

/// The blocks of one segment by index and by table. Each segment is indexed by
/// itself, so that it is let go of as a whole, and an append writes one after
/// another: a list per table would cost it two cache misses for each of its
/// tables. A reader goes back from the newest share of its table.
class segment_index {
public:
  /// @param begun Unix time; 0: not known.
  segment_index(std::uint64_t number, block_index first,
                std::chrono::seconds begun)
    : number_{number}, first_{first}, begun_{begun} {
    // nop
  }

  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] block_index first() const noexcept { return first_; }
  [[nodiscard]] std::chrono::seconds begun() const noexcept { return begun_; }
  /// The one behind its last.
  [[nodiscard]] block_index end() const noexcept {
    return blocks_.empty() ? first_ : blocks_.back().index.next();
  }
  [[nodiscard]] bool empty() const noexcept { return blocks_.empty(); }
  [[nodiscard]] const std::vector<held_block>& blocks() const noexcept {
    return blocks_;
  }
  [[nodiscard]] std::vector<held_block>& blocks() noexcept { return blocks_; }
  /// The one that holds block `index`. @pre There is one.
  [[nodiscard]] const held_block& at(block_index index) const;
  /// Its last block is in a gap.
  [[nodiscard]] bool ends_lost() const noexcept {
    return !blocks_.empty() && blocks_.back().shares.empty();
  }
  /// Bytes of all rows that count.
  [[nodiscard]] std::uint64_t row_bytes() const noexcept { return row_bytes_; }

  // -- tables -----------------------------------------------------------------

  [[nodiscard]] const table_map& tables() const noexcept { return newest_; }
  [[nodiscard]] const held_block& block_of(std::uint64_t share) const {
    return blocks_[share >> 32];
  }
  /// Which of its block's shares that is.
  [[nodiscard]] static std::uint32_t place(std::uint64_t share) {
    return static_cast<std::uint32_t>(share);
  }
  [[nodiscard]] const indexed_share& share(std::uint64_t number) const {
    return block_of(number).shares[place(number)];
  }
  /// Brings it into the cache, for a look at it that follows soon.
  [[gnu::always_inline]] void prefetch(std::uint64_t number) const {
    const auto* x = &share(number);
    __builtin_prefetch(x);
    __builtin_prefetch(&x->previous); // a share may begin in another line
  }

  // -- changes ----------------------------------------------------------------

  /// Behind the last one. What its shares come after is found here.
  void add(held_block block);
  /// So many bytes of its rows stay, however often it is rewritten.
  void discount(std::uint64_t bytes) { row_bytes_ -= bytes; }
  /// Only blocks up to `last` stay, and what a gap has up to it.
  void cut(block_index last);
  /// Room for as many tables as another one has.
  void expect_tables_of(const segment_index& x) {
    newest_.reserve(x.newest_.size());
  }

private:
  void link(std::uint64_t block);

  std::uint64_t number_ = 0;
  block_index first_;
  std::chrono::seconds begun_;
  std::vector<held_block> blocks_;
  table_map newest_; // the last share of each table
  std::uint64_t row_bytes_ = 0;
};

} // namespace sluice
