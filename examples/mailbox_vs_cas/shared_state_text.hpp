#pragma once

#include "shared_state.hpp"

/// The steps of the shared state as lines of a schedule.
namespace mailbox_vs_cas {

inline std::string shared_state::value(const access& x) const {
  const auto& of = states_[x.of];
  switch (x.what) {
    case place::pointer:
      return "the state: epoch " + std::to_string(states_[current_].epoch);
    case place::checkpoint:
      return "its checkpoint: " + std::to_string(of.checkpoint);
    case place::sent:
      return "what it has sent: " + std::to_string(of.sent);
    case place::resolved:
      return "resolved: " + std::to_string(resolved_);
    case place::commit:
      return "the last row's ts: " + std::to_string(commit_);
    default:
      return "the floor: " + std::to_string(floor_);
  }
}

inline std::string shared_state::describe(std::size_t chain) const {
  const auto& mine = local_[chain];
  auto next = next_access(chain);
  auto number = [](auto x) { return std::to_string(x); };
  if (chain < first_heartbeat) {
    auto who = name_of(resets[chain]);
    if (!next.writes)
      return who + " loads " + value(next);
    if (current_ != mine.found)
      return who + " fails to swap its state in, has to retry";
    const auto& built = states_[chain + 1];
    return who + " swaps its state in: from " + number(built.sent)
           + ", checkpoint " + number(built.checkpoint);
  }
  if (chain < handlers) {
    const auto& message = heartbeats[chain - first_heartbeat];
    if (!next.writes)
      return name_of(message) + " loads " + value(next);
    if (how_.swaps && states_[mine.found].checkpoint != mine.seen)
      return name_of(message) + " fails to raise the checkpoint";
    return name_of(message) + " stores " + number(message.checkpoint)
           + " in the state of epoch " + number(states_[mine.found].epoch);
  }
  if (chain == notification_chain)
    return next.what == place::commit
             ? "notification stores the last row's ts: " + number(new_commit)
             : "notification stores resolved: " + number(new_resolved);
  if (chain == report_chain)
    return next.writes ? "report raises the floor to " + number(mine.seen)
                       : "report loads " + value(next);
  auto range = "(" + number(mine.from) + ", " + number(mine.to) + "]";
  if (next.what == place::store)
    return "scan asks the store for " + range + "; " + value(next);
  if (next.writes)
    return "scan sends " + range + " of epoch "
           + number(states_[mine.found].epoch)
           + (mine.reads ? "" : ", without having read");
  return "scan loads " + value(next);
}

} // namespace mailbox_vs_cas
