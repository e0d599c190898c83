#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "actors/sources/postgres/pg_connection.hpp"
#include "actors/sources/postgres/pg_setup.hpp"
#include "actors/sources/postgres/piece_queue.hpp"

namespace sluice::postgres {

/// Reads whole tables in one exported snapshot, over several connections at
/// once. Threads fill a bounded queue.
class table_copies {
public:
  struct request {
    std::string conninfo;
    std::string snapshot; ///< Its name; it has to live until `start` is back.
    std::vector<captured_table> tables;
    std::size_t connections = 1;
    std::size_t queue_bytes = 16U << 20U;
    std::chrono::milliseconds patience{10'000};
  };
  /// Of these tables, as a source is to copy them.
  [[nodiscard]] static request of(const postgres_source_options& options,
                                  std::vector<captured_table> tables,
                                  std::string snapshot);
  /// @error source_unavailable, source_unsupported
  [[nodiscard]] static expected<std::unique_ptr<table_copies>>
  start(request what);
  ~table_copies();
  table_copies(const table_copies&) = delete;
  table_copies& operator=(const table_copies&) = delete;

  /// None if nothing came within `wait`; look at `done` before.
  [[nodiscard]] expected<std::optional<copied_piece>>
  take(std::chrono::milliseconds wait);
  /// All tables were taken to their end.
  [[nodiscard]] bool done() const noexcept {
    return ended_ == what_.tables.size();
  }
  [[nodiscard]] const std::vector<captured_table>& tables() const noexcept {
    return what_.tables;
  }

private:
  explicit table_copies(request what)
    : what_{std::move(what)}, queue_{what_.tables.size(), what_.queue_bytes} {
    // nop
  }
  status import_snapshot(connection& to) const;
  void copy_some(connection& from);
  status copy_one(connection& from, std::size_t table);

  request what_;
  std::vector<std::unique_ptr<connection>> connections_;
  piece_queue queue_;
  std::size_t ended_ = 0; // tables that were taken to their end

  std::vector<std::thread> threads_; // last: they use all the others
};

/// Cuts the next line of `lines` into fields and undoes COPY's escapes.
/// @param fields None: NULL. Keeps its strings' memory.
void next_line(std::string_view& lines,
               std::vector<std::optional<std::string>>& fields);

} // namespace sluice::postgres
