#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/sources/postgres/captured_tables.hpp"
#include "actors/sources/postgres/frame_queue.hpp"
#include "messages/row.hpp"

namespace sluice::postgres {

/// No commit record begins below `place`: rows that are not of the stream stand
/// here. Not higher: a schema of the commit at `place` is valid from right
/// before it.
[[nodiscard]] inline timestamp stand_at(std::uint64_t base, lsn place) {
  return {base + place - std::min<lsn>(place, 2)};
}
/// And so much is resolved then: a schema of rows that stand there is valid
/// from right before them, and that must not be resolved yet.
[[nodiscard]] inline timestamp resolved_at(std::uint64_t base, lsn place) {
  return {base + place - std::min<lsn>(place, 4)};
}

/// Makes rows of what a slot says. No connection and no clock: the same frames
/// give the same rows.
///
/// commit_ts is the place of the commit record, start_ts that of the
/// transaction's first change, position the number of the change in it: changes
/// of one record share a place. All are above `base`, which is not 0 after the
/// server was replaced: then its places begin anew.
class row_assembly {
public:
  /// @param resume Rows <= it are left out.
  row_assembly(captured_tables& tables, row_cursor resume, std::uint64_t base);
  row_assembly(const row_assembly&) = delete;
  row_assembly& operator=(const row_assembly&) = delete;

  /// Takes frames off `frames`, until there are none, or about `bytes_max` of
  /// rows, or `limit` is reached. What is taken need not be kept.
  /// @error malformed, table_without_key
  [[nodiscard]] status take(std::string_view& frames, std::size_t bytes_max,
                            lsn limit = std::numeric_limits<lsn>::max());
  /// Every transaction that commits below `limit` came: nothing else is below
  /// it, or the next one in `frames` is not.
  [[nodiscard]] bool reached(lsn limit, std::string_view frames) const;

  [[nodiscard]] std::size_t size_bytes() const noexcept {
    return rows_.size_bytes();
  }
  /// What came since the last call.
  [[nodiscard]] std::vector<ddl_event> take_schemas();
  [[nodiscard]] block_ptr take_rows();
  /// No row <= it follows.
  [[nodiscard]] timestamp resolved() const noexcept { return resolved_; }
  /// A transaction began and its end did not come.
  [[nodiscard]] bool open() const noexcept { return open_; }
  /// Every transaction that commits below it came; 0: not known yet.
  [[nodiscard]] lsn place() const noexcept { return place_; }

  // -- tables that come later -------------------------------------------------

  /// The transactions that come stand at `commit_ts` instead of where they
  /// committed: the first behind start_ts `after`, and one by one from there.
  void restamp(timestamp commit_ts, std::uint64_t after) {
    restamped_ = {commit_ts, {after}, 0};
  }
  /// Rows that are not of this stream stand at `ts`, and no more will.
  void resolve(timestamp ts) { resolved_ = std::max(resolved_, ts); }

private:
  status on(const begin_message& x, lsn at);
  status on(const commit_message& x, lsn at);
  status on(const relation_message& x, lsn at);
  status on(const type_message& x, lsn at);
  status on(const insert_message& x, lsn at);
  status on(const update_message& x, lsn at);
  status on(const delete_message& x, lsn at);
  status on(const truncate_message& x, lsn at);
  template <class Other>
  status on(const Other&, lsn) {
    return {};
  }

  using values = std::vector<value_view>;

  status take_frame(const frame_queue::frame& x);
  status take_change(const frame_queue::frame& x);
  void pass(lsn place);
  status release();
  void keep();
  /// The table of the change that comes; null if it is left out.
  const captured_tables::relation* next_change(oid of);
  status decode_values(const captured_tables::relation& of, const tuple& x,
                       values& into, std::vector<std::string>& scratch) const;
  static void keep_key(const captured_tables::relation& of, values& x);
  void add(row_op op, const captured_tables::relation& of, const values& before,
           const values& after);

  captured_tables& tables_;
  row_cursor resume_;
  std::uint64_t base_;
  message message_; // keeps its memory
  row_block_builder rows_;
  std::vector<ddl_event> schemas_;
  timestamp resolved_;
  lsn place_ = 0;
  std::optional<row_cursor> restamped_;

  // The transaction that is open.
  bool open_ = false;
  bool has_rows_ = false;
  row_cursor at_;             // of the change that is made a row
  std::uint64_t changes_ = 0; // that came
  // Its last change so far is held back: the end of the transaction has to
  // stand behind it, and may come with a later read.
  std::string_view held_; // into what `take` was given, until it returns
  std::string kept_;      // then into this
  std::uint64_t held_position_ = 0;
  std::uint64_t committed_us_ = 0;

  values before_;
  values after_;
  std::vector<std::string> before_bytes_;
  std::vector<std::string> after_bytes_;
};

} // namespace sluice::postgres
