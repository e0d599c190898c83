#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "messages/errc.hpp"
#include "messages/feed.hpp"

namespace sluice {

/// What to capture of which PostgreSQL database.
struct postgres_source_options {
  /// As libpq takes it, without `replication`.
  std::string conninfo;
  /// Shell patterns on qualified names, `public.orders`. One without a
  /// wildcard must be there and capturable, or the source does not start;
  /// others are left out.
  feed_rules tables;
  /// The source does not start if there is nothing to capture.
  bool need_table = false;
  /// Replication slot and publication; made if they are not there. Lower case
  /// letters, digits and underscores, as PostgreSQL wants a slot's name.
  std::string slot = "sluice";
  std::string publication = "sluice";
  /// Whether slot and publication are made by the source; else they must be
  /// there, as pg_doctor's SQL makes them.
  bool set_up = true;
  /// A slot that ends with the connection, and a publication that ends with it
  /// unless it was there: nothing stays on the server, and each start copies
  /// anew. `slot` does not matter then.
  bool temporary = false;
  /// Whether what is there is copied first. Only a temporary one may do without
  /// and begin with what commits from now on.
  bool copy = true;
  /// Consent to copy all tables again where the slot or the server cannot go
  /// on from our position. Take it back after the start that needed it.
  bool copy_again = false;
  /// Connections that copy tables at once.
  std::size_t copy_connections = 2;
  /// How long to wait for a slot that another connection holds, for old
  /// transactions when a slot is made, and for a connection.
  std::chrono::milliseconds patience{10'000};
  /// How often to look for tables that came later and match.
  std::chrono::milliseconds look_interval{10'000};
  /// Bytes of rows that wait for SOURCE; when full, nothing more is read from
  /// the server, which is answered all the same.
  std::size_t queue_bytes = 16U << 20U;

  /// Whether the server sends values in binary: less work for it where there
  /// are many numbers and times. Rows are the same. Tables with columns that
  /// can't be read so, such as enums and domains, do not start.
  bool binary = false;

  /// @returns invalid_option if the values make no sense.
  [[nodiscard]] status validate() const;
};

} // namespace sluice
