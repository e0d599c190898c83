#include "tests/simulation/exhaust/store_side.hpp"

#include <utility>

namespace sluice::exploration {

// As the actor does it.
struct store_side::perform {
  store_side& self;
  answers& out;

  void operator()(call_append& x) const {
    auto done = self.log_->append(x.block, x.resolved);
    auto failure = done ? error{} : done.error();
    then(self.state_.on_appended(x, done ? std::move(*done) : nullptr, failure,
                                 self.position(), self.now_));
  }
  void operator()(call_abandon&) const {
    then(self.state_.on_abandoned({}, self.position(), self.now_));
  }
  void operator()(call_begin_sync&) const {
    then(self.state_.on_sync_begun(self.log_->begin_sync()));
  }
  void operator()(call_synced& x) const {
    self.log_->synced(x.order);
    then(self.state_.on_synced(self.position(), self.now_));
  }
  void operator()(call_retained& x) const {
    then(self.state_.on_retained(self.log_->retained(x.budget), self.now_));
  }
  void operator()(call_releasable&) const {
    then(self.state_.on_releasable(self.log_->releasable(
      [this](table_id table) { return self.state_.floor_of(table); })));
  }
  void operator()(call_release&) const {
    then(self.state_.on_released(self.log_->release(
      [this](table_id table) { return self.state_.release_floor(table); })));
  }
  void operator()(call_plan_rewrite&) const {
    // Nothing is rewritten here.
  }
  void operator()(call_rewritten&) const {
    // Nothing is rewritten here.
  }
  void operator()(call_rewrite_failed&) const {
    // Nothing is rewritten here.
  }
  void operator()(plan_scans& x) const {
    then(self.state_.on_planned(x.ticket, self.log_->plan_scans(x.wishes),
                                self.now_));
  }
  void operator()(note_lost& x) const {
    then(self.state_.on_lost_noted({std::move(x.lost), {}}, self.now_));
  }
  void operator()(remove_segments& x) const {
    (void) self.log_->disk()->remove(x.segments);
  }
  void operator()(send_progress& x) const {
    out.emplace_back(std::move(x.message));
  }
  void operator()(answer_scan& x) const {
    out.emplace_back(std::move(x.message));
  }
  template <class Other>
  void operator()(Other&) const {
    // To the source, to the disk, or a timer.
  }

private:
  void then(event_store_state::effects effects) const {
    for (auto& x : effects)
      std::visit(*this, x);
  }
};

store_side::store_side(const facts& truth)
  : truth_{&truth}, log_{make_memory_log()} {
  (void) run(state_.on_opened(position(), now_));
  (void) run(state_.on_attach_source({{1}}));
  auto known = feeds_loaded{};
  known.feeds.push_back({{1}, "f", {{"*"}, {}, feed_order::table}});
  for (const auto& [table, versions] : truth.tables())
    known.tables.push_back(truth.info(table));
  (void) run(state_.on_feeds_loaded(known, now_));
}

// @pre Nothing was let go of.
store_side::store_side(const store_side& other)
  : truth_{other.truth_}, state_{other.state_}, log_{make_memory_log()},
    appended_{other.appended_}, now_{other.now_} {
  for (std::size_t i = 0; i < appended_; ++i)
    if (const auto& x = truth_->appends()[i]; x.block)
      (void) log_->append(x.block, x.resolved);
}

store_side::answers store_side::append() {
  const auto& x = truth_->appends().at(appended_++);
  return run(state_.on_append({{1}, appended_, x.block, x.resolved}, now_));
}

store_side::answers store_side::release() {
  now_ += std::chrono::seconds{2};
  return run(state_.on_tick(now_));
}

store_side::answers store_side::run(event_store_state::effects effects) {
  auto out = answers{};
  for (auto& x : effects)
    std::visit(perform{*this, out}, x);
  return out;
}

log_position store_side::position() const {
  return {log_->last(), log_->last_closed(), log_->synced_to(),
          log_->appended_to(), log_->resolved()};
}

} // namespace sluice::exploration
