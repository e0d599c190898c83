#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "actors/sinks/sqlite/compaction.hpp"
#include "actors/sinks/sqlite/decoded_row.hpp"
#include "actors/sinks/sqlite/replica_table.hpp"
#include "actors/sinks/sqlite/sqlite_sink.hpp"
#include "messages/row.hpp"
#include "messages/schema.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// Applies changes of one schema version to one table of the replica, inside
/// a transaction that someone else began. After an error that transaction has
/// to be rolled back.
class table_writer {
public:
  /// @param copy_starts See `fit_replica_table`.
  /// @error As `fit_replica_table`.
  [[nodiscard]] static expected<std::unique_ptr<table_writer>>
  open(sqlite_db& db, schema_ptr schema, const sqlite_sink_options& options,
       bool copy_starts);

  table_writer(const table_writer&) = delete;
  table_writer& operator=(const table_writer&) = delete;

  /// Applies `count` rows of the block's grouped order from `first` on.
  /// @error null_in_key, sink_conflict, sink_unavailable, malformed
  [[nodiscard]] status apply(const row_block& block, std::uint32_t first,
                             std::uint32_t count);
  [[nodiscard]] const table_schema& schema() const noexcept { return *schema_; }
  [[nodiscard]] const table_key& key() const noexcept { return key_; }

private:
  enum class kind : std::uint8_t { upsert, update, move, erase };
  using values = std::vector<value_view>;

  table_writer(sqlite_db& db, schema_ptr schema, replica_table table,
               bool compact);

  [[nodiscard]] status apply_compacted(const row_block& block,
                                       std::uint32_t first,
                                       std::uint32_t count);
  [[nodiscard]] status apply_net(const net_change& x);
  [[nodiscard]] status apply_one(const decoded_row& row);
  [[nodiscard]] status clear();
  [[nodiscard]] status upsert(const values& after);
  [[nodiscard]] status erase(const values& key);
  [[nodiscard]] status update(const values& after, const values& old_key,
                              const values& new_key, bool moves);

  /// The statement for the columns that `after` does not leave unchanged;
  /// valid until the next call.
  [[nodiscard]] expected<sqlite_statement*> statement(kind what,
                                                      const values& after);
  [[nodiscard]] std::string sql(kind what,
                                const std::vector<bool>& present) const;
  [[nodiscard]] std::string where_key() const;
  [[nodiscard]] bool in_key(std::size_t i) const noexcept;
  [[nodiscard]] tl::unexpected<error> failed(error x) const;

  sqlite_db& db_;
  schema_ptr schema_;
  table_key key_;
  replica_table table_;
  bool compact_;
  std::string name_; // quoted
  std::map<std::pair<kind, std::vector<bool>>, sqlite_statement> statements_;
  std::vector<bool> present_;
  decoded_row row_;
  compaction compaction_;
};

} // namespace sluice
