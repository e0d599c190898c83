#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "actors/sources/source_connector.hpp"
#include "store/sqlite_db.hpp"

/// Is this the database, and the history, that the positions belong to?
namespace sluice {

/// A sequence and the random number of its outbox row: the same number given
/// out again has another one.
struct outbox_place {
  std::uint64_t seq = 0;
  std::int64_t nonce = 0;

  friend bool operator==(const outbox_place&, const outbox_place&) = default;
};

/// What `verify_identity` found.
struct identity {
  std::string database;
  std::string owner;  ///< Who captures: in the database and in the journal.
  bool anew = false;  ///< Copy every table, whatever was copied before.
  bool taken = false; ///< The database is ours only now: note that.
};

struct identity_request {
  row_cursor resume;
  /// What this process knows of the place at `resume`.
  std::optional<outbox_place> known;
  bool copy_again = false;
};

/// Creates the outbox if it is missing; compares ids, sequence and nonces
/// with the journal; raises the sequence where everything is copied anew.
/// @pre A write transaction is open.
/// @error source_replaced, source_rolled_back, stale_source,
///        source_unsupported
[[nodiscard]] expected<identity>
verify_identity(sqlite_db& db, source_journal& journal,
                const identity_request& request);

/// Notes whose database this is. To be called after the commit: notes about a
/// set-up that was rolled back would keep the source from ever starting.
[[nodiscard]] status note_identity(source_journal& journal,
                                   const identity& taken);

/// @error stale_source when somebody else captures the database by now.
[[nodiscard]] status verify_owner(sqlite_db& db, const std::string& owner);

/// The number of the outbox row at `seq`, if it is there.
[[nodiscard]] expected<std::optional<std::int64_t>> nonce_at(sqlite_db& db,
                                                             std::uint64_t seq);

/// Notes in the journal that positions up to `seq` and beyond may be given;
/// a note is written only now and then.
/// @param noted What is noted already.
[[nodiscard]] status note_ceiling(source_journal& journal, std::uint64_t seq,
                                  std::uint64_t& noted);

/// Notes that everything up to `place` is durable, `given` being the last row
/// among it.
[[nodiscard]] status note_confirmed(source_journal& journal,
                                    const outbox_place& place,
                                    std::uint64_t given);

} // namespace sluice
