#include "actors/sources/postgres/pg_time.hpp"

#include <limits>
#include <utility>

namespace sluice::postgres {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t hour_us = 3'600 * second_us;
constexpr std::int64_t day_us = 24 * hour_us;

template <class T>
bool append_infinite(T x, std::string& into) {
  using limits = std::numeric_limits<T>;
  if (x == limits::max())
    into += "infinity";
  else if (x == limits::min())
    into += "-infinity";
  return x == limits::max() || x == limits::min();
}

void append_padded(std::uint64_t x, std::size_t width, std::string& into) {
  auto digits = std::to_string(x);
  if (digits.size() < width)
    into.append(width - digits.size(), '0');
  into += digits;
}

// As long as needed: hours of an interval may be many.
void append_clock(std::uint64_t us, std::string& into) {
  auto seconds = us / second_us;
  append_padded(seconds / 3600, 2, into);
  into += ':';
  append_padded(seconds / 60 % 60, 2, into);
  into += ':';
  append_padded(seconds % 60, 2, into);
  if (us % second_us == 0)
    return;
  into += '.';
  append_padded(us % second_us, 6, into);
  into.erase(into.find_last_not_of('0') + 1);
}

/// In eras of 400 years, counted from March 1, 0000.
/// @returns Whether it is before the common era, which is said at the end.
/// @source Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
bool append_day(std::int64_t days, std::string& into) {
  constexpr auto march_0000 = std::int64_t{730'425}; // before 2000-01-01
  constexpr auto era_days = std::int64_t{146'097};
  days += march_0000;
  auto era = (days >= 0 ? days : days - era_days + 1) / era_days;
  auto of_era = days - era * era_days;
  auto year_of_era = (of_era - of_era / 1'460 + of_era / 36'524
                      - of_era / 146'096)
                     / 365;
  auto of_year = of_era
                 - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  auto shifted = (5 * of_year + 2) / 153; // 0: March
  auto day = of_year - (153 * shifted + 2) / 5 + 1;
  auto month = shifted < 10 ? shifted + 3 : shifted - 9;
  auto year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
  append_padded(static_cast<std::uint64_t>(year > 0 ? year : 1 - year), 4,
                into);
  into += '-';
  append_padded(static_cast<std::uint64_t>(month), 2, into);
  into += '-';
  append_padded(static_cast<std::uint64_t>(day), 2, into);
  return year <= 0;
}

/// The parts of an interval in front of its time.
class interval_text {
public:
  explicit interval_text(std::string& into) : into_{into} {
    // nop
  }
  void add(std::int32_t x, const char* unit) {
    if (x == 0)
      return;
    begin(x < 0);
    into_ += std::to_string(x) + ' ' + unit + (x == 1 ? "" : "s");
    negative_before_ = x < 0;
  }
  void add_time(std::int64_t us) {
    if (us == 0 && any_)
      return;
    begin(us < 0);
    if (us < 0)
      into_ += '-';
    append_clock(us < 0 ? 0 - static_cast<std::uint64_t>(us)
                        : static_cast<std::uint64_t>(us),
                 into_);
  }

private:
  // A sign is a part's own: behind a negative one a plus says so.
  void begin(bool negative) {
    if (any_)
      into_ += ' ';
    if (negative_before_ && !negative)
      into_ += '+';
    any_ = true;
  }

  std::string& into_;
  bool any_ = false;
  bool negative_before_ = false;
};

} // namespace

void append_date(std::int32_t days, std::string& into) {
  if (!append_infinite(days, into) && append_day(days, into))
    into += " BC";
}

void append_timestamp(std::int64_t us, bool with_zone, std::string& into) {
  if (append_infinite(us, into))
    return;
  auto time = us % day_us;
  auto day = us / day_us;
  if (time < 0) {
    time += day_us;
    --day;
  }
  auto before = append_day(day, into);
  into += ' ';
  append_clock(static_cast<std::uint64_t>(time), into);
  if (with_zone)
    into += "+00";
  if (before)
    into += " BC";
}

bool append_time(std::int64_t us, std::string& into) {
  if (us < 0 || us > day_us)
    return false;
  append_clock(static_cast<std::uint64_t>(us), into);
  return true;
}

bool append_zone(std::int32_t seconds_west, std::string& into) {
  constexpr auto end = 16 * 3600; // TZDISP_LIMIT
  if (seconds_west <= -end || seconds_west >= end)
    return false;
  into += seconds_west > 0 ? '-' : '+';
  auto seconds = static_cast<std::uint64_t>(seconds_west < 0 ? -seconds_west
                                                             : seconds_west);
  append_padded(seconds / 3600, 2, into);
  for (auto [part, shown] : {std::pair{seconds / 60 % 60, seconds % 3600 != 0},
                             std::pair{seconds % 60, seconds % 60 != 0}})
    if (shown) {
      into += ':';
      append_padded(part, 2, into);
    }
  return true;
}

void append_interval(const interval& x, std::string& into) {
  using us_limits = std::numeric_limits<std::int64_t>;
  using limits = std::numeric_limits<std::int32_t>;
  // Infinities since PostgreSQL 17; no interval of before is so long.
  if (x == interval{us_limits::max(), limits::max(), limits::max()}) {
    into += "infinity";
    return;
  }
  if (x == interval{us_limits::min(), limits::min(), limits::min()}) {
    into += "-infinity";
    return;
  }
  constexpr auto year_months = 12;
  auto text = interval_text{into};
  text.add(x.months / year_months, "year");
  text.add(x.months % year_months, "mon");
  text.add(x.days, "day");
  text.add_time(x.us);
}

} // namespace sluice::postgres
