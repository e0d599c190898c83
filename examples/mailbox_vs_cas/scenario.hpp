#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

/// What happens, and what must not: the same for every variant.
///
/// Epoch 1 of a table's stream has sent the rows 20 to 120 and resolved 140.
/// The collector has accepted it up to resolved 100; row 120 was lost on the
/// way. So it resets the stream: reset(2, 60). The sink goes on with rows of
/// epoch 1 meanwhile: heartbeats (1, 60) and (1, 100). No handshake of epoch 2
/// is seen, and the stream is reset again: reset(3, 99). 99 is resolved - 1,
/// read at the sink before heartbeat (1, 100) was made. A notification brings
/// row 160 and resolved 180. Scans send what is to be sent. The checkpoint is
/// reported to the store, which deletes the rows that it covers.
namespace mailbox_vs_cas {

using ts = std::uint64_t;

struct reset_request {
  std::uint64_t epoch = 0;
  ts reset_ts = 0;
};
struct heartbeat_report {
  std::uint64_t epoch = 0;
  ts checkpoint = 0;
};

inline constexpr auto rows = std::array<ts, 6>{20, 40, 60, 80, 120, 160};
inline constexpr ts old_commit = 120; // the last row before the notification
inline constexpr ts old_resolved = 140;
inline constexpr ts new_commit = 160;
inline constexpr ts new_resolved = 180;
inline constexpr ts first_checkpoint = 20; // the store's floor, too
inline constexpr auto resets = std::array<reset_request, 2>{{{2, 60}, {3, 99}}};
inline constexpr auto heartbeats = std::array<heartbeat_report, 2>{
  {{1, 60}, {1, 100}}};

inline std::string name_of(const reset_request& x) {
  return "reset(" + std::to_string(x.epoch) + ", " + std::to_string(x.reset_ts)
         + ")";
}
inline std::string name_of(const heartbeat_report& x) {
  return "heartbeat(" + std::to_string(x.epoch) + ", "
         + std::to_string(x.checkpoint) + ")";
}

/// Looks at one schedule. All variants tell it the same things.
class checker {
public:
  enum kind : std::size_t { moved_back, below_floor, lost, repeated };
  static constexpr auto kinds = std::array<const char*, 4>{
    "checkpoint moved back", "scan below the floor", "row lost",
    "row repeated"};

  /// The dispatcher's checkpoint, as whoever asks now would read it.
  void on_checkpoint(ts now) {
    if (now < checkpoint_)
      note(moved_back);
    checkpoint_ = std::max(checkpoint_, now);
  }
  /// The highest that it ever was.
  [[nodiscard]] ts checkpoint() const { return checkpoint_; }

  /// A scan asked the store for rows that may be deleted.
  void on_below_floor() { note(below_floor); }

  /// A stream begins: everything after `lower` follows.
  void on_handshake(std::uint64_t epoch, ts lower) {
    sent_.reset();
    on_resolved(epoch, lower);
  }
  /// Nothing <= `to` follows in this epoch, so the consumer's checkpoint will
  /// pass every row up to there.
  void on_resolved(std::uint64_t epoch, ts to) {
    for (std::size_t i = 0; i < rows.size() && rows[i] <= to; ++i)
      if (epoch == collector_epoch && !accepted_[i])
        note(lost);
  }
  /// @param known The checkpoint when the scan began. Rows that it covers are
  ///        at the sink and must not come again, and none comes twice in an
  ///        epoch. All others may come again after a reset.
  void on_row(std::uint64_t epoch, ts row, ts known) {
    auto i = static_cast<std::size_t>(std::find(rows.begin(), rows.end(), row)
                                      - rows.begin());
    if (row <= known || sent_[i])
      note(repeated);
    sent_.set(i);
    if (epoch == collector_epoch)
      accepted_.set(i);
  }

  [[nodiscard]] bool saw(std::size_t which) const { return broken_[which]; }
  [[nodiscard]] std::vector<std::string> broken() const {
    auto result = std::vector<std::string>{};
    for (std::size_t i = 0; i < kinds.size(); ++i)
      if (broken_[i])
        result.emplace_back(kinds[i]);
    return result;
  }
  /// All that it knows: equal keys, equal futures.
  [[nodiscard]] auto key() const {
    return std::tuple{checkpoint_, accepted_.to_ulong(), sent_.to_ulong(),
                      broken_.to_ulong()};
  }

  /// The collector has sent both resets: what older epochs send is void.
  static constexpr auto collector_epoch = resets.back().epoch;

private:
  void note(kind x) { broken_.set(x); }

  ts checkpoint_ = first_checkpoint;
  std::bitset<rows.size()> accepted_{0b001111}; // 20 to 80, in epoch 1
  std::bitset<rows.size()> sent_;               // in the epoch that sends
  std::bitset<kinds.size()> broken_;
};

} // namespace mailbox_vs_cas
