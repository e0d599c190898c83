#include "tests/support/mailbox_bytes.hpp"

#include <caf/mailbox_element.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "messages/type_ids.hpp"

namespace sluice::test {

namespace {

std::uint64_t bytes_of(const block_ptr& block) {
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
      for (const auto& x : message.get_as<delivery>(0).cohort)
        take(x.block);
    } else if (message.match_elements<write_rows>()) {
      for (const auto& x : message.get_as<write_rows>(0).items)
        take(x.block);
      for (const auto& x : message.get_as<write_rows>(0).cohort)
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
  // CAF moves what has come in to the queues by this. Not by fetch_more: it
  // would take an empty mailbox out of the state in which a message wakes it.
  if (actor == nullptr || actor->peek_at_next_mailbox_element() == nullptr)
    return;
  auto look = [&](const caf::mailbox_element& x) { to.add(x.content()); };
  actor->get_normal_queue().peek_all(look);
  actor->get_urgent_queue().peek_all(look);
}

} // namespace

std::uint64_t mailbox_bytes(const service_actors& of) {
  auto result = counter{};
  add(result, of.source);
  add(result, of.schemas);
  add(result, of.broker);
  add(result, of.collector);
  add(result, of.collector_shard);
  for (const auto& x : of.partitions) {
    add(result, x.store);
    add(result, x.disk);
    add(result, x.shard);
  }
  for (const auto& [feed, sink] : of.sinks)
    add(result, sink);
  return result.bytes();
}

} // namespace sluice::test
