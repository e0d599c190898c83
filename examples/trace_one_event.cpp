// Follows one change on its way through all actors and prints each message
// that carries it, or says that it arrived. The actors are the real ones, run
// one message at a time on CAF's test coordinator, so that the order is the
// same every time. examples/trace_one_event.txt has the output.
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/type_erased_tuple.hpp>
#include <fmt/format.h>

#include "actors/service_wiring.hpp"
#include "actors/sources/journal.hpp"
#include "messages/type_ids.hpp"
#include "store/memory_log.hpp"

namespace {

using namespace sluice;
using namespace std::chrono_literals;

/// A source with one table and, when told, one change.
class one_change : public source_connector {
public:
  explicit one_change(std::shared_ptr<bool> now) : now_{std::move(now)} {
    // nop
  }
  std::string describe() const override { return "one change"; }
  expected<std::vector<ddl_event>> open(const source_position&,
                                        source_journal& journal) override {
    auto table = journal.tables_of({"accounts"});
    if (!table)
      return tl::unexpected(table.error());
    schema_ = {table->front(),
               "accounts",
               {1},
               {0},
               {{"id", "INTEGER", 1}, {"balance", "INTEGER", 0}}};
    return std::vector<ddl_event>{{schema_, {0}, false}};
  }
  expected<source_batch> read(std::size_t) override {
    auto batch = source_batch{};
    batch.resolved = {10};
    if (!*now_)
      return batch;
    batch.resolved = {20};
    if (std::exchange(done_, true))
      return batch;
    auto rows = row_block_builder{};
    auto values = std::vector<value_view>{value_view::of_integer(7),
                                          value_view::of_integer(1'000)};
    auto header = row_header{};
    header.table = schema_.table;
    header.cursor = {{20}, {20}, 0};
    header.schema = {1};
    rows.add(header, {true, false}, {}, values);
    rows.end();
    batch.rows = rows.finish();
    return batch;
  }
  expected<bool> confirm(timestamp) override { return false; }
  std::chrono::milliseconds idle_wait(std::uint32_t) const override {
    return 10ms;
  }

private:
  std::shared_ptr<bool> now_;
  bool done_ = false;
  table_schema schema_;
};

struct config : caf::actor_system_config {
  config() {
    set("scheduler.policy", caf::atom("testing"));
    add_message_types<caf::id_block::sluice>();
  }
};

// -- one line per message -----------------------------------------------------

std::string what(const append_rows& x) {
  return fmt::format("{} row, resolved {}", x.block ? x.block->rows() : 0,
                     x.resolved.value);
}
std::string what(const rows_appended& x) {
  return fmt::format("number {} is in the log", x.number);
}
std::string what(const progress& x) {
  return fmt::format("{} block up to {}, resolved {}", x.blocks.size(),
                     x.last.value, x.resolved.value);
}
std::string what(const progress_taken& x) {
  return fmt::format("up to block {}", x.last.value);
}
std::string what(const delivery& x) {
  if (x.cohort.empty()) {
    const auto& item = x.items.front();
    return fmt::format("epoch {}, seq {}: {}", item.stream_epoch.value,
                       item.first_seq.value,
                       to_string(item.block->grouped(item.first)));
  }
  return fmt::format("to all in sync: {}",
                     to_string(x.cohort.front().block->row(0)));
}
std::string what(const watermark& x) {
  return fmt::format("everything <= {} is sent", x.promise.resolved.value);
}
std::string what(const write_rows& x) {
  auto rows = std::size_t{0};
  for (const auto& item : x.items)
    rows += item.count;
  for (const auto& part : x.cohort)
    rows += part.block->rows();
  auto table = x.items.empty() ? "" : " of " + x.items.front().schema->name;
  return fmt::format("batch {}: {} row{}", x.batch, rows, table);
}
std::string what(const acknowledge& x) {
  return fmt::format("batch {}", x.batch);
}
std::string what(const rows_released& x) {
  return fmt::format("batch {} is out of memory", x.batch);
}
std::string what(const rows_durable& x) {
  return fmt::format("batch {}, low watermark {}", x.batch,
                     x.low_watermark.value);
}
std::string what(const store_watermark& x) {
  return fmt::format("every row <= {} was sent", x.ts.value);
}
std::string what(const heartbeat& x) {
  return fmt::format("checkpoint {}, {} exceptions",
                     x.feeds.front().checkpoint.value,
                     x.feeds.front().exceptions.size());
}
std::string what(const floor_report& x) {
  return fmt::format("rows <= {} are not needed", x.floor.value);
}
std::string what(const source_confirmed& x) {
  return fmt::format("everything <= {} is durable", x.ts.value);
}

/// Prints a message if it is one of the event's way.
template <class... Messages>
void show(const caf::type_erased_tuple& x, const std::string& from,
          const std::string& to) {
  auto one = [&](auto* type) {
    using message = std::remove_pointer_t<decltype(type)>;
    if (!x.match_elements<message>())
      return;
    auto name = std::string{caf::type_name<message>::value};
    fmt::print("{:>16} -> {:<16} {:<17} {}\n", from, to,
               name.substr(name.rfind(':') + 1), what(x.get_as<message>(0)));
  };
  (one(static_cast<Messages*>(nullptr)), ...);
}

std::string name_of(caf::abstract_actor* x) {
  auto* local = dynamic_cast<caf::local_actor*>(x);
  return local == nullptr ? "-" : local->name();
}

/// Runs one message after the other; tells of those that matter.
void run(caf::scheduler::test_coordinator& scheduler, bool tell) {
  while (scheduler.has_job()) {
    auto* job = dynamic_cast<caf::scheduled_actor*>(scheduler.jobs.front());
    auto* next = job == nullptr ? nullptr : job->peek_at_next_mailbox_element();
    if (tell && next != nullptr) {
      auto from = next->sender == nullptr
                    ? std::string{"-"}
                    : name_of(
                      caf::actor_cast<caf::abstract_actor*>(next->sender));
      show<append_rows, rows_appended, progress, progress_taken, delivery,
           watermark, write_rows, acknowledge, rows_released, rows_durable,
           store_watermark, heartbeat, floor_report, source_confirmed>(
        next->content(), from, job->name());
    }
    scheduler.run_once();
  }
}

} // namespace

int main() {
  auto cfg = config{};
  auto system = caf::actor_system{cfg};
  auto& scheduler = dynamic_cast<caf::scheduler::test_coordinator&>(
    system.scheduler());
  auto pass = [&](int steps, bool tell) {
    for (int i = 0; i < steps; ++i) {
      run(scheduler, tell);
      scheduler.advance_time(10ms);
    }
    run(scheduler, tell);
  };
  auto parts = wiring{system, wiring::blocking::scheduled};
  auto commit = std::make_shared<bool>(false);
  parts.start_node({});
  parts.start_schemas(table_history::in_memory());
  parts.start_partition({}, {}, make_memory_log(), "");
  parts.tell_stores({{{{1}, "feed", {}}}, {}, {}, {}});
  parts.start_source({}, std::make_shared<one_change>(commit),
                     make_memory_journal());
  parts.start_sink({{1}, "feed", {}}, callback_sink_options{},
                   keep_positions_in_memory(),
                   [](const change_batch&, acknowledger acknowledger) {
                     acknowledger.ack();
                     return status{};
                   });
  pass(200, false); // registrations, resets, handshakes: all is quiet then
  *commit = true;
  pass(60, true);
  parts.stop();
  run(scheduler, false);
}
