#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "actors/sources/postgres/pgoutput.hpp"
#include "messages/errc.hpp"
#include "messages/ids.hpp"

/// Where a source begins: decided from what our side noted and what the server
/// says, without asking either.
namespace sluice::postgres {

/// What our rows are of. Noted before a slot is made, so that one whose maker
/// was killed is known as ours.
struct origin {
  std::string system; ///< IDENTIFY_SYSTEM
  std::string timeline;
  std::string slot;
  std::uint64_t base = 0; ///< commit_ts = base + place in the server's log.
  /// Of the rows of the copy; 0 as long as its slot is not made.
  timestamp copied_at;

  friend bool operator==(const origin&, const origin&) = default;
};

[[nodiscard]] std::string to_note(const origin& x);
/// @returns None if it is not one.
[[nodiscard]] std::optional<origin> parse_origin(std::string_view note);

/// As the server has it.
struct slot_state {
  lsn confirmed = 0;
  bool lost = false; ///< wal_status: what it needs was removed.
};

struct server_state {
  std::string system;
  std::string timeline;
  lsn end = 0; ///< Of its log.
  std::optional<slot_state> slot;
  bool has_publication = false;
};

/// Read the slot from here; rows <= the position are known.
struct go_on {
  lsn from = 0;
};
/// Copy all tables, then read on from there.
struct copy_all {
  bool drop_slot = false; ///< First.
};
using start_plan = std::variant<go_on, copy_all>;

struct start_request {
  std::string where; ///< For messages.
  std::string slot;
  std::string publication;
  bool set_up = true; ///< The slot is ours to make.
  bool copy_again = false;
};

/// Of a slot that nobody of this directory made.
[[nodiscard]] error foreign_slot(const std::string& where,
                                 const std::string& slot);

/// @param resume What our log has.
/// @error source_replaced, source_rolled_back, source_unsupported
[[nodiscard]] expected<start_plan>
plan_start(const start_request& wanted, const std::optional<origin>& noted,
           const server_state& server, row_cursor resume);

/// The commit_ts of a copy whose slot begins at `consistent`, and the base that
/// keeps it above what our log has.
/// @param highest In any partition.
[[nodiscard]] origin begin_copy(origin x, lsn consistent, timestamp highest);

} // namespace sluice::postgres
