#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::exploration {

/// What must hold. The numbers are those of tests/README.md.
enum class rule : std::uint8_t {
  i1,  ///< A checkpoint never decreases inside a registration.
  i2,  ///< A checkpoint is not above what was sent in its epoch.
  i3,  ///< No scan starts below the store's floor or the checkpoint.
  i4,  ///< Handshake, its schema, record and first scan all start at L.
  i5,  ///< A promise: no row <= it is missing, there or here, or follows.
  i6,  ///< A handshake opens each epoch, once.
  i7,  ///< Sequences count 1, 2, 3.
  i8,  ///< Inside an epoch each row once, in order, without gap.
  i9,  ///< Over all epochs each row once, in order, at the target.
  i10, ///< What another epoch says has no effect.
  i11, ///< An epoch rises; a RESET that names no higher one does nothing.
  i12, ///< A report is durable and accepted in its epoch.
  i13, ///< A report is not below one before it.
  i14, ///< reset_ts is not below a report before it.
  i15, ///< L is between reset_ts and what was reported.
  i16, ///< Nothing is promised above the store's and the schema's resolved.
  i17, ///< A DDL goes in its place: before rows and promises behind it.
  i18, ///< A stale scan publishes nothing; credit is kept, and comes back.
  i23, ///< One scan at a time.
  i24, ///< Removed is for good.
  i25, ///< READY only before the first epoch, always with the same slot.
  i27, ///< An item out of its place forwards nothing.
  i30, ///< One registration per dispatcher.
  i31, ///< In the end everybody has everything, and says so.
  i32, ///< No scan is answered out_of_range.
  count
};

inline constexpr auto rule_names = std::array{
  "I1",  "I2",  "I3",  "I4",  "I5",  "I6",  "I7",  "I8",  "I9",
  "I10", "I11", "I12", "I13", "I14", "I15", "I16", "I17", "I18",
  "I23", "I24", "I25", "I27", "I30", "I31", "I32"};
static_assert(rule_names.size() == static_cast<std::size_t>(rule::count));

/// What a scenario is for: seen in at least one schedule, or it proves nothing.
enum class probe : std::uint8_t {
  heartbeat_in_look_up,    ///< Between a RESET and its schema.
  look_up_repeated,        ///< L moved meanwhile.
  look_up_overtaken,       ///< The answer to a RESET before the last.
  scan_overtaken,          ///< A scan of an epoch that is over.
  progress_in_scan,        ///< A notification while a scan is under way.
  report_before_scan,      ///< The store's floor rose, then a scan came.
  heartbeat_of_old_epoch,  ///<
  heartbeat_of_next_epoch, ///<
  heartbeat_before_epoch,  ///< Registered, never reset.
  old_ack_in_new_epoch,    ///< It acknowledges what was before a RESET.
  exception_lost,          ///< A heartbeat with one is lost.
  starved,                 ///< Left for lack of credit.
  credit_in_scan,          ///< Credit while a scan is under way.
  became_behind,           ///<
  feed_late,               ///< No credit for what its streams want.
  blocks_read,             ///< For a late feed: the window has moved on.
  joined,                  ///< Caught up by a scan.
  joined_in_commit,        ///< With rows of one commit_ts on both sides.
  ddl_while_idle,          ///< To a stream that is in sync.
  remove_before_register,  ///<
  register_repeated,       ///<
  taken_over,              ///< By a second registration.
  swept,                   ///< Forgotten for its silence.
  channel_ends_in_scan,    ///< The next one opens while a scan is under way.
  gap_seen,                ///< By the collector.
  rows_taken_again,        ///< Accepted, lost by the sink, and sent again.
  rows_known,              ///< Durable, sent again and dropped.
  delivery_stale,          ///< Of an epoch that the collector left.
  count
};

inline constexpr auto probe_names = std::array{"heartbeat in look-up",
                                               "look-up repeated",
                                               "look-up overtaken",
                                               "scan overtaken",
                                               "progress in scan",
                                               "report before scan",
                                               "heartbeat of old epoch",
                                               "heartbeat of next epoch",
                                               "heartbeat before epoch",
                                               "old ack in new epoch",
                                               "exception lost",
                                               "starved",
                                               "credit in scan",
                                               "became behind",
                                               "feed late",
                                               "blocks read",
                                               "joined",
                                               "joined in commit",
                                               "DDL while idle",
                                               "remove before register",
                                               "register repeated",
                                               "taken over",
                                               "swept",
                                               "channel ends in scan",
                                               "gap seen",
                                               "rows taken again",
                                               "rows known",
                                               "delivery stale"};
static_assert(probe_names.size() == static_cast<std::size_t>(probe::count));

/// Over all schedules of a scenario.
struct tally {
  std::array<std::uint64_t, rule_names.size()> evaluations{};
  std::array<std::uint64_t, probe_names.size()> reached{};
};

/// What one schedule was seen to do.
class rules {
public:
  explicit rules(tally& sum) : sum_{&sum} {
    // nop
  }
  /// @returns `holds`.
  bool check(rule x, bool holds) {
    auto i = static_cast<std::size_t>(x);
    ++sum_->evaluations[i];
    if (!holds)
      broken_ |= std::uint32_t{1} << i;
    return holds;
  }
  void reach(probe x) { ++sum_->reached[static_cast<std::size_t>(x)]; }
  [[nodiscard]] std::vector<std::string> broken() const {
    auto result = std::vector<std::string>{};
    for (std::size_t i = 0; i < rule_names.size(); ++i)
      if ((broken_ >> i & 1) != 0)
        result.emplace_back(rule_names[i]);
    return result;
  }

private:
  tally* sum_;
  std::uint32_t broken_ = 0;
};

} // namespace sluice::exploration
