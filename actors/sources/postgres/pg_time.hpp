#pragma once

#include <cstdint>
#include <string>

/// Dates and times as PostgreSQL holds them, to the text that it prints with
/// datestyle ISO, timezone UTC and intervalstyle postgres.
namespace sluice::postgres {

/// @param days Since 2000-01-01; the ends of its range are infinities.
void append_date(std::int32_t days, std::string& into);
/// @param us Since 2000-01-01; the ends of its range are infinities.
void append_timestamp(std::int64_t us, bool with_zone, std::string& into);
/// @returns Whether it is one, 00:00:00 to 24:00:00.
[[nodiscard]] bool append_time(std::int64_t us, std::string& into);
/// @param seconds_west Of UTC.
/// @returns Whether it is one.
[[nodiscard]] bool append_zone(std::int32_t seconds_west, std::string& into);

struct interval {
  std::int64_t us = 0;
  std::int32_t days = 0;
  std::int32_t months = 0;

  friend bool operator==(const interval&, const interval&) = default;
};
void append_interval(const interval& x, std::string& into);

} // namespace sluice::postgres
