#include "store/log_gaps.hpp"

#include <algorithm>

namespace sluice {

void log_gaps::on_row(row_cursor first) {
  for (auto i = gaps_.rbegin(); i != gaps_.rend() && i->limit == nowhere; ++i) {
    i->limit = first.previous();
    if (i->to != nowhere)
      continue; // a state called it open: no row, but an end mark says more
    i->to = i->limit;
    i->bounded = true;
  }
}

void log_gaps::on_state(block_index last_closed, row_cursor complete_to) {
  for (auto& x : gaps_) {
    if (x.last > last_closed && complete_to <= x.limit) {
      // What is behind the last end mark counts only if it gets one, too.
      x.to = std::max(x.after, complete_to);
      x.bounded = false;
    } else if (complete_to > x.after && !x.bounded) {
      // Also of one that a state before this called open.
      x.to = x.limit = std::min(x.limit, complete_to);
      x.bounded = true;
    }
    // Else the state is from after the loss and knows what was left.
  }
}

void log_gaps::on_end(row_cursor complete_to) {
  for (auto& x : gaps_)
    if (!x.bounded && x.limit < complete_to) {
      x.to = x.limit;
      x.bounded = true;
    }
}

void log_gaps::cut(block_index to) {
  std::erase_if(gaps_, [&](const log_gap& x) { return x.first > to; });
  if (gaps_.empty() || gaps_.back().last < to)
    return;
  // What a state called open in it never gets its end.
  auto& x = gaps_.back();
  x.last = to;
  x.bounded = x.bounded || x.to != nowhere;
}

void log_gaps::forget(block_index first, block_index last) {
  std::erase_if(gaps_, [&](const log_gap& x) {
    return x.first >= first && x.last <= last;
  });
}

const log_gap* log_gaps::behind(row_cursor after) const noexcept {
  auto found = std::find_if(gaps_.begin(), gaps_.end(), [&](const log_gap& x) {
    return x.counts() && x.to > after;
  });
  return found == gaps_.end() ? nullptr : &*found;
}

const log_gap* log_gaps::with_end(row_cursor complete_to) const noexcept {
  auto found = std::find_if(
    gaps_.rbegin(), gaps_.rend(),
    [&](const log_gap& x) { return x.after < complete_to; });
  return found == gaps_.rend() ? nullptr : &*found;
}

bool log_gaps::within(block_index first, block_index last) const noexcept {
  return std::any_of(gaps_.begin(), gaps_.end(), [&](const log_gap& x) {
    return x.first <= last && x.last >= first;
  });
}

std::uint64_t log_gaps::blocks() const noexcept {
  auto result = std::uint64_t{0};
  for (const auto& x : gaps_)
    result += x.last.value - x.first.value + 1;
  return result;
}

timestamp log_gaps::highest(block_index first, block_index last) const {
  auto result = timestamp{};
  for (const auto& x : gaps_)
    if (x.first >= first && x.last <= last)
      result = std::max(result, x.to.commit_ts);
  return result;
}

} // namespace sluice
