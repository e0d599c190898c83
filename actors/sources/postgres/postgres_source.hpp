#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/sources/postgres/postgres_options.hpp"
#include "actors/sources/source_connector.hpp"

namespace sluice {

/// Captures a PostgreSQL database (14 or later) by logical replication with
/// pgoutput: first a copy of all tables in one snapshot, then what committed
/// after it, each change once.
///
/// commit_ts is the place of a transaction's commit record in the server's log,
/// start_ts that of its first change, position the number of the change in it.
/// A slot keeps the log on the server as long as our rows are not durable.
///
/// Not captured: tables without a primary key or a replica identity index,
/// unlogged and temporary ones, generated columns, sequences. A table that
/// comes later is copied while the rest streams, and is behind it until then.
class postgres_source final : public source_connector {
public:
  explicit postgres_source(postgres_source_options options);
  ~postgres_source() override;

  /// `postgres shop on db1:5432 as app`, and which tables are left out and why.
  [[nodiscard]] std::string describe() const override;
  /// @error source_unavailable, source_unsupported, source_replaced,
  ///        source_rolled_back, table_without_key, unknown_table
  [[nodiscard]] expected<std::vector<ddl_event>>
  open(const source_position& at, source_journal& journal) override;
  [[nodiscard]] expected<source_batch> read(std::size_t bytes_max) override;
  [[nodiscard]] expected<bool> confirm(timestamp ts) override;
  [[nodiscard]] std::optional<std::uint64_t> retained_bytes() const override;
  /// As an LSN, `0/1A2B3C`.
  [[nodiscard]] std::string place_of(timestamp ts) const override;
  [[nodiscard]] std::vector<std::string> left_out() const override;
  [[nodiscard]] std::chrono::milliseconds
  idle_wait(std::uint32_t empty_reads) const override;

  /// Name of the database; empty before `open`.
  [[nodiscard]] const std::string& database() const noexcept;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

[[nodiscard]] std::unique_ptr<source_connector>
make_postgres_source(postgres_source_options options);

} // namespace sluice
