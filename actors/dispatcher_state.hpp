#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "messages/delivery.hpp"
#include "messages/ids.hpp"
#include "messages/registration.hpp"
#include "messages/reset.hpp"
#include "messages/schema.hpp"
#include "messages/watermark.hpp"

namespace sluice {

/// One dispatcher: a table on its way to one feed, or all tables of a feed in
/// commit order. Owned by exactly one DISPATCHER_SHARD, whose mailbox
/// serializes reset, heartbeat, notification and scan.
///
/// There is one lower bound, the checkpoint. Where a reset asks for an older
/// ts, the checkpoint wins; handshake, schema, first scan and every bound
/// after a reset are set from it in one step, `begin_epoch`.
class dispatcher_state {
public:
  dispatcher_state() = default;
  /// The start of a registration is its first checkpoint: it is believed.
  explicit dispatcher_state(const registration& who)
    : who_{who}, checkpoint_{who.start_ts} {
    // nop
  }

  // -- reset ------------------------------------------------------------------

  /// An epoch begins: what to tell the collector and the log book.
  struct started {
    timestamp lower_bound;
    std::vector<table_schema> schemas;
    reset_record record;
  };
  using schema_outcome =
    std::variant<std::monostate, schema_query, started, errc>;

  /// Asks for the schema at L. The present epoch goes on until the answer.
  /// @returns Nothing when `next` is not newer than what is known.
  [[nodiscard]] std::optional<schema_query> on_reset(epoch next,
                                                     timestamp reset_ts);
  /// @returns Nothing when a newer reset came meanwhile; the query again when
  ///          a heartbeat moved L; a failure, which leaves all as it was; or
  ///          the new epoch.
  [[nodiscard]] schema_outcome on_schema(const schema_answer& answer);

  // -- heartbeat --------------------------------------------------------------

  /// Raises the checkpoint, to no more than `sent_to`, what was sent in this
  /// epoch. Any other epoch, older or newer, changes nothing.
  bool on_checkpoint(epoch of, timestamp checkpoint, timestamp sent_to);

  // -- sending ----------------------------------------------------------------

  /// How many rows of [first, first + count) are sent already.
  [[nodiscard]] std::uint32_t rows_sent(const row_block& block,
                                        std::uint32_t first,
                                        std::uint32_t count) const;
  /// Makes the next item of the stream. @pre its rows come after `cursor()`
  [[nodiscard]] delivery_item send_rows(slot stream, const block_ptr& block,
                                        std::uint32_t first,
                                        std::uint32_t count);
  /// As `send_rows`, of one table of a cut; `end_cut` follows the last.
  [[nodiscard]] delivery_item send_part(slot stream, const block_ptr& block,
                                        std::uint32_t first,
                                        std::uint32_t count);
  /// Every row <= `to` of all tables is sent with `last`.
  void end_cut(delivery_item& last, row_cursor to, item_end how);
  /// No row of it that is not sent is <= `to`.
  void skip_to(row_cursor to) { cursor_ = std::max(cursor_, to); }
  /// Everything <= `ts` is sent. @returns Whether that is news.
  bool complete(timestamp ts);
  /// Item without rows: only the promise, and no transaction is open.
  [[nodiscard]] delivery_item send_promise(slot stream);
  /// It joins the cohort of its feed, or leaves it.
  [[nodiscard]] cohort_change send_change(slot stream);

  /// A DDL of a table of it, to be sent in its place.
  void on_ddl(const ddl_event& event);
  /// Whether rows of `version` can't be sent before the next DDL.
  [[nodiscard]] bool waits_for_ddl(table_id table,
                                   schema_version version) const {
    return version > version_of(table);
  }
  [[nodiscard]] const ddl_event* next_ddl() const;
  /// Takes that DDL out; it is being sent. @returns It and its sequence.
  [[nodiscard]] schema_change send_ddl(slot stream);

  // -- where it stands --------------------------------------------------------

  [[nodiscard]] const registration& who() const { return who_; }
  [[nodiscard]] timestamp checkpoint() const { return checkpoint_; }
  [[nodiscard]] epoch stream_epoch() const { return epoch_; }
  [[nodiscard]] sequence last_seq() const { return seq_; }
  [[nodiscard]] timestamp complete_to() const { return complete_to_; }
  [[nodiscard]] bool streaming() const { return bool{epoch_}; }
  /// The last cut ended inside of a transaction.
  [[nodiscard]] bool torn() const { return torn_; }
  [[nodiscard]] bool has_all_tables() const { return who_.table == all_tables; }
  /// Version of the rows that are sent now; none: not a table of it.
  [[nodiscard]] schema_version version_of(table_id table) const;
  using table_version = std::pair<table_id, schema_version>;
  [[nodiscard]] const std::vector<table_version>& tables() const {
    return tables_;
  }
  /// Where a scan starts: behind everything that is sent or durable.
  [[nodiscard]] row_cursor cursor() const;
  /// The last row that was sent in this epoch; or the end of L.
  [[nodiscard]] row_cursor last_sent() const { return cursor_; }

  // -- what its shard notes about it ------------------------------------------

  /// Takes rows from the blocks as they come: of a table, with its feed's
  /// cohort; a fact about log positions.
  bool joined = false;
  /// A scan for it is queued, for its turn or for credit, or asked for in this
  /// epoch. One at a time: a second one would bring rows of before its cursor.
  enum class scan_phase : std::uint8_t { none, queued, asked };
  scan_phase scan = scan_phase::none;
  /// channel_seq of the watermark that said so; none while behind.
  channel_seq in_sync_since;

private:
  [[nodiscard]] timestamp lower_bound(timestamp reset_ts) const {
    return std::max(reset_ts, checkpoint_);
  }
  reset_record begin_epoch(timestamp lower, const schema_answer& answer);
  void set_version(const table_schema& schema);

  struct requested_reset {
    epoch next;
    timestamp reset_ts;
  };

  registration who_; // its start_ts is history: nothing reads it again
  timestamp checkpoint_;
  epoch epoch_;
  sequence seq_;
  row_cursor cursor_;
  timestamp complete_to_;
  bool torn_ = false;
  std::vector<table_version> tables_;    // ascending
  std::vector<ddl_event> ddl_;           // not sent yet, ascending
  std::optional<requested_reset> reset_; // waits for its schema
};

} // namespace sluice
