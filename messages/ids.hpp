#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <tuple>

namespace sluice {

/// A number that cannot be mixed up with other numbers. 0 means "none".
template <class Tag>
struct tagged {
  std::uint64_t value = 0;

  [[nodiscard]] constexpr tagged next() const noexcept { return {value + 1}; }
  /// The predecessor; 0 has none and stays 0.
  [[nodiscard]] constexpr tagged previous() const noexcept {
    return {value == 0 ? 0 : value - 1};
  }
  [[nodiscard]] static constexpr tagged max() noexcept {
    return {std::numeric_limits<std::uint64_t>::max()};
  }
  constexpr explicit operator bool() const noexcept { return value != 0; }
  friend constexpr auto operator<=>(const tagged&, const tagged&) = default;
  auto fields() { return std::tie(value); }
};

/// A number unique in the cluster and in time: node 16 bit, the node's
/// incarnation 48 bit, a counter 64 bit. Never used again, also not after a
/// restart, because each start of a node has a new incarnation.
template <class Tag>
struct unique_number {
  std::uint64_t origin = 0;  ///< node << 48 | incarnation
  std::uint64_t counter = 0; ///< 1, 2, 3, ... at that origin; 0 means "none"

  constexpr explicit operator bool() const noexcept { return counter != 0; }
  friend constexpr auto operator<=>(const unique_number&,
                                    const unique_number&) = default;
  auto fields() { return std::tie(origin, counter); }
};

// -- time and place in a stream -----------------------------------------------

struct timestamp_tag {
  static constexpr const char* name = "ts";
};
/// Place in a source's commit order. Opaque except for its predecessor; made
/// by the source: SQLite outbox sequence, PostgreSQL commit LSN, generator's
/// physical milliseconds << 18 | logical. Ranges are (a, b].
using timestamp = tagged<timestamp_tag>;

struct epoch_tag {
  static constexpr const char* name = "epoch";
};
/// Generation of one dispatcher's stream. 0: registered, never reset.
using epoch = tagged<epoch_tag>;

struct sequence_tag {
  static constexpr const char* name = "seq";
};
/// Place in an epoch's stream: the handshake is 1.
using sequence = tagged<sequence_tag>;

struct channel_seq_tag {
  static constexpr const char* name = "channel_seq";
};
/// Place of a message on a channel, per direction: 1, 2, 3, ...
using channel_seq = tagged<channel_seq_tag>;

struct block_index_tag {
  static constexpr const char* name = "block";
};
/// Place of an appended block in its partition: 1, 2, 3, ...; consecutive.
using block_index = tagged<block_index_tag>;

struct incarnation_tag {
  static constexpr const char* name = "incarnation";
};
/// One run of a role between two restarts; higher is newer.
using incarnation = tagged<incarnation_tag>;

struct scan_tag {
  static constexpr const char* name = "scan";
};
using scan_id = tagged<scan_tag>;

// -- things -------------------------------------------------------------------

struct table_id_tag {
  static constexpr const char* name = "table";
};
/// Assigned durably by checkpoint_store and never used again.
using table_id = tagged<table_id_tag>;

struct feed_id_tag {
  static constexpr const char* name = "feed";
};
/// Assigned durably by checkpoint_store and never used again.
using feed_id = tagged<feed_id_tag>;

struct partition_id_tag {
  static constexpr const char* name = "partition";
};
/// One ordered log of one upstream; 1, 2, 3, ... in a service.
using partition_id = tagged<partition_id_tag>;

struct schema_version_tag {
  static constexpr const char* name = "schema";
};
/// Version of one table's columns, rising.
using schema_version = tagged<schema_version_tag>;

struct generation_tag {
  static constexpr const char* name = "generation";
};
/// One copy (snapshot) of a table. Rises durably and for ever.
using generation = tagged<generation_tag>;

struct transaction_id_tag {
  static constexpr const char* name = "transaction";
};
/// A source's number of a transaction, or of a sub-transaction, as long as that
/// has not ended. PostgreSQL: the xid.
using transaction_id = tagged<transaction_id_tag>;

struct dispatcher_id_tag {
  static constexpr const char* name = "dispatcher";
};
/// One table of one feed.
using dispatcher_id = unique_number<dispatcher_id_tag>;

struct registration_id_tag {
  static constexpr const char* name = "registration";
};
/// One registration of a dispatcher with a broker; new at each one.
using registration_id = unique_number<registration_id_tag>;

struct channel_id_tag {
  static constexpr const char* name = "channel";
};
/// One connection of a dispatcher shard and a collector shard, that is the
/// channel's incarnation: new at every (re)connect.
using channel_id = unique_number<channel_id_tag>;

struct slot_tag {
  static constexpr const char* name = "slot";
};
/// Dense number that stands for (dispatcher, registration) on one channel;
/// agreed at READY, 0, 1, 2, ...; not used twice on a channel.
struct slot {
  std::uint32_t value = std::numeric_limits<std::uint32_t>::max();

