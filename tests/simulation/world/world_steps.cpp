#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "tests/simulation/world/world.hpp"

/// Time and choice: who does what next, and what goes wrong.
namespace sluice::simulation {

using namespace std::chrono_literals;
using test::disk_call;

namespace {

constexpr auto patience = 60'000ms; // virtual, to converge without faults
constexpr auto patience_steps = std::uint64_t{60'000};

// What stands in for an actor beyond the link has no name of its own.
std::string_view name_of(const caf::scheduled_actor& x) {
  auto name = std::string_view{x.name()};
  return name == "scheduled_actor" ? "  to the link:" : name;
}

} // namespace

outcome world::run() {
  // It may be chosen that nobody goes on: acts end it, too.
  while (result_.steps < how_.steps && acts_ < 50 * how_.steps
         && !checks_.broken())
    act();
  if (!checks_.broken())
    settle();
  result_.broken = checks_.broken();
  result_.planted = checks_.planted_one();
  result_.rows = truth_.all().size();
  result_.faults = faults_;
  result_.evaluations = checks_.evaluations();
  result_.probes = checks_.probes();
  result_.choices = choose_.taken();
  return std::move(result_);
}

void world::note(const std::string& what) {
  if (watch_)
    watch_(fmt::format("{:>6} {}", result_.steps, what));
}

// -- one step -----------------------------------------------------------------

// None: nobody is ready but the one that does nothing.
std::optional<std::size_t> world::choose_actor() {
  const auto& jobs = jobs_.jobs;
  if (jobs.empty())
    return {};
  auto at = order_.choose(jobs, choose_);
  if (!waits(actor_of(jobs[at]).id()))
    return at;
  if (jobs.size() == 1)
    return {};
  return (at + 1) % jobs.size();
}

bool world::step_actor() {
  auto at = choose_actor();
  if (!at)
    return false;
  auto& jobs = jobs_.jobs;
  auto next = jobs.begin() + static_cast<std::ptrdiff_t>(*at);
  std::rotate(jobs.begin(), next, next + 1);
  auto& actor = actor_of(jobs.front());
  auto id = actor.id();
  if (id == slow_)
    slow_until_ = acts_ + slow_by_;
  auto kind = std::uint64_t{0};
  auto watched = false;
  if (auto* message = actor.peek_at_next_mailbox_element()) {
    const auto& content = message->content();
    kind = arrival::kind_of(content);
    if (watch_)
      note(fmt::format("{} {}", name_of(actor), to_string(content)));
    before_step({content, kind}, id);
    watched = source_waits_ && id == actors_.schemas->id()
              && arrival{content, kind}.as<watch_tables>() != nullptr;
  }
  result_.trace = (result_.trace ^ id ^ kind) * 0x100000001B3ULL;
  jobs_.run_once();
  ++result_.steps;
  if (watched) {
    source_waits_ = false;
    start_source();
  }
  if (actors_.collector_shard && id == actors_.collector_shard->id())
    note_restored();
  for (auto& p : partitions_) // Only its own steps change what it holds.
    if (id == p.shard_id)
      check_shard(p);
    else if (id == p.store_id)
      check_store(p);
  return true;
}

bool world::step_link(bool faulty) {
  auto waiting = std::vector<lane*>{};
  for (auto& p : partitions_) {
    if (!p.down.empty())
      waiting.push_back(&p.down);
    if (!p.up.empty())
      waiting.push_back(&p.up);
  }
  if (!asks_.empty() && !asks_wait_)
    waiting.push_back(&asks_);
  if (waiting.empty())
    return false;
  auto& next = *waiting[choose_.roll(waiting.size())];
  if (faulty)
    next.step(how_, &next == &asks_ ? fault::look_up_lost : fault::lose,
              choose_, faults_);
  else
    next.step();
  return true;
}

void world::advance(std::chrono::milliseconds by) {
  jobs_.advance_time(by);
  note(fmt::format("time passes: {} ms", by.count()));
}

// -- while things fail --------------------------------------------------------

void world::act() {
  ++acts_;
  auto roll = choose_.roll(100);
  if (roll < 72) {
    if (!step_actor() && !step_link(true))
      advance(20ms);
  } else if (roll < 88) {
    (void) step_link(true);
  } else if (roll < 93) {
    if (result_.steps >= how_.busy) {
      truth_.settle(); // What is lost from now on no later row makes good.
    } else if (choose_.percent(how_.ddl)) {
      truth_.change_schema(choose_);
      note("a schema changes");
    } else {
      truth_.commit(choose_);
      note("a transaction is committed");
    }
  } else if (roll < 97) {
    advance(std::chrono::milliseconds{1 + choose_.roll(200)});
  } else {
    misbehave();
  }
}

void world::stall(caf::actor_id who, std::uint64_t acts) {
  stalled_ = who;
  stalled_until_ = acts_ + acts;
}

bool world::waits(caf::actor_id who) const {
  return (who == stalled_ && acts_ < stalled_until_)
         || (who == slow_ && acts_ < slow_until_);
}

bool world::happens(fault x) {
  if (how_.of(x) == 0 || !choose_.percent(how_.of(x)))
    return false;
  ++faults_[static_cast<std::size_t>(x)];
  note(fmt::format("** {}", fault_kinds[static_cast<std::size_t>(x)].name));
  return true;
}

reset_streams world::changed(partition& p, reset_streams x) {
  for (auto& entry : x.entries)
    if (happens(fault::asks_for_less)) {
      auto less = 1 + choose_.roll(20);
      entry.reset_ts.value -= std::min(entry.reset_ts.value, less);
      p.ear->on_asked_for_less(entry);
    }
  return x;
}

void world::misbehave() {
  fail_targets();
  fail_disks();
  asks_wait_ = happens(fault::look_up_slow);
  if (happens(fault::cut)) {
    auto& p = partitions_[choose_.roll(partitions_.size())];
    if (!p.down.empty())
      checks_.probe("link cut with messages on it");
    cut_link(p);
  }
  if (happens(fault::clock_jumps))
    advance(std::chrono::milliseconds{1'000 + choose_.roll(60'000)});
  if (happens(fault::source_fails))
    *source_fails_ = 1 + choose_.roll(3);
  if (happens(fault::feed_leaves)) {
    if (subscribed_.contains(goes))
      unsubscribe(goes);
    else
      subscribe(goes);
  }
  end_roles();
  if (happens(fault::role_slow)) {
    auto roles = std::vector<caf::actor_id>{
      actors_.collector->id(), actors_.collector_shard->id(),
      actors_.schemas->id(), actors_.broker->id()};
    for (const auto& p : partitions_)
      roles.insert(roles.end(), {p.store_id, p.shard_id, p.disk_id});
    slow_ = roles[choose_.roll(roles.size())];
    slow_by_ = 1 + choose_.roll(150);
  }
}

void world::fail_targets() {
  auto feed = choose_.roll(feeds);
  auto& target = *targets_[feed];
  if (choose_.percent(30))
    target.back_up();
  if (happens(fault::sink_fails))
    target.fail(1 + choose_.roll(4));
  if (happens(fault::sink_restored)) {
    target.restore();
    note_restored();
  }
  if (!subscribed_.contains(feed))
    return;
  if (happens(fault::sink_stalls))
    stall(actors_.sinks.at(records_[feed].id)->id(), 10 + choose_.roll(200));
  if (happens(fault::sink_ends)) {
    end_sink(feed);
    subscribe(feed);
  }
}

void world::fail_disks() {
  auto& p = partitions_[choose_.roll(partitions_.size())];
  if (p.media == nullptr)
    return;
  if (happens(fault::disk_fails)) {
    constexpr auto calls = std::array{disk_call::write, disk_call::sync,
                                      disk_call::read, disk_call::name};
    p.media->fail(calls[choose_.roll(calls.size())], 1 + choose_.roll(6),
                  1 + choose_.roll(2));
  }
  if (happens(fault::disk_full))
    p.media->fill_up(choose_.roll(3'000));
  else if (choose_.percent(50))
    p.media->make_space();
}

// Each loses its mailboxes and its memory, and starts again.
void world::end_roles() {
  if (happens(fault::collecting_ends)) {
    end_collecting(happens(fault::sink_stale));
    start_collecting();
    if (!former_sinks_.empty() && choose_.percent(70)) // later than the next
      stall(former_sinks_[choose_.roll(former_sinks_.size())]->id(), 100);
  } else if (happens(fault::brokering_ends)) {
    end_broker();
    start_broker();
  } else if (happens(fault::serving_ends)) {
    end_serving(false);
    start_serving();
  } else if (!source_waits_ && happens(fault::source_ends)) {
    end_source();
    start_source();
  } else if (happens(fault::process_ends)) {
    end_process(false);
  } else if (happens(fault::power_lost)) {
    end_process(true);
  }
}

void world::end_process(bool power_lost) {
  end_collecting(false);
  end_serving(power_lost);
  start_serving();
  start_collecting();
}

// -- when nothing fails any more ----------------------------------------------

void world::heal() {
  note("nothing fails any more");
  truth_.settle();
  for (auto& x : targets_)
    x->heal();
  *source_fails_ = 0;
  asks_wait_ = false;
  stalled_ = slow_ = 0;
  for (auto& p : partitions_)
    p.heal();
  if (!subscribed_.contains(goes))
    subscribe(goes);
  // A sink hears of a restore at its next call, and there may be none.
  for (auto feed : std::set<std::size_t>{subscribed_})
    if (targets_[feed]->restored()) {
      end_sink(feed);
      subscribe(feed);
    }
  // What was said to be durable may not be: nobody gets on with that log.
  if (has_failed({disk_call::sync, disk_call::read}))
    end_process(false);
}

bool world::has_failed(std::initializer_list<disk_call> calls) const {
  for (const auto& p : partitions_)
    for (auto x : calls)
      if (p.has_failed(x))
        return true;
  return false;
}

// Everybody must get everything, and soon.
void world::settle() {
  heal();
  auto half = result_.steps + patience_steps / 2;
  auto last = result_.steps + patience_steps;
  auto restarted = false;
  auto more = [&] { return !checks_.broken() && result_.steps < last; };
  for (auto left = patience; left > 0ms && more(); left -= 200ms) {
    if (!restarted && (left <= patience / 2 || result_.steps > half)
        && has_failed({disk_call::name})) {
      // A name that could not be synced: the log waits for a restart.
      checks_.probe("restart by hand after a name failed");
      restarted = true;
      end_process(false);
    }
    for (auto busy = true; busy && more();) {
      busy = step_actor();
      busy = step_link(false) || busy;
    }
    if (!more() || (converged() && even()))
      break;
    advance(200ms);
  }
  if (checks_.broken())
    return;
  checks_.check(rule::l1, converged(), [&] { return why_not(); });
  check_rest();
}

} // namespace sluice::simulation
