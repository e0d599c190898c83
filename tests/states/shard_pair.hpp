#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "actors/collector_shard_state.hpp"
#include "actors/dispatcher_shard_state.hpp"
#include "naive_model.hpp"
#include "tests/support/dice.hpp"
#include "tests/support/rows.hpp"

namespace sluice::test {

/// Encodes one row: table `table`, cursor (commit, start, position).
inline void add_row(row_block_builder& to, std::uint64_t table,
                    row_cursor cursor, std::uint64_t version = 1,
                    std::size_t payload = 16) {
  auto text = std::string(payload, 'x');
  auto values = std::vector<value_view>{
    value_view::of_integer(static_cast<std::int64_t>(cursor.commit_ts.value)),
    value_view::of_text(text)};
  to.add({{table}, cursor, row_op::insert, false, {version}, 0}, {true, false},
         {}, values);
}

inline table_schema schema_of(std::uint64_t table, std::uint64_t version,
                              std::uint64_t from) {
  return {{table},
          "t" + std::to_string(table),
          {version},
          {from},
          {{"id", "INTEGER", 1}, {"v", "TEXT", 0}}};
}

/// A dispatcher shard and a collector shard with a store, a schema store and
/// a sink that are small models, joined by queues that a test empties in any
/// order. Checks the invariants after every step.
class shard_pair {
public:
  static constexpr feed_id feed{1};
  /// A table that the feed does not want.
  static constexpr std::uint64_t foreign = 1'000;
  /// One row, or one block pinned whole, may pass over the credit.
  static constexpr std::uint64_t oversized = 8'192;

  explicit shard_pair(std::uint64_t seed, std::uint64_t tables,
                      std::uint64_t credit, std::uint64_t window,
                      feed_order order = feed_order::table)
    : dice_{seed}, order_{order}, shard_{shard_options(window)},
      collector_{options(credit)}, pinned_max_{credit + oversized} {
    for (std::uint64_t t = 1; t <= tables; ++t) {
      ddl_[t].push_back({schema_of(t, 1, 0), {0}, false});
      infos_.push_back({{t}, "t" + std::to_string(t), {1}, {0}});
    }
    if (whole())
      naive_.reset(); // it knows streams of one table
    up(collector_.on_subscribe({{feed, "f", {{"t*"}, {}, order_}}}));
    up(collector_.on_tables({feed, infos_}, now_));
    open_sink_now();
    down(shard_.on_schema_resolved({resolved_}));
    progress_now();
  }

  // -- what the world does ----------------------------------------------------