  constexpr explicit operator bool() const noexcept {
    return value != std::numeric_limits<std::uint32_t>::max();
  }
  friend constexpr auto operator<=>(const slot&, const slot&) = default;
  auto fields() { return std::tie(value); }
};

/// Place of a row in its table: rows sort by it, no two have the same.
struct row_cursor {
  timestamp commit_ts;
  timestamp start_ts; ///< Tells transactions apart that share commit_ts.
  std::uint64_t position = 0; ///< Inside the transaction.

  /// After every row of `ts`.
  [[nodiscard]] static constexpr row_cursor end_of(timestamp ts) noexcept {
    return {ts, timestamp::max(), std::numeric_limits<std::uint64_t>::max()};
  }
  [[nodiscard]] constexpr bool is_end() const noexcept {
    return *this == end_of(commit_ts);
  }
  /// No row <= this ts comes after here.
  [[nodiscard]] constexpr timestamp complete_to() const noexcept {
    return is_end() ? commit_ts : commit_ts.previous();
  }
  /// The last place before this one. @pre It is not the first.
  [[nodiscard]] constexpr row_cursor previous() const noexcept {
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    if (position > 0)
      return {commit_ts, start_ts, position - 1};
    if (start_ts > timestamp{})
      return {commit_ts, start_ts.previous(), most};
    return end_of(commit_ts.previous());
  }
  friend constexpr auto operator<=>(const row_cursor&,
                                    const row_cursor&) = default;
  auto fields() { return std::tie(commit_ts, start_ts, position); }
};

/// `x`, or the end of `ts` where that is a later ts. A promise about the ts of
/// a last row leaves the row's own cursor, because a source sees by it whether
/// its history is still the one that was read.
[[nodiscard]] constexpr row_cursor raised_to(row_cursor x,
                                             timestamp ts) noexcept {
  return ts > x.commit_ts ? row_cursor::end_of(ts) : x;
}

/// Issues unique numbers of one origin.
template <class Number>
class number_source {
public:
  explicit number_source(std::uint64_t origin = 1) : next_{origin, 1} {
    // nop
  }
  [[nodiscard]] Number next() noexcept {
    auto result = next_;
    ++next_.counter;
    return result;
  }

private:
  Number next_;
};

/// As the logs print it: "ts(7)", "dispatcher(1.3)".
template <class Tag>
std::string to_string(tagged<Tag> x) {
  return std::string{Tag::name} + '(' + std::to_string(x.value) + ')';
}

template <class Tag>
std::string to_string(unique_number<Tag> x) {
  return std::string{Tag::name} + '(' + std::to_string(x.origin) + '.'
         + std::to_string(x.counter) + ')';
}

inline std::string to_string(const row_cursor& x) {
  if (x.is_end())
    return '(' + std::to_string(x.commit_ts.value) + ", end)";
  return '(' + std::to_string(x.commit_ts.value) + ", "
         + std::to_string(x.start_ts.value) + ", " + std::to_string(x.position)
         + ')';
}

} // namespace sluice

/// @cond
template <class Tag>
struct std::hash<sluice::tagged<Tag>> {
  std::size_t operator()(sluice::tagged<Tag> x) const noexcept {
    return std::hash<std::uint64_t>{}(x.value);
  }
};

template <class Tag>
struct std::hash<sluice::unique_number<Tag>> {
  std::size_t operator()(const sluice::unique_number<Tag>& x) const noexcept {
    // Counters of one origin are dense; the multiplier is 2^64 / golden ratio.
    return std::hash<std::uint64_t>{}(x.origin * 0x9E3779B97F4A7C15ULL
                                      ^ x.counter);
  }
};
/// @endcond
