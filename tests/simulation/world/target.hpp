#pragma once

#include <map>
#include <optional>
#include <string>

#include "actors/sinks/sink_connector.hpp"
#include "tests/simulation/world/rules.hpp"
#include "tests/simulation/world/upstream.hpp"

namespace sluice::simulation {

/// A target that stores rows and positions together, and compares each row
/// with the history as it comes: exactly the next one of its table.
class target : public sink_connector {
public:
  struct content {
    std::map<std::uint64_t, std::size_t> rows; ///< How many, by table.
    std::map<table_id, table_position> positions;
    timestamp low_watermark;
  };

  target(std::string name, const history& truth, rules& checks)
    : name_{std::move(name)}, truth_{truth}, checks_{checks} {
    // nop
  }

  // -- as the connector -------------------------------------------------------

  [[nodiscard]] std::string describe() const override { return name_; }
  [[nodiscard]] expected<sink_position> open(const feed_record& feed) override;
  [[nodiscard]] status write(const sink_rows& rows) override;
  [[nodiscard]] status commit(const std::vector<table_position>& positions,
                              std::optional<timestamp> low_watermark) override;

  // -- as the world -----------------------------------------------------------

  /// The next `calls` fail, one of them in the middle of a commit.
  void fail(std::uint64_t calls) { failing_ = calls; }
  void heal() { failing_ = 0; }
  void back_up() { backup_ = durable_; }
  /// The target is as it was at the last `back_up`; it says so at its next
  /// opening, which the failure of a call brings about.
  void restore() {
    durable_ = backup_;
    failing_ = 1;
    restored_ = true;
  }
  /// Nobody has opened it since it was restored.
  [[nodiscard]] bool restored() const { return restored_; }
  [[nodiscard]] const content& durable() const { return durable_; }
  [[nodiscard]] std::size_t rows(std::uint64_t table) const {
    auto found = durable_.rows.find(table);
    return found == durable_.rows.end() ? 0 : found->second;
  }

private:
  [[nodiscard]] bool fails();
  void check_transactions();
  void check_positions();

  std::string name_;
  const history& truth_;
  rules& checks_;
  feed_order order_ = feed_order::table;
  incarnation writer_;
  content durable_;
  content open_;
  content backup_;
  std::uint64_t failing_ = 0;
  bool restored_ = false;
};

} // namespace sluice::simulation