  /// Appends a block with rows of random tables.
  void append(std::uint64_t rows) {
    auto builder = row_block_builder{};
    for (std::uint64_t i = 0; i < rows; ++i) {
      if (i == 0 || dice_.percent(60))
        ++ts_;
      auto start = next_start_++;
      auto cursor = row_cursor{{ts_}, {start}, 0};
      torn_ = true;
      if (whole() && dice_.percent(20)) {
        add_row(builder, foreign, cursor);
        if (dice_.percent(30))
          end(builder);
        continue;
      }
      auto table = 1 + dice_.roll(infos_.size());
      add_row(builder, table, cursor, ddl_[table].back().schema.version.value,
              8 + dice_.roll(60));
      rows_[table].push_back(cursor);
      all_rows_.push_back(cursor);
      if (whole() && dice_.percent(30))
        end(builder);
    }
    if (!whole() || dice_.percent(70))
      end(builder);
    log_.push_back({{log_.size() + 1}, builder.finish()});
    if (dice_.percent(70))
      resolve();
  }
  /// The transaction of the last row is complete.
  void end(row_block_builder& block) {
    block.end();
    torn_ = false;
    ends_.insert(all_rows_.size());
  }
  void resolve() {
    if (torn_)
      return;
    resolved_ = {ts_};
    ++ts_;
    down(shard_.on_schema_resolved({resolved_}));
  }
  void add_ddl(std::uint64_t table) {
    if (torn_)
      return;
    resolve(); // a DDL stands alone at its ts
    auto version = ddl_[table].back().schema.version.value + 1;
    auto event = ddl_event{schema_of(table, version, ts_), {ts_}, false};
    ddl_[table].push_back(event);
    down(shard_.on_ddl({event}));
    ++ts_;
  }
  /// A table that the feed wants comes into being.
  void create_table() {
    if (torn_ || !whole())
      return;
    resolve();
    auto t = infos_.size() + 1;
    auto event = ddl_event{schema_of(t, 1, ts_), {ts_}, false};
    ddl_[t].push_back(event);
    infos_.push_back({{t}, "t" + std::to_string(t), {1}, {ts_}});
    down(shard_.on_ddl({event}));
    ++ts_;
  }
  void progress_now() {
    auto closed = log_.size();
    while (closed > announced_ && !log_[closed - 1].block->closed())
      --closed;
    auto message = progress{{1}, {}, {closed}, resolved_};
    for (auto i = announced_; i < closed; ++i)
      message.blocks.push_back(log_[i]);
    announced_ = closed;
    down(shard_.on_progress(message));
  }
  void tick(std::chrono::milliseconds by) {
    now_ += by;
    down(shard_.on_tick(now_));
    up(collector_.on_tick(now_));
  }
  /// A user resets a stream out of the blue: as if a gap had been seen.
  void lose_next_down() { lose_next_down_ = true; }
  void fail_sink() {
    if (!writer_)
      return;
    written_.clear();
    up(collector_.on_sink_failed(
      feed, {writer_, {errc::sink_unavailable, ""}, false}, now_));
    writer_ = {};
  }
  /// The sink fails and comes back as it was at the last `back_up()`.
  void back_up() { backup_ = copy{positions_, low_, durable_}; }
  void restore_sink() {
    fail_sink();
    positions_ = backup_.positions;
    low_ = backup_.low;
    durable_ = backup_.durable;
    for (const auto& info : infos_)
      if (const auto* stream = collector_.find(feed, stream_of(info)))
        before_restore_.insert(stream->who().id);
  }
  /// One queued message is handled. @returns false if there is none.
  bool step() {
    auto choices = std::vector<int>{};
    if (!to_collector_.empty())
      choices.push_back(0);
    if (!to_shard_.empty())
      choices.push_back(1);
    if (!scans_.empty())
      choices.push_back(2);
    if (!queries_.empty())
      choices.push_back(3);
    if (!to_sink_.empty())
      choices.push_back(4);
    if (!written_.empty())
      choices.push_back(5);
    if (choices.empty())
      return false;
    switch (choices[dice_.roll(choices.size())]) {
      case 0:
        deliver_down();
        break;
      case 1:
        deliver_up();
        break;
      case 2:
        answer_scan();
        break;
      case 3:
        answer_query();
        break;
      case 4:
        sink_takes();
        break;
      default:
        sink_commits();
    }
    check();
    return true;
  }
  void settle() {
    while (torn_)
      append(1);
    resolve();
    progress_now();
    for (int round = 0; round < 400; ++round) {
      for (int n = 0; n < 10'000 && step(); ++n)
        ; // nop
      if (announced_ < log_.size())
        progress_now();
      tick(std::chrono::milliseconds{500});
    }
  }

  // -- what must hold ---------------------------------------------------------

  void check() {
    for (const auto& info : infos_) {
      auto t = info.table.value;
      const auto* stream = collector_.find(feed, stream_of(info));
      if (stream == nullptr)
        continue;
      auto effective = collector_.effective_resolved(feed, stream_of(info));
      // Nothing <= the effective resolved is missing.
      auto wanted = std::upper_bound(rows_[t].begin(), rows_[t].end(),
                                     row_cursor::end_of(effective))
                    - rows_[t].begin();
      CAPTURE(t);
      CAPTURE(effective.value);
      CAPTURE(stream->stream_epoch().value);
      CAPTURE(stream->behind());
      CAPTURE(stream->ready());
      CAPTURE(stream->who().start_ts.value);
      CAPTURE(durable_[t]);
      CAPTURE(low_.value);
      REQUIRE(accepted_[t] >= static_cast<std::size_t>(wanted));
      if (naive_)
        REQUIRE(naive_->resolved(stream->who().id) == effective);
      const auto* at_shard = shard_.find(stream->who().id);
      if (at_shard == nullptr)
        continue;
      auto checkpoint = shard_.checkpoint_of(stream->who().id);
      // The checkpoint of a registration never goes back.
      auto& before = checkpoints_[stream->who().id];
      REQUIRE(checkpoint >= before);
      before = checkpoint;
      if (naive_)
        naive_->check_checkpoint(stream->who().id, checkpoint);
      if (before_restore_.contains(stream->who().id))
        continue;
      // It is durable at the target.
      auto needed = std::upper_bound(rows_[t].begin(), rows_[t].end(),
                                     row_cursor::end_of(checkpoint))
                    - rows_[t].begin();
      REQUIRE(durable_[t] >= static_cast<std::size_t>(needed));
    }
    auto status = collector_.status(feed);
    REQUIRE(status.rows_below_checkpoint == 0);
    REQUIRE(collector_.pinned_bytes() <= pinned_max_);
  }
  /// After everything is quiet: all rows are durable, all is known up to the
  /// end, and the bulk protocol says what one message per stream would say.
  void check_converged() {
    for (const auto& info : infos_) {
      auto t = info.table.value;
      CAPTURE(t);
      REQUIRE(durable_[t] == rows_[t].size());
      CHECK(collector_.effective_resolved(feed, stream_of(info)).value
            == resolved_.value);
      const auto* stream = collector_.find(feed, stream_of(info));
      REQUIRE(stream != nullptr);
      CHECK(shard_.checkpoint_of(stream->who().id).value == resolved_.value);
      if (naive_)
        naive_->check_settled(stream->who().id, resolved_);
      CHECK(stream->schema({t})->version == ddl_[t].back().schema.version);
    }
    CHECK(collector_.pinned_bytes() == 0);
  }

  dispatcher_shard_state& shard() { return shard_; }
  collector_shard_state& collector() { return collector_; }
  [[nodiscard]] std::size_t resets() const {
    return collector_.status(feed).resets;
  }
  [[nodiscard]] std::uint64_t out_of_range() const { return out_of_range_; }
  int loss_percent = 0;
  bool hold_commits = false;
  bool keeps_all = false; // the log never lets go

private:
  [[nodiscard]] bool whole() const { return order_ == feed_order::transaction; }
  [[nodiscard]] table_id stream_of(const table_info& x) const {
    return whole() ? all_tables : x.table;
  }
  using down_message =
    std::variant<ready, refused, unknown_registration, handshake, delivery,
                 schema_change, watermark, digest>;
  using up_message = std::variant<reset_streams, remove_dispatchers, heartbeat,
                                  credit, digest_request>;

  static dispatcher_shard_options shard_options(std::uint64_t window) {
    auto result = dispatcher_shard_options{};
    result.window_bytes = window;
    return result;
  }
  static collector_shard_options options(std::uint64_t credit) {
    auto result = collector_shard_options{};
    result.credit_bytes = credit;
    return result;
  }

  void down(dispatcher_shard_state::effects effects) {
    for (auto& x : effects)
      std::visit([this](auto& m) { route(m); }, x);
  }
  template <class Message>
  void route(Message& m) {
    if constexpr (std::is_same_v<Message, scan_request>)
      scans_.push_back(m);
    else if constexpr (std::is_same_v<Message, schema_query>)
      queries_.push_back(m);
    else if constexpr (std::is_same_v<Message, floor_report>)
      take_floor(m);
    else if constexpr (std::is_same_v<Message, progress_taken>)
      ; // nop
    else {
      to_collector_.emplace_back(m);
      if (naive_)
        naive_->on_down(m, shard_);
    }
  }
  void up(collector_shard_state::effects effects) {
    if (naive_)
      naive_->note_epochs(collector_, feed, infos_);
    for (auto& x : effects) {
      if (naive_)
        tell_naive(x);
      if (auto* reg = std::get_if<register_dispatchers>(&x))
        down(shard_.on_register(*reg, now_));
      else if (auto* sink = std::get_if<collector_shard_state::to_sink>(&x))
        to_sink_.push_back(*sink);
      else if (auto* reset = std::get_if<reset_streams>(&x))
        to_shard_.emplace_back(*reset);
      else if (auto* remove = std::get_if<remove_dispatchers>(&x))
        to_shard_.emplace_back(*remove);
      else if (auto* beat = std::get_if<heartbeat>(&x))
        to_shard_.emplace_back(*beat);
      else if (auto* grant = std::get_if<credit>(&x))
        to_shard_.emplace_back(*grant);
      else if (auto* digest = std::get_if<digest_request>(&x))
        to_shard_.emplace_back(*digest);
    }
  }
  void tell_naive(const collector_shard_state::effect& x) {
    if (auto* reg = std::get_if<register_dispatchers>(&x)) {
      for (const auto& entry : reg->entries)
        naive_->on_register(entry);
      naive_->note_epochs(collector_, feed, infos_);
    } else if (auto* reset = std::get_if<reset_streams>(&x)) {
      for (const auto& entry : reset->entries)
        naive_->on_reset_sent(entry);
      naive_->note_epochs(collector_, feed, infos_);
    } else if (auto* beat = std::get_if<heartbeat>(&x)) {
      naive_->on_up(*beat, collector_, feed, infos_);
    }
  }
  template <class Queue>
  bool lost(Queue& queue) {
    if (!lose_next_down_
        && !dice_.percent(static_cast<std::uint64_t>(loss_percent)))
      return false;
    lose_next_down_ = false;
    naive_.reset(); // it knows no loss
    queue.pop_front();
    return true;
  }
  void deliver_down() {
    if (lost(to_collector_))
      return;
    auto message = std::move(to_collector_.front());
    to_collector_.pop_front();
    auto& c = collector_;
    if (auto* m = std::get_if<ready>(&message))
      up(c.on_ready(*m, now_));
    else if (auto* m2 = std::get_if<refused>(&message))
      up(c.on_refused(*m2, now_));
    else if (auto* m3 = std::get_if<unknown_registration>(&message))
      up(c.on_unknown(*m3, now_));
    else if (auto* m4 = std::get_if<handshake>(&message))
      up(c.on_handshake(*m4, now_));
    else if (auto* m5 = std::get_if<delivery>(&message))
      up(c.on_delivery(*m5, now_));
    else if (auto* m6 = std::get_if<schema_change>(&message))
      up(c.on_schema_change(*m6, now_));
    else if (auto* m7 = std::get_if<watermark>(&message))
      up(c.on_watermark(*m7, now_));
    else if (auto* m8 = std::get_if<digest>(&message))
      up(c.on_digest(*m8, now_));
    if (naive_)
      naive_->arrive_down(collector_, feed, infos_);
    note_accepted();
  }
  // Rows accepted are what was handed to the sink, in order, without gap.
  void note_accepted() {
    for (auto& x : to_sink_) {
      auto* rows = std::get_if<write_rows>(&x.message);
      if (rows == nullptr || !noted_.insert({rows->writer, rows->batch}).second)
        continue;
      schemas_.add(rows->schemas);
      for (const auto& item : rows->items)
        if (item.block)
          REQUIRE(item.schema->version
                  == item.block->grouped(item.first).schema());
      for (const auto& part : rows->cohort)
        for_each_run(part, [&](const block_run& run) {
          REQUIRE(schemas_.find(run.table, run.schema) != nullptr);
        });
      each_row(*rows, [&](row_view row) {
        auto t = row.table().value;
        REQUIRE(accepted_[t] < rows_[t].size());
        REQUIRE(row.cursor() == rows_[t][accepted_[t]]);
        ++accepted_[t];
      });
      if (whole())
        REQUIRE((rows->torn || ends_.contains(prefix(accepted_))));
    }
  }
  // How many rows that is, which must be the first ones of the log.
  [[nodiscard]] std::size_t
  prefix(const std::map<std::uint64_t, std::size_t>& counts) const {
    auto result = std::size_t{0};
    auto last = row_cursor{};
    for (const auto& [t, n] : counts) {
      result += n;
      if (n > 0)
        last = std::max(last, rows_.at(t)[n - 1]);
    }
    if (result > 0)
      REQUIRE(all_rows_[result - 1] == last);
    return result;
  }
  void deliver_up() {
    if (lost(to_shard_))
      return;
    auto message = std::move(to_shard_.front());
    to_shard_.pop_front();
    if (auto* m = std::get_if<reset_streams>(&message))
      down(shard_.on_reset(*m));
    else if (auto* m2 = std::get_if<remove_dispatchers>(&message))
      down(shard_.on_remove(*m2));
    else if (auto* m3 = std::get_if<heartbeat>(&message))
      take_heartbeat(*m3);
    else if (auto* m4 = std::get_if<credit>(&message))
      down(shard_.on_credit(*m4));
    else if (auto* m5 = std::get_if<digest_request>(&message))
      down(shard_.on_digest_request(*m5));
  }
  void take_heartbeat(const heartbeat& x) {
    auto effects = shard_.on_heartbeat(x);
    if (naive_)
      naive_->arrive_heartbeat(shard_);
    down(std::move(effects));
  }
  void answer_scan() {
    auto request = scans_.front();
    scans_.pop_front();
    auto answer = scan_answer{request.scan, request.store, {}};
    for (const auto& entry : request.entries) {
      auto result = scan_result{entry, {}, request.to, errc::none, {}, {}};
      auto floor = floors_[entry.table.value];
      if (entry.table == all_tables)
        for (const auto& [t, x] : floors_)
          floor = std::max(floor, x);
      // What a feed reads is for streams that skip what they have.
      if (entry.registration && entry.after < row_cursor::end_of(floor)) {
        ++out_of_range_;
        result.failure = errc::out_of_range;
        result.lower = floor;
      } else {
        read(entry, request.to, result);
      }
      answer.results.push_back(std::move(result));
    }
    down(shard_.on_scan_answer(answer));
  }
  void read(const scan_entry& entry, block_index to, scan_result& result) {
    std::uint64_t bytes = 0;
    for (const auto& x : log_) {
      if (x.index > to)
        break;
      if (entry.table == all_tables) {
        if (x.block->last_cursor() <= entry.after)
          continue;
        if (bytes > entry.bytes_max) {
          result.complete_to = x.index.previous();
          return;
        }
        auto count = static_cast<std::uint32_t>(x.block->rows());
        result.rows.push_back({x.block, 0, count});
        bytes += x.block->footprint();
        continue;
      }
      for (const auto& run : x.block->runs()) {
        if (run.table != entry.table || run.last_cursor <= entry.after)
          continue;
        if (bytes > entry.bytes_max) {
          result.complete_to = x.index.previous();
          return;
        }
        auto first = run.first;
        while (x.block->grouped(first).cursor() <= entry.after)
          ++first;
        auto count = run.first + run.count - first;
        result.rows.push_back({x.block, first, count});
        bytes += run.bytes;
      }
    }
  }
  void answer_query() {
    auto query = queries_.front();
    if (query.at > resolved_)
      return; // waits, as the schema store's promise does
    queries_.pop_front();
    auto answer = schema_answer{query, {}, {}, errc::none};
    for (const auto& [t, events] : ddl_) {
      if (query.table != all_tables && t != query.table.value)
        continue;
      auto schema = table_schema{};
      for (const auto& event : events) {
        if (event.ts <= query.at)
          schema = event.schema;
        else
          answer.later.push_back(event);
      }
      if (schema.version)
        answer.schemas.push_back(schema);
    }
    std::stable_sort(answer.later.begin(), answer.later.end(),
                     [](const auto& x, const auto& y) { return x.ts < y.ts; });
    down(shard_.on_schema_answer(answer));
  }
  void sink_takes() {
    auto x = to_sink_.front();
    to_sink_.pop_front();
    if (auto* rows = std::get_if<write_rows>(&x.message)) {
      if (rows->writer != writer_)
        return;
      written_.push_back(*rows);
      // What is in an open transaction is held by the target.
      if (rows->torn || dice_.percent(50))
        up(collector_.on_released(feed, {writer_, rows->batch}));
    } else if (auto* mark = std::get_if<store_watermark>(&x.message)) {
      if (mark->writer == writer_)
        asked_low_ = mark->ts;
      if (written_.empty())
        sink_commits();
    } else {
      open_sink_now();
    }
  }
  void sink_commits() {
    if (hold_commits || !writer_ || (!written_.empty() && written_.back().torn))
      return;
    auto batch = std::uint64_t{0};
    for (const auto& rows : written_) {
      batch = rows.batch;
      auto items = by_table(rows, schemas_);
      REQUIRE(items);
      for (const auto& item : *items)
        store(item);
    }
    written_.clear();
    if (whole()) // no part of a transaction
      REQUIRE(ends_.contains(prefix(durable_)));
    low_ = std::max(low_, asked_low_);
    if (batch == 0)
      batch = last_batch_;
    last_batch_ = batch;
    up(collector_.on_durable(feed, {writer_, batch, low_}));
  }
  void store(const write_item& x) {
    positions_[x.after.table.value] = x.after;
    if (x.count > 0)
      durable_[x.block->grouped(x.first).table().value] += x.count;
  }
  void open_sink_now() {
    std::erase_if(to_sink_, [](const auto& x) {
      return std::holds_alternative<open_sink>(x.message);
    });
    written_.clear();
    last_batch_ = 0;
    asked_low_ = low_;
    writer_ = writer_count_.next();
    writer_count_ = writer_;
    auto opened = sink_opened{writer_, {}, low_};
    for (const auto& [t, position] : positions_)
      opened.positions.push_back(position);
    for (auto& [t, n] : accepted_)
      n = durable_[t]; // the rest comes again
    up(collector_.on_sink_opened(feed, opened, now_));
  }
  void take_floor(const floor_report& x) {
    if (keeps_all)
      return;
    auto excepted = std::set<std::uint64_t>{};
    for (const auto& e : x.exceptions) {
      excepted.insert(e.table.value);
      floors_[e.table.value] = std::max(floors_[e.table.value], e.floor);
    }
    for (const auto& info : infos_)
      if (!excepted.contains(info.table.value))
        floors_[info.table.value] = std::max(floors_[info.table.value],
                                             x.floor);
  }

  dice dice_;
  feed_order order_;
  dispatcher_shard_state shard_;
  collector_shard_state collector_;
  std::chrono::milliseconds now_{0};

  // the log
  std::vector<table_info> infos_;
  std::map<std::uint64_t, std::vector<ddl_event>> ddl_;
  std::map<std::uint64_t, std::vector<row_cursor>> rows_;
  std::vector<row_cursor> all_rows_; // of all tables
  std::set<std::size_t> ends_{0};    // rows after which no transaction is open
  bool torn_ = false;
  std::vector<indexed_block> log_;
  std::size_t announced_ = 0;
  std::uint64_t ts_ = 1;
  std::uint64_t next_start_ = 1;
  timestamp resolved_;
  std::map<std::uint64_t, timestamp> floors_;
  std::uint64_t out_of_range_ = 0;

  // queues
  std::deque<down_message> to_collector_;
  std::deque<up_message> to_shard_;
  std::deque<scan_request> scans_;
  std::deque<schema_query> queries_;
  std::deque<collector_shard_state::to_sink> to_sink_;
  bool lose_next_down_ = false;

  // the sink
  schema_book schemas_;
  incarnation writer_;
  incarnation writer_count_;
  std::vector<write_rows> written_;
  std::map<std::uint64_t, table_position> positions_;
  timestamp low_;
  timestamp asked_low_;
  std::uint64_t last_batch_ = 0;

  // what was seen
  std::map<std::uint64_t, std::size_t> accepted_;
  std::map<std::uint64_t, std::size_t> durable_;
  std::set<std::pair<incarnation, std::uint64_t>> noted_;
  std::map<registration_id, timestamp> checkpoints_;
  std::uint64_t pinned_max_;
  std::optional<naive_model> naive_{std::in_place};
  struct copy {
    std::map<std::uint64_t, table_position> positions;
    timestamp low;
    std::map<std::uint64_t, std::size_t> durable;
  } backup_;
  std::set<registration_id> before_restore_;
};

} // namespace sluice::test
