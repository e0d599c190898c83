#pragma once

#include <map>
#include <optional>
#include <set>

#include "actors/dispatcher_shard_state.hpp"
#include "messages/schema_book.hpp"
#include "tests/simulation/exhaust/facts.hpp"
#include "tests/simulation/exhaust/rules.hpp"

namespace sluice::exploration {

/// Looks at what goes into DISPATCHER_SHARD and what comes out, and keeps a
/// book of its own: nothing of it is read from the states that are tested but
/// their checkpoints and records. Streams of one table each.
class shard_watch {
public:
  shard_watch(const facts& truth, tally& sum) : rules_{sum}, truth_{&truth} {
    // nop
  }

  // -- a message is about to be handled ---------------------------------------

  void before(const progress& x);
  void before(const scan_answer& x);
  void before(const schema_resolved& x);
  void before(const schema_answer& x);
  void before(const register_dispatchers& x);
  void before(const reset_streams& x);
  void before(const remove_dispatchers& x);
  void before(const heartbeat& x);
  void before(const credit& x);
  void before_reconnect();
  void before_tick() { step_.tick = true; }
  template <class Other>
  void before(const Other&) {
    // nop
  }

  // -- it was -----------------------------------------------------------------

  void after(const dispatcher_shard_state::effects& out,
             const dispatcher_shard_state& shard);

  /// All rows are sent in the present epoch, promised, and known durable.
  [[nodiscard]] bool complete(const dispatcher_shard_state& shard) const;
  [[nodiscard]] slot slot_of(registration_id id) const;
  [[nodiscard]] timestamp start_of(registration_id id) const {
    return streams_.at(id).who.start_ts;
  }
  [[nodiscard]] bool ended(registration_id id) const {
    return ended_.contains(id);
  }
  [[nodiscard]] rules& checks() { return rules_; }
  [[nodiscard]] const rules& checks() const { return rules_; }

private:
  struct stream {
    registration who;
    slot at;
    epoch of;
    timestamp lower;      // L of the epoch
    timestamp checkpoint; // after the last step
    timestamp reported;   // highest that was heard of
    timestamp promised;   // in the epoch
    sequence seq;
    std::size_t next_row = 0;
    schema_version version;
    bool in_sync = false;
    channel_seq since;
    bool scanned = false;
    std::map<epoch, timestamp> asked;
    std::optional<schema_query> look_up; // not answered yet
  };
  // What the present step is about.
  struct step {
    std::optional<schema_answer> answer;
    std::set<registration_id> stale;   // scans of epochs that are over
    std::set<registration_id> foreign; // heartbeats of other epochs
    std::set<registration_id> old;     // RESETs that name no higher epoch
    std::map<registration_id, std::set<timestamp>> sent;
    bool scan = false;
    bool tick = false;
  };

  void see(const ready& x, const dispatcher_shard_state& shard);
  void see(const refused& x, const dispatcher_shard_state& shard);
  void see(const unknown_registration& x, const dispatcher_shard_state& shard);
  void see(const handshake& x, const dispatcher_shard_state& shard);
  void see(const delivery& x, const dispatcher_shard_state& shard);
  void see(const schema_change& x, const dispatcher_shard_state& shard);
  void see(const watermark& x, const dispatcher_shard_state& shard);
  void see(const digest& x, const dispatcher_shard_state& shard);
  void see(const scan_request& x, const dispatcher_shard_state& shard);
  void see(const schema_query& x, const dispatcher_shard_state& shard);
  template <class Other>
  void see(const Other&, const dispatcher_shard_state&) {
    // nop
  }

  stream* live(registration_id id);
  stream* live(slot at);
  void take_item(stream& s, const delivery_item& x);
  void take_rows(stream& s, const row_block& block, std::uint32_t first,
                 std::uint32_t count);
  stream* in_cohort(feed_id feed, table_id table);
  void promise(stream& s, timestamp ts);
  void promise_all(const channel_promise& x);
  void check_stream(const stream& s, const dispatcher_shard_state& shard);
  void hear(stream& s, const feed_checkpoint& part, channel_seq acked);

  rules rules_;
  const facts* truth_;
  std::map<registration_id, stream> streams_; // never erased
  std::map<slot, registration_id> slots_;
  std::set<registration_id> ended_;
  timestamp store_resolved_;
  timestamp schema_resolved_;
  std::optional<scan_id> scanning_; // not answered yet
  step step_;
};

} // namespace sluice::exploration
