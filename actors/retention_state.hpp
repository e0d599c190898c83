#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "messages/control.hpp"
#include "messages/feed.hpp"
#include "messages/scan.hpp"

namespace sluice {

struct retention_options {
  partition_id partition{1};
  std::size_t partitions = 1; ///< Of the service.
  std::size_t place = 0;      ///< This partition among them, from 0.
};

/// Knows which rows of a partition stay: those that feeds and open scans need,
/// and what is retained beyond them. A plain state machine, part of
/// EVENT_STORE.
///
/// Floor f of a table: rows with commit_ts <= f may go, those > f stay.
class retention_state {
public:
  explicit retention_state(retention_options options = {});

  /// Adds to what is known; a feed goes only by `on_feed_removed`.
  void on_feeds_loaded(const feeds_loaded& message);
  void on_feed_removed(feed_id feed);
  /// A table came into being, or has another name.
  void on_table(const table_info& table);
  /// Takes over the feed's floors. Only that of a table that is named may go
  /// back.
  void on_floor_report(const floor_report& report);

  /// An open scan holds the rows after its cursor, of a table or of all.
  void pin(table_id table, row_cursor after);
  void unpin(table_id table, row_cursor after);

  /// Rows above it stay, whoever needs them. Before it is told, those of a
  /// table that no feed matches stay, too.
  void on_retained(timestamp floor) noexcept { retained_ = floor; }

  /// 0 before the feeds are loaded, while there are none, and for a table that
  /// is not known. Of `all_tables`: the lowest of this partition.
  [[nodiscard]] timestamp floor_of(table_id table) const;
  /// The same without what `on_retained` keeps.
  [[nodiscard]] timestamp needed_floor_of(table_id table) const;
  /// As far as this feed is concerned.
  [[nodiscard]] timestamp floor_of(feed_id feed, table_id table) const;
  /// How far the source may be confirmed, and the feed that says so; 0: none.
  struct limit {
    timestamp ts;
    feed_id held_by;

    friend bool operator==(const limit&, const limit&) = default;
  };
  /// The lowest floor, of any table of this partition, of the feeds with
  /// `confirm` = sinks. Without such a feed there is no limit; before the
  /// feeds are loaded, nothing may be confirmed.
  [[nodiscard]] limit confirm_limit();
  /// Rows of the table <= it may be gone.
  [[nodiscard]] timestamp lost(table_id table) const;
  /// The same of what a scan wants to read.
  [[nodiscard]] timestamp lost(const scan_entry& wanted) const;
  [[nodiscard]] bool in_range(const scan_entry& wanted) const;

  /// Rows of these tables are about to go; of `all_tables`: of whichever.
  /// @returns What to note durably before.
  [[nodiscard]] std::vector<table_floor>
  unnoted(const std::vector<table_id>& tables) const;
  void on_noted(const std::vector<table_floor>& noted);
  /// Rows of the table <= it may be let go of: nobody needs them, and it is
  /// noted that they may be gone.
  [[nodiscard]] timestamp release_floor(table_id table) const;

  /// Whether a release may find more than the last one.
  [[nodiscard]] bool may_release() const noexcept {
    return loaded_ && floors_moved_;
  }
  /// A release begins: what moves from now on is for the next one.
  void on_release_begun() noexcept { floors_moved_ = false; }
  /// More rows came, which the present floors may cover already; or a release
  /// has to be tried again.
  void on_more_to_release() noexcept { floors_moved_ = true; }
  [[nodiscard]] bool floors_unstored() const noexcept { return unstored_; }
  /// What to store durably since the last call, per feed.
  [[nodiscard]] std::vector<feed_floor> take_unstored();

private:
  struct floors {
    timestamp bulk;
    std::unordered_map<table_id, timestamp> exceptions;

    [[nodiscard]] timestamp of(table_id table) const;
    /// @returns Whether anything moved.
    bool raise(const floors& next);
  };
  struct feed_entry {
    feed_record record;
    floors now;
    std::unordered_map<table_id, timestamp> stored; // several partitions only
    bool unstored = false;
    std::size_t own_tables = 0; // that match it, of this partition
  };
  struct table_entry {
    std::string name;
    std::vector<feed_id> feeds; // that match it
  };

  void match(table_id table);
  [[nodiscard]] bool is_own(table_id table) const;
  [[nodiscard]] std::vector<table_id> own_tables() const;
  [[nodiscard]] timestamp lowest_floor(const feed_entry& feed) const;
  [[nodiscard]] feed_floor whole_floor(const feed_entry& feed) const;
  [[nodiscard]] feed_floor changed_floor(feed_entry& feed) const;

  retention_options options_;
  std::map<feed_id, feed_entry> feeds_;
  std::unordered_map<table_id, table_entry> tables_;
  std::unordered_map<table_id, timestamp> lost_;
  std::unordered_map<table_id, std::multiset<timestamp>> pins_;
  std::optional<timestamp> retained_;
  bool loaded_ = false;
  bool floors_moved_ = false;
  bool unstored_ = false;
  std::optional<limit> confirm_limit_; // none: something moved since
};

} // namespace sluice
