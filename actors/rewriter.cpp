#include "actors/rewriter.hpp"

#include <utility>

#include "messages/type_ids.hpp"

namespace sluice {

namespace {

using pointer = rewriter_actor::stateful_pointer<rewriter_data>;

// Whether it fails because of the segment that it is at, whenever it is tried.
bool fails_again(const error& x) {
  return x.code == errc::log_corrupt || x.code == errc::malformed;
}

void step(pointer self) {
  auto& data = self->state;
  auto done = data.work->step();
  if (done && !*done) {
    self->send(self, tick{});
    return;
  }
  auto answer = log_rewritten{};
  if (done) {
    answer.result = data.work->result();
  } else {
    answer.failure = done.error();
    if (fails_again(answer.failure))
      answer.at_fault = data.work->segment();
  }
  data.work.reset();
  self->send(data.store, std::move(answer));
}

} // namespace

rewriter_actor::behavior_type
rewriter(rewriter_actor::stateful_pointer<rewriter_data> self,
         std::shared_ptr<log_rewriter> log) {
  self->state.log = std::move(log);
  return {
    [=](rewrite_order& order) {
      auto& data = self->state;
      data.store = caf::actor_cast<event_store_actor>(self->current_sender());
      if (data.store == nullptr)
        return;
      data.work = data.log->begin(std::move(order));
      step(self);
    },
    [=](const tick&) {
      if (self->state.work != nullptr)
        step(self);
    },
  };
}

} // namespace sluice
