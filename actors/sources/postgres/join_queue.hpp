#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/sources/postgres/captured_tables.hpp"
#include "actors/sources/postgres/pg_connection.hpp"
#include "actors/sources/postgres/replication_stream.hpp"
#include "actors/sources/postgres/table_copies.hpp"

namespace sluice::postgres {

/// Tables that came later, and all that it takes to let them in. Without copies
/// and stream they are not copied, and go on at once.
struct prepared_join {
  std::string where; ///< For messages.
  std::vector<captured_table> tables;
  type_names types;
  lsn consistent = 0; ///< The copies have what commits before.
  std::unique_ptr<table_copies> copies;
  std::unique_ptr<replication_stream> stream; ///< What commits after.
};

/// Between the thread that looks for tables and SOURCE.
class join_queue {
public:
  /// @param known The tables that are captured.
  explicit join_queue(table_names known) : known_{std::move(known)} {
    // nop
  }

  // -- the thread that looks --------------------------------------------------

  /// Waits for `time` and for the join before, and at most until `stop`.
  /// @returns Whether to go on.
  [[nodiscard]] bool wait(std::chrono::milliseconds time) {
    auto lock = std::unique_lock{mutex_};
    changed_.wait_for(lock, time, [this] { return stopping_; });
    changed_.wait(lock, [this] { return stopping_ || !busy_; });
    return !stopping_;
  }
  /// None if the table is not captured.
  [[nodiscard]] std::optional<oid> relation_of(const std::string& table) const {
    auto lock = std::lock_guard{mutex_};
    auto found = known_.find(table);
    return found == known_.end() ? std::nullopt : std::optional{found->second};
  }
  /// A table that is captured has a gap: SOURCE has to end.
  void fail_with(error gap) {
    auto lock = std::lock_guard{mutex_};
    gap_ = std::move(gap);
  }
  /// `stop` cancels what runs on it; null: on nothing.
  /// @returns What was in use before.
  const connection* use(const connection* x) {
    auto lock = std::lock_guard{mutex_};
    return std::exchange(in_use_, x);
  }
  void put(prepared_join x) {
    auto lock = std::lock_guard{mutex_};
    busy_ = true;
    prepared_ = std::move(x);
  }
  /// Tables that match and can't be captured, and why.
  void leaves_out(std::vector<std::string> x) {
    auto lock = std::lock_guard{mutex_};
    left_out_ = std::move(x);
  }
  /// It has looked. @param failure Why what it found has to wait, if it has to.
  void looked(error failure) {
    auto lock = std::lock_guard{mutex_};
    looked_ = true;
    failure_ = std::move(failure);
  }

  /// It is the last call.
  void ended() {
    auto lock = std::lock_guard{mutex_};
    ended_ = true;
    changed_.notify_all();
  }

  // -- SOURCE -----------------------------------------------------------------

  /// @error Of `fail_with`.
  [[nodiscard]] expected<std::optional<prepared_join>> take() {
    auto lock = std::lock_guard{mutex_};
    if (gap_)
      return tl::unexpected{gap_};
    return std::exchange(prepared_, std::nullopt);
  }
  /// What was taken came to its end. @param joined Tables that are captured.
  void end(const table_names& joined, error failure = {}) {
    auto lock = std::lock_guard{mutex_};
    known_.insert(joined.begin(), joined.end());
    busy_ = false;
    if (failure)
      failure_ = std::move(failure);
    changed_.notify_all();
  }
  /// It is captured no more: it may join again.
  void forget(const std::string& table) {
    auto lock = std::lock_guard{mutex_};
    known_.erase(table);
  }
  /// Nothing is known to wait for: it has looked, and what it found is done.
  [[nodiscard]] bool idle() const {
    auto lock = std::lock_guard{mutex_};
    return looked_ && !busy_;
  }
  /// None before it has looked.
  [[nodiscard]] std::optional<std::vector<std::string>> left_out() const {
    auto lock = std::lock_guard{mutex_};
    return left_out_;
  }
  [[nodiscard]] error failure() const {
    auto lock = std::lock_guard{mutex_};
    return failure_;
  }
  /// Waits until the thread has ended. What runs is cancelled, and so is what
  /// begins meanwhile: a cancel between two commands ends neither.
  void stop() {
    constexpr auto again = std::chrono::milliseconds{20};
    auto lock = std::unique_lock{mutex_};
    stopping_ = true;
    changed_.notify_all();
    while (!ended_) {
      if (in_use_ != nullptr)
        in_use_->cancel();
      changed_.wait_for(lock, again, [this] { return ended_; });
    }
  }

private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  table_names known_;
  const connection* in_use_ = nullptr;
  std::optional<prepared_join> prepared_;
  bool busy_ = false;   // from `put` to `end`
  bool looked_ = false; // once, at least
  std::optional<std::vector<std::string>> left_out_;
  error failure_;
  error gap_;
  bool stopping_ = false;
  bool ended_ = false;
};

} // namespace sluice::postgres
