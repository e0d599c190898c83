#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "messages/errc.hpp"

namespace sluice::postgres {

/// Some rows of one table.
struct copied_piece {
  std::size_t table = 0;
  std::string lines; ///< As COPY writes them in text format.
  bool last = false; ///< Of the table.
};

/// Between the threads that copy tables and SOURCE. Bounded: who puts waits.
class piece_queue {
public:
  piece_queue(std::size_t tables, std::size_t bytes_max)
    : tables_{tables}, bytes_max_{bytes_max} {
    // nop
  }

  // -- threads that copy ------------------------------------------------------

  /// A table that nobody has begun; none when there are no more.
  [[nodiscard]] std::optional<std::size_t> next_table() {
    auto lock = std::lock_guard{mutex_};
    if (begun_ == tables_ || stopping_)
      return std::nullopt;
    return begun_++;
  }
  /// @returns Whether to go on.
  bool put(copied_piece x) {
    auto lock = std::unique_lock{mutex_};
    room_.wait(lock, [this] { return stopping_ || bytes_ < bytes_max_; });
    if (stopping_)
      return false;
    bytes_ += x.lines.size();
    pieces_.push_back(std::move(x));
    arrived_.notify_one();
    return true;
  }
  /// Only the first counts.
  void fail_with(error why) {
    auto lock = std::lock_guard{mutex_};
    if (!failure_)
      failure_ = std::move(why);
    arrived_.notify_one();
  }

  // -- SOURCE -----------------------------------------------------------------

  /// None if nothing came.
  /// @param wait For a piece, so long at most.
  [[nodiscard]] expected<std::optional<copied_piece>>
  take(std::chrono::milliseconds wait) {
    auto lock = std::unique_lock{mutex_};
    arrived_.wait_for(lock, wait,
                      [this] { return !pieces_.empty() || failure_; });
    if (failure_)
      return tl::unexpected<error>{failure_};
    auto result = std::optional<copied_piece>{};
    if (pieces_.empty())
      return result;
    result = std::move(pieces_.front());
    pieces_.pop_front();
    bytes_ -= result->lines.size();
    room_.notify_all();
    return result;
  }
  void stop() {
    auto lock = std::lock_guard{mutex_};
    stopping_ = true;
    room_.notify_all();
  }

private:
  std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable arrived_; // a piece, or a failure
  std::size_t tables_;
  std::size_t bytes_max_;
  std::size_t begun_ = 0;
  std::deque<copied_piece> pieces_;
  std::size_t bytes_ = 0;
  error failure_;
  bool stopping_ = false;
};

} // namespace sluice::postgres
