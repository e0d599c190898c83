#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"
#include "messages/schema.hpp"

namespace sluice {

/// Durable numbers and notes that a connector needs; checkpoint_store behind
/// it in a service, a map in tests. Calls may block.
class source_journal {
public:
  virtual ~source_journal() = default;
  /// The ids of these tables, in this order. All new ones with one sync.
  [[nodiscard]] virtual expected<std::vector<table_id>>
  tables_of(const std::vector<std::string>& names) = 0;
  [[nodiscard]] virtual expected<generation> next_generation() = 0;
  [[nodiscard]] virtual expected<std::optional<std::string>>
  note(std::string_view key) = 0;
  struct named_note {
    std::string key;
    std::string value;
  };
  /// All of them or none, with one sync.
  [[nodiscard]] virtual status
  set_notes(const std::vector<named_note>& notes) = 0;
  [[nodiscard]] status set_note(std::string_view key, std::string_view value) {
    return set_notes({{std::string{key}, std::string{value}}});
  }
};

/// Where a source begins.
struct source_position {
  row_cursor resume; ///< Zero: from the beginning.
  /// The highest place that any partition has or was promised: with several
  /// it may be above `resume`. Rows <= it of another history, such as a copy
  /// from a server that was replaced, would be taken for repeated ones.
  timestamp highest;
};

/// How far the copy of a table is, and the copy of all.
struct copy_progress {
  std::string table;
  std::uint64_t rows_done = 0;
  std::uint64_t rows_total = 0; ///< An estimate.
  std::uint64_t all_done = 0;   ///< Of all tables of the copy; 0: not known.
  std::uint64_t all_total = 0;  ///< An estimate.
};

/// What one read gave. Order of use: schemas, then rows, then resolved.
struct source_batch {
  /// New tables and new versions that the rows of this batch need.
  std::vector<ddl_event> schemas;
  /// In strictly ascending cursor order, also across batches and tables.
  /// Null or empty when there is nothing new. A transaction may go on in the
  /// next batch: then no end mark stands behind its last row here.
  block_ptr rows;
  /// No row <= it follows. Not above an open transaction's commit_ts - 1.
  timestamp resolved;
  std::optional<copy_progress> copying;
  /// More is there: read again at once.
  bool more = false;
};

/// A client of one upstream. Blocking; lives in SOURCE's own thread. All calls
/// come from one thread.
class source_connector {
public:
  virtual ~source_connector() = default;
  /// For messages: what and where, e.g. `sqlite app.db`.
  [[nodiscard]] virtual std::string describe() const = 0;
  /// Connects and positions itself after `from.resume`. Called again after an
  /// error, or after the log lost its tail: then it may be lower than before.
  /// @returns The schemas of all captured tables.
  /// @error source_*, table_without_key: final, the source stops;
  ///        source_unavailable: tried again.
  [[nodiscard]] virtual expected<std::vector<ddl_event>>
  open(const source_position& from, source_journal& journal) = 0;
  /// The next rows, about `bytes_max` of them. Where rows that come can end a
  /// wait it may wait for them, some 10 ms at most: a stop waits as long.
  [[nodiscard]] virtual expected<source_batch> read(std::size_t bytes_max) = 0;
  /// Everything <= `ts` is durable in all partitions: may be forgotten
  /// upstream. May be called rarely; does a bounded amount of work.
  /// @returns Whether there is more of that work: call again soon.
  [[nodiscard]] virtual expected<bool> confirm(timestamp ts) = 0;
  /// How much the upstream keeps because it is not confirmed, as far as that is
  /// known without a question to it. None: it does not say.
  [[nodiscard]] virtual std::optional<std::uint64_t> retained_bytes() const {
    return std::nullopt;
  }
  /// A timestamp as people know it who look after the upstream.
  [[nodiscard]] virtual std::string place_of(timestamp ts) const {
    return std::to_string(ts.value);
  }
  /// One line per table that matches and is not captured: which and why.
  [[nodiscard]] virtual std::vector<std::string> left_out() const { return {}; }
  /// How long to wait after a read that gave nothing, given how many such
  /// reads there were in a row. Wakes by itself then.
  [[nodiscard]] virtual std::chrono::milliseconds
  idle_wait(std::uint32_t empty_reads) const = 0;
};

} // namespace sluice
