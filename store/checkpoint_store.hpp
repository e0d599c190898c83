#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/errc.hpp"
#include "messages/feed.hpp"
#include "messages/ids.hpp"

namespace sluice {

/// A table as it is stored: its id is never used again.
struct table_record {
  table_id id;
  std::string source;
  std::string name;
};

/// Everything small that must survive a restart: feeds, ids, generations,
/// incarnations, floors, positions of targets that cannot store their own.
///
/// One SQLite file (WAL, synchronous=FULL). Each thread opens its own; calls
/// may block. Every change is durable when the call returns.
class checkpoint_store {
public:
  /// @param directory Is created if missing; the file is `meta.db`.
  /// @error log_io, log_format_newer
  [[nodiscard]] static expected<checkpoint_store>
  open(const std::string& directory);

  checkpoint_store(checkpoint_store&&) noexcept;
  checkpoint_store& operator=(checkpoint_store&&) noexcept;
  ~checkpoint_store();

  // -- feeds ------------------------------------------------------------------

  /// The same rules again return the feed that is there, with another
  /// `confirm` changed in that.
  /// @error duplicate_name when a feed of that name has other rules
  [[nodiscard]] expected<feed_record> create_feed(std::string_view name,
                                                  const feed_rules& rules);
  /// Its floors and positions go too. @error unknown_feed
  [[nodiscard]] status remove_feed(std::string_view name);
  [[nodiscard]] expected<std::vector<feed_record>> feeds();

  // -- numbers that are never used again --------------------------------------

  /// The ids of these tables, in this order. All new ones with one sync.
  [[nodiscard]] expected<std::vector<table_id>>
  tables_of(std::string_view source, const std::vector<std::string>& names);
  [[nodiscard]] expected<std::vector<table_record>> tables();
  /// 1, 2, 3, ... per source; never given out twice.
  [[nodiscard]] expected<generation> next_generation(std::string_view source);
  /// 1, 2, 3, ... per name ("node", "store", "sink:feed", ...).
  [[nodiscard]] expected<incarnation> next_incarnation(std::string_view name);

  // -- a source's own notes ---------------------------------------------------

  [[nodiscard]] expected<std::optional<std::string>>
  note(std::string_view source, std::string_view key);
  [[nodiscard]] status set_note(std::string_view source, std::string_view key,
                                std::string_view value);
  struct key_value {
    std::string key;
    std::string value;
  };
  /// All of them or none, with one sync.
  [[nodiscard]] status set_notes(std::string_view source,
                                 const std::vector<key_value>& notes);

  // -- floors and positions ---------------------------------------------------

  /// Takes over a feed's floors. Only that of a table among the exceptions may
  /// go back: its sink was restored from an older copy.
  [[nodiscard]] status store_floor(const feed_floor& floor);
  [[nodiscard]] expected<std::vector<feed_floor>> floors();

  /// Fenced: fails unless `writer` is the newest incarnation given out for
  /// that feed's sink by `next_incarnation("sink:<feed name>")`.
  /// @param low_watermark True for every table without a higher position.
  /// @error sink_fenced
  [[nodiscard]] status
  store_positions(const feed_record& feed, incarnation writer,
                  const std::vector<table_position>& positions,
                  timestamp low_watermark);
  struct stored_positions {
    /// Without those at or below the low watermark, which says as much.
    std::vector<table_position> positions;
    timestamp low_watermark;
  };
  [[nodiscard]] expected<stored_positions> positions(feed_id feed);

private:
  struct impl;
  explicit checkpoint_store(std::unique_ptr<impl> x);
  std::unique_ptr<impl> impl_;
};

} // namespace sluice
