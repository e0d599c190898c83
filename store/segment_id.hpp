#pragma once

#include <bit>
#include <cstdint>

/// What a segment's file is called. An appended one by its number; one that
/// was rewritten by the number of the last one that it replaces and, in the
/// upper half, a generation (`nth`), which no other file there has; a spool
/// file by a number that no segment has and the highest bit.
namespace sluice {

[[nodiscard]] constexpr std::uint64_t
rewritten_segment(std::uint64_t segment, std::uint64_t nth) noexcept {
  return (segment & 0xFFFFFFFF) | nth << 32U;
}

/// 0 for an appended one.
[[nodiscard]] constexpr std::uint64_t
generation_of(std::uint64_t segment) noexcept {
  return segment >> 32U;
}

[[nodiscard]] constexpr std::uint64_t
spool_segment(std::uint64_t number) noexcept {
  return number | std::uint64_t{1} << 63U;
}

[[nodiscard]] constexpr bool is_spool(std::uint64_t segment) noexcept {
  return segment >> 63U != 0;
}

[[nodiscard]] constexpr std::uint64_t
number_of(std::uint64_t segment) noexcept {
  return segment & 0xFFFFFFFF;
}

/// Segments are in the order of their numbers in the log.
struct older_segment {
  constexpr bool operator()(std::uint64_t x, std::uint64_t y) const noexcept {
    return std::rotl(x, 32) < std::rotl(y, 32);
  }
};

} // namespace sluice
