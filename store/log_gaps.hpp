#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "messages/ids.hpp"

namespace sluice {

/// Consecutive blocks that are lost. Which tables had rows there is not known.
struct log_gap {
  block_index first;
  block_index last;
  row_cursor after;     ///< Every row that is lost and counts is > it ...
  row_cursor to;        ///< ... and <= it.
  row_cursor limit;     ///< What follows says: no lost row is above.
  bool bounded = false; ///< `to` stays, whatever follows.
  std::string why;      ///< "<file>: byte <n>: ..."

  /// Whether rows that somebody was promised may be among the lost ones.
  [[nodiscard]] bool counts() const noexcept { return to > after; }
};

/// The gaps of one log, ascending. Between two of them are blocks or nothing.
class log_gaps {
public:
  /// @param after Of the last row before it.
  void add(block_index first, block_index last, row_cursor after,
           std::string why) {
    gaps_.push_back(
      {first, last, after, nowhere, nowhere, false, std::move(why)});
  }
  /// A block with `first` as its first row follows: nothing >= it is lost.
  void on_row(row_cursor first);
  /// The log said behind the last block that every transaction up to
  /// `last_closed` is complete, the last of them ending at `complete_to`.
  void on_state(block_index last_closed, row_cursor complete_to);
  /// The transactions up to `complete_to` are complete.
  void on_end(row_cursor complete_to);
  /// Blocks behind `to` are gone; their indices are given out again.
  void cut(block_index to);
  /// Forgets those in [first, last].
  void forget(block_index first, block_index last);

  /// The first one that a reader at `after` has yet to cross.
  [[nodiscard]] const log_gap* behind(row_cursor after) const noexcept;
  /// Of what is lost in blocks [first, last]; 0: nothing is.
  [[nodiscard]] timestamp highest(block_index first, block_index last) const;
  /// Whether anything is lost of blocks [first, last].
  [[nodiscard]] bool within(block_index first, block_index last) const noexcept;
  /// The last one that can hold an end mark at `complete_to`.
  [[nodiscard]] const log_gap* with_end(row_cursor complete_to) const noexcept;
  /// How many are lost.
  [[nodiscard]] std::uint64_t blocks() const noexcept;
  [[nodiscard]] const std::deque<log_gap>& all() const noexcept {
    return gaps_;
  }

private:
  static constexpr auto nowhere = row_cursor::end_of(timestamp::max());

  std::deque<log_gap> gaps_;
};

} // namespace sluice
