#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "actors/sources/postgres/pg_connection.hpp"
#include "actors/sources/postgres/replication_stream.hpp"
#include "actors/sources/postgres/start_plan.hpp"

/// Questions and commands about one slot.
namespace sluice::postgres {

/// @param to A replication connection.
[[nodiscard]] expected<server_state> ask_server(connection& to,
                                                const std::string& slot,
                                                const std::string& publication);

struct exported_snapshot {
  lsn consistent = 0; ///< Transactions that commit before are in it.
  std::string name;   ///< Until the next command on the connection.
};

/// Makes a slot; a temporary one ends with the connection.
/// @param patience The server waits for all transactions that are open.
/// @error source_unavailable, with the oldest of those; source_unsupported:
///        somebody made one of that name since `ask_server`.
[[nodiscard]] expected<exported_snapshot>
export_snapshot(connection& to, const std::string& slot, bool temporary,
                std::chrono::milliseconds patience);

/// A name that no other slot has, in this process and others.
[[nodiscard]] std::string temporary_slot_name();

/// Of `export_snapshot`, on the same connection: it would keep the server's log
/// as long as that lives. The snapshot ends, too.
[[nodiscard]] status drop_temporary_slot(connection& to,
                                         const std::string& slot);

/// Waits until nobody reads it.
/// @error source_unavailable: somebody does.
[[nodiscard]] status drop_slot(connection& plain, const std::string& slot,
                               std::chrono::milliseconds patience);

/// Begins to read it, and waits until nobody else does.
[[nodiscard]] expected<std::unique_ptr<replication_stream>>
start_stream(connection to, const replication_stream::request& what,
             std::size_t queue_bytes, std::chrono::milliseconds patience);

} // namespace sluice::postgres
