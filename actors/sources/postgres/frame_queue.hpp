#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "actors/sources/postgres/pgoutput.hpp"
#include "messages/errc.hpp"

namespace sluice::postgres {

/// What the walsender said, between the thread that listens to it and SOURCE.
/// Bounded: who puts has to look at `full` first.
class frame_queue {
public:
  /// One entry: a payload of pgoutput at its place; or, without a payload, a
  /// place below which nothing more follows.
  struct frame {
    lsn at = 0;
    std::string_view payload;
  };

  explicit frame_queue(std::size_t bytes_max) : bytes_max_{bytes_max} {
    // nop
  }

  // -- the thread that listens ------------------------------------------------

  void put(lsn at, std::string_view payload);
  /// Several in a row are one.
  void put_resolved(lsn at);
  /// What is queued is still taken, then this.
  void end(error why);
  [[nodiscard]] bool full() const;
  /// @see confirm
  [[nodiscard]] lsn confirmed() const;
  [[nodiscard]] bool stopping() const;

  // -- SOURCE -----------------------------------------------------------------

  /// Everything queued, for `next`; empty if there is nothing.
  /// @param wait For a payload, so long at most.
  /// @error That of `end`, when nothing is queued.
  [[nodiscard]] expected<std::string>
  take(std::chrono::milliseconds wait = std::chrono::milliseconds{0});
  /// The server may forget what is below. @returns Whether that is news.
  bool confirm(lsn flushed);
  /// Of the server's log, from what is confirmed to where the server was when
  /// it last said so.
  [[nodiscard]] std::uint64_t retained_bytes() const;
  /// The thread is to end.
  void stop();
  /// Cuts the first frame off `entries`. @pre They came from `take`.
  [[nodiscard]] static frame next(std::string_view& entries) noexcept;

private:
  mutable std::mutex mutex_;
  std::condition_variable arrived_; // a payload, or the end
  bool has_payload_ = false;
  std::string entries_;
  std::size_t last_resolved_ = std::string::npos; // the last entry is one
  error ended_;
  lsn confirmed_ = 0;
  lsn heard_of_ = 0; // the highest place
  bool stopping_ = false;
  std::size_t bytes_max_;
};

} // namespace sluice::postgres
