#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"
#include "messages/schema.hpp"
#include "store/checkpoint_store.hpp"

namespace sluice {

/// What a target knows of its own past.
struct sink_position {
  incarnation writer; ///< This incarnation of the sink; the fence.
  std::vector<table_position> positions;
  timestamp low_watermark; ///< True for every table without a higher one.
};

/// Rows of one table and one schema version, in cursor order.
struct sink_rows {
  schema_ptr schema;
  block_ptr block;
  std::uint32_t first = 0; ///< In the block's grouped order.
  std::uint32_t count = 0;
};

/// A client of one target. Blocking; lives in SINK's own thread. All calls
/// come from one thread.
class sink_connector {
public:
  virtual ~sink_connector() = default;
  /// For messages: what and where, e.g. `sqlite replica.db`.
  [[nodiscard]] virtual std::string describe() const = 0;
  /// Whether rows of several tables are to come in commit order, in smaller
  /// pieces, instead of grouped by table. Of use only to a feed whose order
  /// is `transaction`.
  [[nodiscard]] virtual bool wants_commit_order() const { return false; }
  /// Called once before `open` by a service that has a directory: positions
  /// that were stored for another directory say nothing about its rows.
  /// @param id Of the directory, for ever.
  virtual void set_directory(const std::string& id) { (void) id; }
  /// Connects, becomes the newest incarnation (fence first), then reads the
  /// positions. Called again after every error.
  /// @error sink_unavailable: tried again; others are final.
  [[nodiscard]] virtual expected<sink_position>
  open(const feed_record& feed) = 0;
  /// Takes rows into the open target transaction; starts one if needed. Rows
  /// at or below the stored cursor of their table are dropped.
  /// @error null_in_key, sink_conflict: final; sink_unavailable: the
  ///        transaction is rolled back, open() follows.
  [[nodiscard]] virtual status write(const sink_rows& rows) = 0;
  /// Makes everything written durable together with the positions, fenced.
  /// @param positions Of the tables written since the last commit, and of
  ///        others whose checkpoint moved.
  /// @error sink_fenced: final, nothing was committed.
  [[nodiscard]] virtual status
  commit(const std::vector<table_position>& positions,
         std::optional<timestamp> low_watermark) = 0;
};

} // namespace sluice
