#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "messages/delivery.hpp"
#include "messages/ids.hpp"
#include "messages/registration.hpp"
#include "messages/reset.hpp"
#include "messages/schema.hpp"
#include "messages/watermark.hpp"

namespace sluice {

/// One stream as the collector sees it: keeps it gapless, drops what is old,
/// and knows how far it is complete.
class stream_state {
public:
  stream_state() = default;
  /// @param barrier Rows at or below it are at the sink already.
  stream_state(const registration& who, row_cursor barrier)
    : who_{who}, own_{who.start_ts}, accepted_to_{who.start_ts}, barrier_{
                                                                   barrier} {
    // nop
  }

  // -- registration and reset -------------------------------------------------

  /// A new registration of the same dispatcher: everything begins anew but
  /// what the sink has.
  void renew(registration_id id, timestamp start);
  void on_ready(slot stream) { slot_ = stream; }
  /// Starts the next epoch, behind, after `reset_ts`.
  [[nodiscard]] reset_entry restart(timestamp reset_ts);
  /// The sink lost what was not durable, or knows more than we do.
  void set_barrier(row_cursor barrier) { barrier_ = barrier; }

  // -- what comes down the channel --------------------------------------------

  enum class verdict {
    stale,    ///< Of another epoch, or repeated: no effect.
    gap,      ///< Something is missing: reset.
    accepted, ///< In its place.
  };

  /// @param latched Highest checkpoint reported: L above it and above the
  ///        requested reset_ts means that rows are missing.
  [[nodiscard]] verdict on_handshake(const handshake& x, timestamp latched);
  /// @param fresh Set to how many of the item's last rows are new; those
  ///        before them are at or below the barrier.
  [[nodiscard]] verdict on_item(const delivery_item& x, std::uint32_t& fresh);
  [[nodiscard]] verdict on_schema_change(const schema_change& x);
  /// It leaves its cohort.
  /// @param resolved The channel's, before this message.
  /// @param place Up to where the cohort has rows.
  [[nodiscard]] verdict on_behind(const cohort_change& x, timestamp resolved,
                                  row_cursor place);
  /// It joins the cohort.
  [[nodiscard]] verdict on_in_sync(const cohort_change& x);
  /// What the cohort was sent while it was in it, it has.
  void note_place(row_cursor place) {
    if (!behind_)
      barrier_ = std::max(barrier_, place);
  }
  /// The doubt about a gap in the channel is over.
  [[nodiscard]] verdict on_digest(const digest_entry& x);

  // -- where it stands --------------------------------------------------------

  /// Nothing <= it is missing. Never goes back inside an epoch.
  [[nodiscard]] timestamp effective_resolved(timestamp channel) const {
    return behind_ ? own_ : std::max(own_, channel);
  }
  /// Highest ts accepted in this epoch.
  [[nodiscard]] timestamp accepted_to(timestamp channel) const {
    return std::max(accepted_to_, effective_resolved(channel));
  }
  [[nodiscard]] const registration& who() const { return who_; }
  [[nodiscard]] slot stream() const { return slot_; }
  [[nodiscard]] epoch stream_epoch() const { return epoch_; }
  [[nodiscard]] sequence last_seq() const { return seq_; }
  [[nodiscard]] bool behind() const { return behind_; }
  [[nodiscard]] bool ready() const { return bool{slot_}; }
  /// L of the epoch: what the shard has as its checkpoint. 0: not told yet.
  [[nodiscard]] timestamp begun_at() const { return begun_at_; }
  /// The shard may have it in sync, in an epoch that is over.
  [[nodiscard]] bool may_be_in_sync() const { return may_be_in_sync_; }
  /// RESET is sent and the handshake has not come.
  [[nodiscard]] bool handshake_outstanding() const { return epoch_ && !seq_; }
  [[nodiscard]] row_cursor barrier() const { return barrier_; }
  /// Where the last cut of this epoch ended.
  [[nodiscard]] row_cursor cursor() const { return cursor_; }
  /// Null: not a table of it.
  [[nodiscard]] schema_ptr schema(table_id table) const;
  [[nodiscard]] bool has_all_tables() const { return who_.table == all_tables; }
  [[nodiscard]] std::size_t tables() const { return schemas_.size(); }

private:
  [[nodiscard]] const schema_ptr* find_schema(table_id table) const;
  void set_schema(table_schema schema);
  row_cursor pass(row_cursor last, item_end end);

  registration who_;
  slot slot_;
  epoch epoch_;
  sequence seq_; // last accepted; 0: no handshake yet
  bool behind_ = true;
  bool may_be_in_sync_ = false;
  timestamp own_; // complete to, while behind
  timestamp accepted_to_;
  timestamp reset_ts_;
  timestamp begun_at_;
  std::vector<schema_ptr> schemas_; // ascending by table
  row_cursor barrier_;              // rows <= it are at the sink
  row_cursor cut_;                  // highest row of the cut that is open
  row_cursor cursor_;
};

} // namespace sluice
