#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "messages/errc.hpp"

/// PostgreSQL's logical decoding plugin pgoutput, protocol version 1: what
/// stands in an XLogData frame. After "Logical Replication Message Formats" of
/// the PostgreSQL 15 manual, section 55.9.
namespace sluice::postgres {

/// A place in the write-ahead log, in bytes since the cluster was made.
using lsn = std::uint64_t;
/// Of a type or a relation, as pg_type.oid and pg_class.oid.
using oid = std::uint32_t;

enum class value_kind : std::uint8_t {
  null,
  unchanged, ///< Stored out of line and not changed: the server left it out.
  text,      ///< As the type's output function writes it.
  binary,    ///< As the type's send function writes it.
};

/// One column of a tuple; `bytes` point into the decoded message.
struct tuple_value {
  value_kind kind = value_kind::null;
  std::string_view bytes;

  friend bool operator==(const tuple_value&, const tuple_value&) = default;
};
using tuple = std::vector<tuple_value>;

struct begin_message {
  lsn final_lsn = 0; ///< Where its commit record begins: the commit_ts.
  std::int64_t commit_us = 0; ///< Microseconds since the Unix epoch.
  std::uint32_t xid = 0;
};

struct commit_message {
  lsn commit_lsn = 0; ///< That of its begin.
  lsn end_lsn = 0;    ///< Behind its commit record.
  std::int64_t commit_us = 0;
};

/// Rows that this and the next messages are about came from elsewhere.
struct origin_message {
  lsn commit_lsn = 0;
  std::string name;
};

struct relation_column {
  bool in_identity = false; ///< Part of the replica identity.
  std::string name;
  oid type = 0;
  std::int32_t modifier = -1; ///< pg_attribute.atttypmod

  friend bool operator==(const relation_column&,
                         const relation_column&) = default;
};

/// Before the first row of a relation, and again when it changed.
struct relation_message {
  oid id = 0;
  std::string schema; ///< Empty in the message for pg_catalog, filled in here.
  std::string name;
  char identity = 'd'; ///< d default, n nothing, f full, i index
  std::vector<relation_column> columns;

  friend bool operator==(const relation_message&,
                         const relation_message&) = default;
};

/// Before a relation that has a column of a type that is not built in.
struct type_message {
  oid id = 0;
  std::string schema;
  std::string name;
};

struct insert_message {
  oid relation = 0;
  tuple after;
};

/// What an update or a delete says of the row before.
enum class old_row : std::uint8_t {
  none, ///< The key did not change.
  key,  ///< The identity's columns; the others are null and mean nothing.
  full, ///< All columns: REPLICA IDENTITY FULL.
};

struct update_message {
  oid relation = 0;
  old_row kind = old_row::none;
  tuple before;
  tuple after;
};

struct delete_message {
  oid relation = 0;
  old_row kind = old_row::key;
  tuple before;
};

struct truncate_message {
  std::vector<oid> relations;
  bool cascade = false;
  bool restart_identity = false;
};

/// pg_logical_emit_message.
struct logical_message {
  bool transactional = false;
  lsn at = 0;
  std::string_view prefix;
  std::string_view content;
};

using message =
  std::variant<begin_message, commit_message, origin_message, relation_message,
               type_message, insert_message, update_message, delete_message,
               truncate_message, logical_message>;

/// Takes one payload apart, checking every length and count in it.
/// @param into What it says; views point into `payload`. The same object may
///        be passed again: its tuples keep their memory.
/// @error malformed, with the kind of message and the offset.
[[nodiscard]] status decode(std::string_view payload, message& into);

/// `16/B374D848`, as PostgreSQL writes it.
[[nodiscard]] std::string to_string_lsn(lsn x);
/// @returns 0 if it is not one.
[[nodiscard]] lsn parse_lsn(std::string_view text) noexcept;

} // namespace sluice::postgres
