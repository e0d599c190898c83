#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "actors/service.hpp"
#include "copy_note.hpp"

/// What a service says of its source, its log and one feed.
struct copy_state {
  sluice::source_status source;
  sluice::feed_status feed;
  std::vector<sluice::store_status> log;

  [[nodiscard]] static sluice::expected<copy_state>
  of(sluice::service& service, const std::string& feed) {
    auto from = service.source();
    auto to = service.status_of(feed);
    auto log = service.log();
    if (!from || !to || !log)
      return tl::unexpected<sluice::error>{!from ? from.error()
                                           : !to ? to.error()
                                                 : log.error()};
    return copy_state{std::move(*from), std::move(*to), std::move(*log)};
  }

  /// The source has nothing more, and the sink has it all.
  [[nodiscard]] bool caught_up() const {
    return source.idle && !source.failure && feed.tables > 0
           && feed.resolved >= source.resolved && feed.unflushed.empty();
  }
  /// Rows wait for room on the log's disk.
  [[nodiscard]] sluice::error full() const {
    for (const auto& part : log)
      if (part.full)
        return part.full;
    return {};
  }
  /// What the upstream keeps because of the feed, where it is worth a word.
  [[nodiscard]] std::string kept() const {
    constexpr auto little = std::uint64_t{1} << 20U;
    if (source.held_back.empty() || source.retained_bytes < little)
      return {};
    return "; " + source.held_back;
  }
  /// Which tables are not captured, and why, one after the other.
  [[nodiscard]] std::string left_out() const {
    return fmt::format("{}", fmt::join(source.left_out, "; "));
  }
  /// Timestamps are the source's change numbers: their distance is the lag.
  [[nodiscard]] std::string note() const {
    if (source.failure)
      return to_string(source.failure);
    if (feed.failure)
      return to_string(feed.failure);
    if (auto disk = full())
      return to_string(disk);
    if (!source.copying.empty())
      return copy_note(source);
    auto behind = source.resolved.value
                  - std::min(source.resolved.value, feed.resolved.value);
    return fmt::format("{} changes behind", behind);
  }
};

/// Decides which failure ends a copy, and when.
struct copy_watch {
  /// How long nothing may become durable while something fails that may pass
  /// by itself; none: for ever.
  std::optional<std::chrono::milliseconds> patience;

  /// @returns What ends the copy, if anything does.
  [[nodiscard]] sluice::error ended_by(const copy_state& x) {
    using sluice::errc;
    for (const auto& part : x.log)
      if (part.failure)
        return part.failure; // A restart recovers.
    const auto& from = x.source.failure;
    // A database that was there before may come back; space may be made.
    auto comes_back = from.code == errc::source_unavailable
                      && x.source.resolved != sluice::timestamp{};
    if (from && !comes_back && from.code != errc::disk_full)
      return from;
    const auto& to = x.feed.failure;
    if (to && (x.feed.stopped || to.code != errc::sink_unavailable))
      return to;
    auto durable = std::tuple{x.source.confirmed, x.feed.checkpoint,
                              x.feed.rows_durable};
    if (std::exchange(durable_, durable) != durable)
      failing_since_.reset();
    auto disk = x.full();
    if (!from && !to && !disk)
      return {};
    auto now = clock::now();
    if (!failing_since_)
      failing_since_ = now;
    if (patience && now - *failing_since_ >= *patience)
      return from ? from : disk ? disk : to;
    return {};
  }

  /// It is all there, and the source was told, so that it notices at the next
  /// start if it went back. Its lock may be in the way: not for long.
  [[nodiscard]] bool has_all(const copy_state& x) {
    if (!x.caught_up()) {
      caught_up_since_.reset();
      return false;
    }
    auto now = clock::now();
    if (!caught_up_since_)
      caught_up_since_ = now;
    return x.source.confirmed >= x.source.resolved
           || (patience && now - *caught_up_since_ >= *patience);
  }

private:
  using clock = std::chrono::steady_clock;

  std::tuple<sluice::timestamp, sluice::timestamp, std::uint64_t> durable_{};
  std::optional<clock::time_point> failing_since_;
  std::optional<clock::time_point> caught_up_since_;
};
