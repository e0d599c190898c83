#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>

#include "actors/service.hpp"
#include "actors/service_records.hpp"
#include "actors/service_wiring.hpp"
#include "store/log_engine.hpp"
#include "store/segment_directory.hpp"

namespace sluice {

/// The actor system of a service that was given none.
struct own_system {
  class config : public caf::actor_system_config {
  public:
    explicit config(std::size_t threads);
  };

  explicit own_system(std::size_t threads) : cfg{threads}, system{cfg} {
    // nop
  }

  config cfg;
  caf::actor_system system;
};

struct service::impl {
  /// @param theirs Null: a system of its own.
  impl(service_options x, service_records notes, caf::actor_system* theirs)
    : options{std::move(x)}, records{std::move(notes)},
      own{theirs == nullptr ? std::make_unique<own_system>(options.threads)
                            : nullptr},
      system{theirs == nullptr ? own->system : *theirs} {
    // nop
  }

  ~impl() {
    if (!stopped)
      exit_all();
  }

  /// @error stopped
  [[nodiscard]] status running() const {
    if (stopped)
      return fail(errc::stopped, "this service was stopped");
    return {};
  }
  /// Asks an actor and waits. @error timed_out, stopped
  template <class Answer, class Handle, class Question>
  expected<Answer>
  ask(const Handle& whom, Question question,
      std::chrono::milliseconds patience = std::chrono::seconds{10}) {
    if (auto ok = running(); !ok)
      return tl::unexpected(ok.error());
    auto self = caf::scoped_actor{system};
    auto result = expected<Answer>{fail(errc::timed_out, "no answer in time")};
    self->request(whom, patience, std::move(question))
      .receive([&](Answer& x) { result = std::move(x); },
               [](const caf::error&) { /* nop */ });
    return result;
  }
  expected<feed_record> feed_named(std::string_view name);
  expected<std::shared_ptr<log_engine>>
  open_log(partition_id id, const std::string& source_name) const;
  void start_partition(std::size_t place, incarnation store,
                       std::shared_ptr<log_engine> engine);
  expected<feed_record> not_delivered(std::string_view feed);
  void end_sink(feed_id feed);
  bool flushed(timestamp resolved, std::chrono::milliseconds patience);
  void exit_all();

  service_options options;
  std::unique_ptr<directory_lock> lock; // of all that is in the directory
  service_records records;
  std::string directory_id; // empty in memory
  std::string upstream;     // name of the source; empty without one
  std::unique_ptr<own_system> own;
  caf::actor_system& system;
  wiring parts{system, wiring::blocking::detached};
  std::map<feed_id, std::shared_ptr<position_keeper>> kept_positions;
  bool stopped = false;
};

} // namespace sluice
