#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "messages/credit.hpp"
#include "messages/ids.hpp"

/// Exact credit in bytes, per feed on one channel. Totals, not differences:
/// a lost or repeated message is mended by the next one.
namespace sluice {

/// DISPATCHER_SHARD's side: what it may still send.
class credit_spent {
public:
  /// allowed = granted_total - sent_total; negative after an oversized one.
  [[nodiscard]] std::int64_t allowed(feed_id feed) const;
  /// Whether `charge` may go, with what is packed already.
  [[nodiscard]] bool covers(feed_id feed, std::uint64_t charge,
                            std::uint64_t packed = 0) const;
  /// The same of a row: one that is larger than the whole limit may, when
  /// nothing of the feed is in flight or packed.
  [[nodiscard]] bool covers_row(feed_id feed, std::uint64_t charge,
                                std::uint64_t packed = 0) const;
  /// What may be in flight at most; 0: nothing was granted yet.
  [[nodiscard]] std::uint64_t limit(feed_id feed) const;
  void spend(feed_id feed, std::uint64_t charge);
  /// @pre Newer than every grant before; the channel drops late ones.
  /// @returns Whether some feed may send more than before.
  bool on_granted(const std::vector<feed_grant>& granted);
  /// sent_total of every feed that has sent.
  [[nodiscard]] std::vector<feed_total> sent() const;

private:
  struct totals {
    std::uint64_t granted = 0;
    std::uint64_t sent = 0;
    std::uint64_t limit = 0; ///< 0: nothing was granted yet.
  };
  std::map<feed_id, totals> accounts_;
};

/// COLLECTOR_SHARD's side: what it grants.
class credit_granted {
public:
  explicit credit_granted(std::uint64_t limit = 16 << 20) : limit_{limit} {
    // nop
  }
  /// The feed is on this channel: it gets its first grant.
  /// @returns Whether it was not before.
  bool add(feed_id feed) { return accounts_.try_emplace(feed).second; }
  void remove(feed_id feed) { accounts_.erase(feed); }
  [[nodiscard]] bool has(feed_id feed) const {
    return accounts_.contains(feed);
  }
  /// A new connection counts from 0; what is pinned stays so.
  void reopen();
  [[nodiscard]] std::size_t feeds() const { return accounts_.size(); }
  /// Of each feed. A lower one takes effect as its sink lets go of rows.
  void set_limit(std::uint64_t limit) { limit_ = limit; }
  /// A message down the channel named its totals.
  void on_sent(const std::vector<feed_total>& sent);
  /// A delivery is held in memory, by whomever.
  void pin(feed_id feed, std::uint64_t charge);
  void release(feed_id feed, std::uint64_t charge);
  /// granted_total = highest sent_total seen + limit - pinned.
  [[nodiscard]] std::vector<feed_grant> granted() const;
  /// Whether a grant has grown by a quarter of the limit since `told()`, has
  /// fallen, or was never told: worth a message of its own.
  [[nodiscard]] bool worth_telling() const;
  /// Whether a grant is another one than at `told()`.
  [[nodiscard]] bool changed() const;
  void told();
  [[nodiscard]] std::uint64_t pinned() const;

private:
  struct totals {
    std::uint64_t sent_seen = 0;
    std::uint64_t pinned = 0;
    std::optional<std::uint64_t> told; // on this connection
  };
  [[nodiscard]] std::uint64_t total(const totals& x) const {
    // An oversized delivery may pin more than the limit.
    auto high = x.sent_seen + limit_;
    return high > x.pinned ? high - x.pinned : 0;
  }
  std::uint64_t limit_;
  std::map<feed_id, totals> accounts_;
};

} // namespace sluice
