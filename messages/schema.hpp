#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "messages/errc.hpp"
#include "messages/feed.hpp"
#include "messages/ids.hpp"

namespace sluice {

/// One column as the source declares it.
struct column {
  std::string name;
  std::string type;           ///< The source's own name of the type.
  std::uint16_t key_part = 0; ///< 1, 2, ... in the primary key; 0: not in it.

  friend bool operator==(const column&, const column&) = default;
  auto fields() { return std::tie(name, type, key_part); }
};

/// One version of a table's columns. Valid for the rows that name `version`.
struct table_schema {
  table_id table;
  std::string name;       ///< Qualified as the source does it.
  schema_version version; ///< Rises with every change.
  timestamp valid_from;   ///< Rows with commit_ts > this may have it.
  std::vector<column> columns;

  friend bool operator==(const table_schema&, const table_schema&) = default;
  auto fields() { return std::tie(table, name, version, valid_from, columns); }
};

/// Schemas are immutable and shared by everything that decodes.
using schema_ptr = std::shared_ptr<const table_schema>;

/// What SCHEMA_STORE records: a table's columns as of a ts, or its end.
struct ddl_event {
  table_schema schema; ///< The table after it; as before when dropped.
  timestamp ts;        ///< Rows <= ts have the schema before.
  bool dropped = false;

  friend bool operator==(const ddl_event&, const ddl_event&) = default;
  auto fields() { return std::tie(schema, ts, dropped); }
};

// -- messages to and from SCHEMA_STORE ----------------------------------------

/// A table's columns from `event.ts` on.
struct schema_declaration {
  ddl_event event;
  partition_id partition; ///< Where the table's rows go.

  friend bool operator==(const schema_declaration&,
                         const schema_declaration&) = default;
  auto fields() { return std::tie(event, partition); }
};

/// SOURCE -> SCHEMA_STORE: DDL in its order, all of it or nothing. Rows of a
/// new version are appended only after the acknowledgement.
struct declare_schemas {
  std::uint64_t number = 0; ///< Of the message; the source never repeats it.
  bool follows = false;     ///< Refused if the message before it was.
  std::vector<schema_declaration> schemas;

  friend bool operator==(const declare_schemas&,
                         const declare_schemas&) = default;
  auto fields() { return std::tie(number, follows, schemas); }
};

/// All DDL of the message is durable, and everybody who must know does.
struct schemas_declared {
  std::uint64_t number = 0; ///< Of declare_schemas.
  error failure;            ///< None: declared. Else nothing of it is.

  friend bool operator==(const schemas_declared&,
                         const schemas_declared&) = default;
  auto fields() { return std::tie(number, failure); }
};

/// SOURCE -> SCHEMA_STORE -> DISPATCHER_SHARD: no DDL with ts <= resolved
/// will follow.
struct schema_resolved {
  timestamp resolved;

  friend bool operator==(const schema_resolved&,
                         const schema_resolved&) = default;
  auto fields() { return std::tie(resolved); }
};

/// DISPATCHER_SHARD, COLLECTOR -> SCHEMA_STORE: tell me of every DDL and of
/// the resolved ts, from now on.
struct watch_schemas {
  friend bool operator==(const watch_schemas&, const watch_schemas&) = default;
  auto fields() { return std::tie(); }
};

/// SCHEMA_STORE -> DISPATCHER_SHARD, before the DDL's resolved and rows.
struct ddl_notice {
  ddl_event event;

  friend bool operator==(const ddl_notice&, const ddl_notice&) = default;
  auto fields() { return std::tie(event); }
};

/// DISPATCHER_SHARD -> SCHEMA_STORE: the schema valid at `at`, and the DDL
/// after it. Answered as soon as the schema's resolved reaches `at`.
struct schema_query {
  registration_id registration;
  epoch stream_epoch;
  table_id table; ///< Or `all_tables`.
  timestamp at;
  feed_rules span{{}, {}}; ///< Of `all_tables`.

  friend bool operator==(const schema_query&, const schema_query&) = default;
  auto fields() {
    return std::tie(registration, stream_epoch, table, at, span);
  }
};

/// SCHEMA_STORE -> DISPATCHER_SHARD. `failure` is none, unknown_table or
/// table_deleted; of `all_tables` always none: those are left out.
struct schema_answer {
  schema_query query;
  std::vector<table_schema> schemas; ///< One per table.
  std::vector<ddl_event> later;      ///< With ts > query.at, ascending.
  errc failure = errc::none;

  friend bool operator==(const schema_answer&, const schema_answer&) = default;
  auto fields() { return std::tie(query, schemas, later, failure); }
};

} // namespace sluice
