#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include <tl/expected.hpp>

namespace sluice {

/// Everything that can go wrong and that a caller must tell apart. The order
/// is part of the wire format: append only.
enum class errc : std::uint8_t {
  none = 0,
  // -- ranges and identities
  out_of_range,
  unknown_dispatcher,
  unknown_registration,
  unknown_table,
  table_deleted,
  lost_by_retention,
  schema_not_ready,
  // -- the log
  log_corrupt, // 8
  log_locked,
  log_format_newer,
  log_io,
  disk_full,
  append_out_of_order,
  stale_source,
  // -- sources
  source_rolled_back,
  source_replaced, // 16
  source_unsupported,
  source_unavailable,
  source_schema_changed,
  table_without_key,
  // -- sinks
  sink_unavailable,
  sink_fenced,
  sink_conflict,
  null_in_key, // 24
  // -- use of the API
  invalid_option,
  unknown_feed,
  duplicate_name,
  stopped,
  timed_out,
  malformed,
};

/// Number of codes, for tests and range checks.
inline constexpr std::uint8_t errc_count = 31;

/// The code's name as written above.
[[nodiscard]] std::string_view to_string(errc code) noexcept;
/// One sentence: what it means.
[[nodiscard]] std::string_view meaning(errc code) noexcept;
/// One sentence: what to do about it, if nothing better is known.
[[nodiscard]] std::string_view remedy(errc code) noexcept;

/// What went wrong, where, and what to do. `detail` says what and where in one
/// line, and never what to do: a line has one remedy.
struct error {
  errc code = errc::none;
  std::string detail = {};
  std::string remedy = {}; ///< A sentence; empty: that of the code.

  [[nodiscard]] explicit operator bool() const noexcept {
    return code != errc::none;
  }
  friend bool operator==(const error&, const error&) = default;
  auto fields() { return std::tie(code, detail, remedy); }
};

/// One line for people: "log_locked: <detail>. <remedy>" Whatever breaks lines
/// in a path or in SQL becomes a space.
[[nodiscard]] std::string to_string(const error& x);

template <class T>
using expected = tl::expected<T, error>;

/// Success, or what went wrong.
using status = tl::expected<void, error>;

[[nodiscard]] inline tl::unexpected<error> fail(errc code, std::string detail,
                                                std::string remedy = {}) {
  return tl::unexpected<error>(
    error{code, std::move(detail), std::move(remedy)});
}

} // namespace sluice
