#pragma once

#include <algorithm>
#include <any>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <typeindex>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

#include "messages/type_ids.hpp"

/// Tests with actors in which nothing happens by itself: messages are
/// delivered when the test says so, and time stands still until it moves it.
namespace sluice::test {

/// What a fake was sent, in order.
class inbox {
public:
  template <class Message>
  void put(const Message& x) {
    if (allowed_.count(typeid(Message)) == 0)
      FAIL_CHECK("unexpected message: ", to_string(caf::make_message(x)));
    messages_.push_back(x);
  }
  template <class Message>
  void allow() {
    allowed_.insert(typeid(Message));
  }
  /// All of this type, which are forgotten then.
  template <class Message>
  std::vector<Message> take() {
    auto result = std::vector<Message>{};
    for (auto& x : messages_)
      if (auto* found = std::any_cast<Message>(&x))
        result.push_back(std::move(*found));
    std::erase_if(messages_,
                  [](auto& x) { return x.type() == typeid(Message); });
    return result;
  }

private:
  std::vector<std::any> messages_;
  std::set<std::type_index> allowed_;
};

/// Handles one signature of an interface by putting the message away.
template <class Signature>
struct recorder;
template <class In, class... More, class... Out>
struct recorder<caf::typed_mpi<caf::detail::type_list<In, More...>,
                               caf::output_tuple<Out...>>> {
  using result = typename std::conditional_t<sizeof...(Out) == 0,
                                             caf::detail::type_list<void>,
                                             caf::detail::type_list<Out...>>;

  std::shared_ptr<inbox> in;

  auto operator()(const In& x, const More&...) const {
    in->put(x);
    using first = caf::detail::tl_head_t<result>;
    if constexpr (!std::is_void_v<first>)
      return first{};
  }
};

template <class Handle, class Signatures = typename Handle::signatures>
struct recorders;
template <class Handle, class... Signatures>
struct recorders<Handle, caf::detail::type_list<Signatures...>> {
  static typename Handle::behavior_type make(typename Handle::pointer,
                                             std::shared_ptr<inbox> in) {
    return {recorder<Signatures>{in}...};
  }
};

/// Plays an actor of type `Handle`: records what it is sent. A message that
/// the test did not allow is a failure.
template <class Handle>
struct fake {
  Handle handle;
  std::shared_ptr<inbox> in;

  template <class Message>
  std::vector<Message> take() {
    return in->take<Message>();
  }
  /// As if the fake had sent it by itself.
  template <class To, class Message>
  void send(const To& to, Message message) const {
    caf::send_as(handle, to, std::move(message));
  }
};

/// One actor system whose clock and scheduler the test turns by hand.
class deterministic {
public:
  deterministic() = default;
  deterministic(const deterministic&) = delete;
  deterministic& operator=(const deterministic&) = delete;
  /// The system waits for all actors, so all have to go.
  ~deterministic() {
    for (auto& stop : stops_)
      stop();
    deliver_all();
  }

  void deliver_all() {
    while (scheduler_.has_job())
      scheduler_.run();
  }
  /// In small steps: a timer that arms itself again has to see each of them.
  void advance(std::chrono::milliseconds time) {
    using namespace std::chrono_literals;
    deliver_all();
    while (time > 0ms) {
      auto step = std::min(time, 10ms);
      scheduler_.advance_time(step);
      deliver_all();
      time -= step;
    }
  }
  /// Like actor_system::spawn; stopped at the end.
  template <class... Ts>
  auto spawn(Ts&&... xs) {
    auto handle = system_.spawn(std::forward<Ts>(xs)...);
    stops_.push_back([handle] {
      caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
    });
    deliver_all();
    return handle;
  }
  /// @param Allowed The messages that it expects.
  template <class Handle, class... Allowed>
  fake<Handle> make_fake() {
    auto in = std::make_shared<inbox>();
    (in->template allow<Allowed>(), ...);
    return {spawn(&recorders<Handle>::make, in), in};
  }
  template <class To, class Message>
  void send(const To& to, Message message) {
    caf::anon_send(to, std::move(message));
    deliver_all();
  }
  /// Asks and delivers everything that it takes.
  template <class Answer, class To, class Question>
  Answer ask(const To& to, Question question) {
    auto result = Answer{};
    auto request = self_->request(to, caf::infinite, std::move(question));
    deliver_all();
    request.receive([&](Answer& x) { result = std::move(x); },
                    [](const caf::error&) { FAIL_CHECK("request failed"); });
    return result;
  }
  caf::actor_system& system() noexcept { return system_; }
  /// For tests that choose who runs next.
  caf::scheduler::test_coordinator& scheduler() noexcept { return scheduler_; }

private:
  struct configuration : caf::actor_system_config {
    configuration() {
      set("scheduler.policy", caf::atom("testing"));
      sluice::add_message_types(*this);
    }
  };

  configuration config_;
  caf::actor_system system_{config_};
  caf::scheduler::test_coordinator& scheduler_ =
    dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  caf::scoped_actor self_{system_, true};
  std::vector<std::function<void()>> stops_;
};

} // namespace sluice::test
