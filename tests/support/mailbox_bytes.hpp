#pragma once

#include <cstdint>

#include <caf/mailbox_element.hpp>
#include <caf/scheduled_actor.hpp>

#include "actors/service_actors.hpp"

/// How many bytes of rows lie in the mailboxes of a service's actors.
namespace sluice::test {

namespace mailbox_detail {

inline std::uint64_t bytes_of(const block_ptr& block) {
  return block == nullptr ? 0 : block->footprint();
}

/// A block counts once for each message that holds it.
class counter {
public:
  void add(const caf::type_erased_tuple& message) {
    auto before = block_ptr{}; // the items of a message share blocks
    auto take = [&](const block_ptr& block) {
      if (block != before)
        bytes_ += bytes_of(block);
      before = block;
    };
    if (message.match_elements<append_rows>()) {
      take(message.get_as<append_rows>(0).block);
    } else if (message.match_elements<progress>()) {
      for (const auto& x : message.get_as<progress>(0).blocks)
        take(x.block);
    } else if (message.match_elements<scan_answer>()) {
      for (const auto& result : message.get_as<scan_answer>(0).results)
        for (const auto& x : result.rows)
          take(x.block);
    } else if (message.match_elements<delivery>()) {
      for (const auto& x : message.get_as<delivery>(0).items)
        take(x.block);
    } else if (message.match_elements<write_rows>()) {
      for (const auto& x : message.get_as<write_rows>(0).items)
        take(x.block);
    }
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

private:
  std::uint64_t bytes_ = 0;
};

template <class Handle>
void add(counter& to, const Handle& of) {
  auto* actor = dynamic_cast<caf::scheduled_actor*>(
    caf::actor_cast<caf::abstract_actor*>(of));
  if (actor == nullptr)
    return;
  if (actor->mailbox().blocked())
    return; // It is empty, and must stay as it is to be woken by a message.
  actor->mailbox().fetch_more();
  auto look = [&](const caf::mailbox_element& x) { to.add(x.content()); };
  actor->get_normal_queue().peek_all(look);
  actor->get_urgent_queue().peek_all(look);
}

} // namespace mailbox_detail

/// @pre No actor runs: the scheduler is turned by hand.
[[nodiscard]] inline std::uint64_t mailbox_bytes(const service_actors& of) {
  auto result = mailbox_detail::counter{};
  mailbox_detail::add(result, of.source);
  mailbox_detail::add(result, of.schemas);
  mailbox_detail::add(result, of.broker);
  mailbox_detail::add(result, of.collector);
  mailbox_detail::add(result, of.collector_shard);
  for (const auto& x : of.partitions) {
    mailbox_detail::add(result, x.store);
    mailbox_detail::add(result, x.disk);
    mailbox_detail::add(result, x.shard);
  }
  for (const auto& [feed, sink] : of.sinks)
    mailbox_detail::add(result, sink);
  return result.bytes();
}

} // namespace sluice::test
