#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace sluice {

/// How fast a copy goes on, and how long it will take: both of the whole copy,
/// because several tables are copied at once.
class copy_pace_state {
public:
  struct pace {
    std::uint64_t rate = 0;         ///< Rows per second; 0: not known yet.
    std::uint64_t seconds_left = 0; ///< 0: not known.

    friend bool operator==(const pace&, const pace&) = default;
  };

  /// @param total An estimate.
  pace on_rows(std::uint64_t done, std::uint64_t total,
               std::chrono::milliseconds now) {
    constexpr auto long_enough = std::uint64_t{500};
    if (!begun_ || done < last_)
      begun_ = begin{now, done}; // the first, or it began again
    last_ = done;
    auto passed = static_cast<std::uint64_t>((now - begun_->at).count());
    if (passed < long_enough)
      return {};
    auto result = pace{(done - begun_->done) * 1'000 / passed, 0};
    if (result.rate > 0 && total > done)
      result.seconds_left = (total - done + result.rate - 1) / result.rate;
    return result;
  }

private:
  struct begin {
    std::chrono::milliseconds at{};
    std::uint64_t done = 0;
  };
  std::optional<begin> begun_;
  std::uint64_t last_ = 0;
};

} // namespace sluice
