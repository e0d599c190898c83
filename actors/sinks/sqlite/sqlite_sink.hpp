#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "actors/sinks/sink_connector.hpp"

namespace sluice {

/// How a SQLite replica is written.
struct sqlite_sink_options {
  /// What a commit waits for. Both survive a killed process.
  enum class durability : std::uint8_t {
    normal, ///< A power cut may lose the last commits, rows and positions
            ///< together: the feed goes on from what the file says.
    full,   ///< fsync at each commit: they survive a power cut too.
  };

  std::string path; ///< A file; it is created if missing.
  /// The sink owns the shape of the replica's tables: creates them, adds
  /// columns, and makes them anew when a table is copied again after its key
  /// changed, columns went away, or one got a type that converts values in
  /// another way (its triggers and indexes are gone then).
  /// False: tables must be there and fit.
  bool create_tables = true;
  /// Of the changes of a row in one write only the last is applied, in the
  /// order of the keys: 1.6 times faster when the same rows change again and
  /// again, about the same otherwise. False: one by one, as they came, so
  /// that triggers of the replica see each. Tables with UNIQUE indexes beside
  /// their key are always written one by one, because values that swap
  /// between rows would collide.
  bool compact = true;
  /// Columns get the type that the source declares; SQLite's affinity then
  /// leaves values of a SQLite source as they are. False: no type, every
  /// value of any source stays what it is (PostgreSQL's numeric as text would
  /// become a number otherwise).
  bool declared_types = true;
  durability synchronous = durability::full;
  /// Pages in the WAL before they are copied into the file. Random keys gain:
  /// 48,000 rows/s with 4,000 pages, 81,000 with 50,000 (200 MiB).
  std::uint32_t wal_autocheckpoint_pages = 50'000;
  std::uint32_t cache_kib = 32'768;
  std::chrono::milliseconds busy_timeout{10'000};
};

/// A replica in a SQLite file. Rows, positions and the fence are in one
/// transaction, so each change takes effect exactly once.
///
/// Beside the tables the file has `sluice_sink_fence`, `sluice_sink_position`
/// and `sluice_sink_watermark`. They are the truth about what the file has: a
/// restored older copy goes on from where it was.
///
/// `open` fails with invalid_option if the options make no sense.
[[nodiscard]] std::unique_ptr<sink_connector>
make_sqlite_sink(sqlite_sink_options options);

} // namespace sluice
