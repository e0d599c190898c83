#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "actors/collector_shard_state.hpp"
#include "tests/simulation/exhaust/facts.hpp"
#include "tests/simulation/exhaust/rules.hpp"

namespace sluice::exploration {

/// Looks at what goes into COLLECTOR_SHARD and what comes out. It knows of the
/// target what the collector was told, no more: so what it finds depends on
/// nothing that happens elsewhere.
class collector_watch {
public:
  static constexpr feed_id feed{1};

  /// @param credit No more bytes than that may be here, or one delivery.
  collector_watch(const facts& truth, std::uint64_t credit, tally& sum)
    : rules_{sum}, truth_{&truth}, credit_{credit} {
    // nop
  }

  // -- a message is about to be handled ---------------------------------------

  void before(const delivery& x, const collector_shard_state& uut);
  void before(const rows_durable& x, const collector_shard_state& uut);
  void before(const sink_opened& x, const collector_shard_state& uut);
  template <class Other>
  void before(const Other&, const collector_shard_state&) {
    // nop
  }

  // -- it was -----------------------------------------------------------------

  void after(const collector_shard_state::effects& out,
             const collector_shard_state& uut);

  [[nodiscard]] bool complete(const collector_shard_state& uut) const;
  [[nodiscard]] rules& checks() { return rules_; }
  [[nodiscard]] const rules& checks() const { return rules_; }

private:
  struct stream {
    registration_id id;
    epoch of;
    timestamp effective;
    timestamp reported;       // highest of the registration
    std::size_t accepted = 0; // rows handed to the sink
    std::size_t durable = 0;  // of them, as the sink said
    std::size_t seen = 0;     // most that were ever accepted
  };
  // Rows of a batch, by table.
  using batch = std::vector<std::pair<table_id, std::size_t>>;

  void see(const heartbeat& x, const collector_shard_state& uut);
  void see(const reset_streams& x, const collector_shard_state& uut);
  void see(const digest_request& x, const collector_shard_state& uut);
  void see(const collector_shard_state::to_sink& x,
           const collector_shard_state& uut);
  template <class Other>
  void see(const Other&, const collector_shard_state&) {
    // nop
  }
  void look_at(table_id table, stream& s, const collector_shard_state& uut);
  stream& note(table_id table, const stream_state& found);
  void take_row(table_id table, row_cursor cursor);
  void report(table_id table, timestamp checkpoint,
              const collector_shard_state& uut);

  rules rules_;
  const facts* truth_;
  std::uint64_t credit_;
  std::map<table_id, stream> streams_;
  std::map<std::uint64_t, batch> batches_;
  bool out_of_place_ = false; // no item of the delivery is
};

} // namespace sluice::exploration
