#pragma once

#include <memory>
#include <optional>

#include "actors/sources/postgres/copy_rows.hpp"
#include "actors/sources/postgres/join_queue.hpp"
#include "actors/sources/postgres/slot_reader.hpp"
#include "actors/sources/source_connector.hpp"

namespace sluice::postgres {

/// Lets tables that came later into a stream that goes on. Their rows stand
/// between its transactions, in transactions of their own: first what the copy
/// has, then what a second slot says happened to them since, until that has
/// come as far as the stream. From there on the stream has their changes.
class table_join {
public:
  /// @param base As of row_assembly.
  table_join(prepared_join from, source_journal& journal, std::uint64_t base);
  table_join(const table_join&) = delete;
  table_join& operator=(const table_join&) = delete;

  /// Whether rows may stand where the stream is: the copy is not of a time
  /// that the stream has not come to.
  [[nodiscard]] bool can_stand(const row_assembly& stream) const noexcept;
  /// Adds what is there, about `bytes_max`.
  /// @param stream It has no transaction open, and `can_stand`.
  /// @error Of the copies or the second slot: the join has failed.
  [[nodiscard]] status read(const row_assembly& stream, std::size_t bytes_max,
                            std::chrono::milliseconds wait, source_batch& into);
  /// Its rows end inside a transaction: nothing else may come in between.
  [[nodiscard]] bool open() const noexcept { return open_; }
  /// The stream is to go on with the tables, from where it is.
  [[nodiscard]] bool done() const noexcept { return phase_ == phase::done; }
  /// The last row that it added.
  [[nodiscard]] row_cursor last() const noexcept { return last_; }
  [[nodiscard]] table_names names() const;
  [[nodiscard]] captured_tables take_tables() { return std::move(tables_); }

private:
  enum class phase { waiting, copying, catching_up, done };

  status begin(timestamp at, source_batch& into);
  status copy(timestamp at, std::size_t bytes_max,
              std::chrono::milliseconds wait, source_batch& into);
  status catch_up(timestamp at, lsn place, std::size_t bytes_max,
                  std::chrono::milliseconds wait, source_batch& into);

  prepared_join from_;
  std::uint64_t base_;
  captured_tables tables_;
  phase phase_ = phase::waiting;
  std::optional<copy_rows> copy_;
  std::optional<slot_reader> second_;
  row_block_builder builder_; // of the copy
  std::uint64_t chunk_ = 0;   // start_ts of the copy's last transaction
  timestamp restamped_;       // where the second slot's transactions stand
  row_cursor last_;
  bool open_ = false;
};

} // namespace sluice::postgres
