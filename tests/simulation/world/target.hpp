#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "actors/sinks/sink_connector.hpp"
#include "tests/simulation/world/history.hpp"
#include "tests/simulation/world/rules.hpp"

namespace sluice::simulation {

/// A target that stores rows and positions together, and compares each row
/// with the history as it comes: exactly the next one of its table.
class target {
public:
  struct content {
    std::map<std::uint64_t, std::size_t> rows; ///< How many, by table.
    std::map<table_id, table_position> positions;
    timestamp low_watermark;
  };

  target(feed_record feed, const history& truth, rules& checks)
    : feed_{std::move(feed)}, truth_{truth}, checks_{checks}, writer_{
                                                                feed_.id.value
                                                                * 1'000'000} {
    for (std::uint64_t table = 1; table < wants_.size(); ++table)
      wants_[table] = feed_.rules.matches("t" + std::to_string(table));
  }

  /// A client of it. The ones before may go on with what they have, but open
  /// it no more: two that both did would fence each other for ever.
  [[nodiscard]] std::shared_ptr<sink_connector> connect();

  /// The next `calls` fail.
  void fail(std::uint64_t calls) { failing_ = calls; }
  void heal() { failing_ = 0; }
  void back_up() { backup_ = durable_; }
  /// The target is as it was at the last `back_up`; it says so at its next
  /// opening, which the failure of a call brings about.
  void restore() {
    durable_ = backup_;
    failing_ = 1;
    restored_ = true;
    before_ = writer_;
  }
  /// Since it was restored nobody was told of it.
  [[nodiscard]] bool restored() const { return restored_; }
  /// COLLECTOR_SHARD hears where the client stands that opened it as `writer`.
  void on_told(incarnation writer) {
    if (writer == writer_ && writer > before_) // opened since then
      restored_ = false;
  }
  [[nodiscard]] const feed_record& feed() const { return feed_; }
  [[nodiscard]] std::size_t rows(std::uint64_t table) const {
    auto found = durable_.rows.find(table);
    return found == durable_.rows.end() ? 0 : found->second;
  }
  [[nodiscard]] bool wants(std::uint64_t table) const {
    return wants_.at(table);
  }

private:
  friend class target_session;

  [[nodiscard]] bool fails();
  void roll_back();
  void check_rows(const sink_rows& rows, content& into);
  void check_transactions();
  void check_positions();

  feed_record feed_;
  std::array<bool, history::tables_max + 1> wants_{};
  const history& truth_;
  rules& checks_;
  std::uint64_t clients_ = 0;
  incarnation writer_;
  content durable_;
  content backup_;
  bool spoilt_ = false; ///< The open transaction has lost a row by hand.
  std::uint64_t failing_ = 0;
  bool restored_ = false;
  incarnation before_; // writer at the last restore
};

} // namespace sluice::simulation
