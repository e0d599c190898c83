#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace sluice::simulation {

/// Which ready actor runs next.
enum class policy : std::uint8_t {
  fifo,   ///< In the order in which they became ready.
  random, ///< Each as likely.
  pct,    ///< By priorities that change at a few random steps.
  pos,    ///< By a priority that each message draws anew.
};
inline constexpr auto policy_names = std::array{"fifo", "random", "pct", "pos"};

/// What may go wrong. A new one needs its name, its set and its chance below.
enum class fault : std::uint8_t {
  // A message between the shards.
  lose,
  repeat,
  overtake,
  // The link, a reset by somebody who knows less, and look-ups of schemas.
  cut,
  asks_for_less,
  look_up_slow,
  look_up_lost,
  // Targets, and the people who take feeds.
  sink_fails,
  sink_stalls,
  sink_restored,
  sink_ends,
  sink_stale,
  feed_leaves,
  // Roles that end and start again without what they had in memory.
  collecting_ends,
  brokering_ends,
  serving_ends,
  source_ends,
  source_fails,
  process_ends,
  role_slow,
  clock_jumps,
  // Disks.
  power_lost,
  disk_fails,
  disk_full,
};
inline constexpr auto faults = std::size_t{24};

enum class fault_set : std::uint8_t { none, link, sinks, crash, disk, all };

struct fault_kind {
  const char* name;
  fault_set set;        ///< Beside `all`.
  std::uint64_t chance; ///< At most, in percent per occasion.
};
inline constexpr auto fault_kinds = std::array<fault_kind, faults>{{
  {"message lost", fault_set::link, 10},
  {"message repeated", fault_set::link, 10},
  {"message overtaken", fault_set::link, 10},
  {"link cut", fault_set::link, 20},
  {"reset asks for less", fault_set::link, 40},
  {"look-up slow", fault_set::link, 60},
  {"look-up lost", fault_set::link, 20},
  {"sink fails", fault_set::sinks, 40},
  {"sink stalls", fault_set::sinks, 40},
  {"sink restored", fault_set::sinks, 20},
  {"sink ends", fault_set::sinks, 20},
  {"sink of a former life writes", fault_set::crash, 60},
  {"feed leaves or comes", fault_set::sinks, 30},
  {"collecting side ends", fault_set::crash, 15},
  {"broker and shards end", fault_set::crash, 15},
  {"serving side ends", fault_set::crash, 15},
  {"source ends", fault_set::crash, 15},
  {"source fails", fault_set::crash, 20},
  {"process ends", fault_set::crash, 15},
  {"role slow", fault_set::crash, 60},
  {"clock jumps", fault_set::crash, 25},
  {"power lost", fault_set::disk, 20},
  {"disk fails", fault_set::disk, 20},
  {"disk full", fault_set::disk, 20},
}};

/// A violation that is put in by hand, to see that it is reported.
enum class planted : std::uint8_t {
  nothing,
  row_is_lost,          ///< On its way into a target.
  row_is_repeated,      ///< There, too.
  checkpoint_goes_back, ///< As it is read from the shard.
  sequence_is_skipped,  ///< As it is read from the link.
};
inline constexpr auto planted_kinds = std::size_t{5};

/// Everything that a schedule depends on beside its choices. A seed expands
/// to one of these.
struct schedule_options {
  std::uint64_t seed = 1;
  policy order = policy::random;
  /// Percent per occasion; 0 switches it off.
  std::array<std::uint64_t, faults> chance{};
  planted violation = planted::nothing;
  std::uint64_t steps = 300; ///< Of actors while faults are on, at least.
  std::uint64_t busy = 300;  ///< Of those, until the source falls quiet.
  std::uint64_t tables = 3;  ///< At the start.
  std::uint64_t partitions = 1;
  std::uint64_t ddl = 0; ///< Percent of what the source's database does.
  std::uint64_t credit = 4'096;
  std::uint64_t window = 4'096;
  std::uint64_t store_window = 4'096; ///< What its store merges for a shard.
  std::uint64_t scan = 4'096;
  std::uint64_t read_rows_max = 8;
  std::uint64_t large = 0; ///< Percent of rows that have 3,000 bytes.
  bool keeps_all = true;   ///< A feed that nobody takes keeps all rows.
  bool synced = false;     ///< Rows are announced when they are durable.
  bool on_disk = false;    ///< The log is segment files.
  /// Which of the first two feeds have confirm = sinks: the sum of 1 and 2.
  std::uint64_t confirm_sinks = 0;

  [[nodiscard]] std::uint64_t of(fault x) const {
    return chance[static_cast<std::size_t>(x)];
  }
};

/// Swarm: each seed switches a random half of the faults on.
[[nodiscard]] schedule_options expand(std::uint64_t seed, fault_set set);

/// Feeds that fall behind: many tables, and little room for their rows.
void tighten(schedule_options& to);

[[nodiscard]] std::string to_string(const schedule_options& x);

} // namespace sluice::simulation
