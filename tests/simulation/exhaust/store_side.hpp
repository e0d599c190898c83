#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "actors/event_store_state.hpp"
#include "store/memory_log.hpp"
#include "tests/simulation/exhaust/facts.hpp"

namespace sluice::exploration {

/// EVENT_STORE with its log in memory; what blocks is done at once.
class store_side {
public:
  using answers = std::vector<std::variant<progress, scan_answer>>;

  explicit store_side(const facts& truth);
  store_side(const store_side& other);
  store_side& operator=(const store_side&) = delete;
  ~store_side() = default;

  /// The next of the script.
  [[nodiscard]] answers append();
  [[nodiscard]] std::size_t appended() const { return appended_; }
  [[nodiscard]] answers on_attach() { return run(state_.on_attach_shard(0)); }
  [[nodiscard]] answers on_taken(const progress_taken& x) {
    return run(state_.on_progress_taken(0, x));
  }
  [[nodiscard]] answers on_scan(const scan_request& x) {
    return run(state_.on_scan_request(0, x));
  }
  [[nodiscard]] answers on_floor(const floor_report& x) {
    return run(state_.on_floor_report(x, now_));
  }
  /// Lets go of what nobody needs.
  [[nodiscard]] answers release();
  [[nodiscard]] timestamp floor_of(table_id table) const {
    return state_.floor_of(table);
  }
  [[nodiscard]] std::uint64_t out_of_range() const {
    return state_.status().out_of_range;
  }

private:
  struct perform;
  answers run(event_store_state::effects effects);
  [[nodiscard]] log_position position() const;

  const facts* truth_;
  event_store_state state_;
  std::unique_ptr<log_engine> log_;
  std::size_t appended_ = 0;
  std::chrono::milliseconds now_{0};
};

} // namespace sluice::exploration
