#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/control.hpp"
#include "messages/feed.hpp"
#include "store/checkpoint_store.hpp"

namespace sluice {

/// What a service must remember: in its directory, or as long as it lives.
class service_records {
public:
  /// @param directory Empty: in memory.
  /// @error as `checkpoint_store::open`
  [[nodiscard]] static expected<service_records>
  open(const std::string& directory);

  /// @error duplicate_name: other rules under that name; log_io
  [[nodiscard]] expected<feed_record> create_feed(std::string_view name,
                                                  const feed_rules& rules);
  [[nodiscard]] status remove_feed(std::string_view name);
  [[nodiscard]] expected<std::vector<feed_record>> feeds();
  /// The directory's own, made at first use; empty in memory.
  [[nodiscard]] expected<std::string> directory_id();
  /// Numbers from 1, never used twice.
  [[nodiscard]] expected<incarnation> next_incarnation(std::string_view name);
  /// Which partition has a table's rows depends on their number.
  /// @error invalid_option: the log was made with another number
  [[nodiscard]] status keep_partitions(const std::string& source,
                                       std::size_t partitions);
  /// What an event store must know before any floor moves.
  [[nodiscard]] expected<feeds_loaded> known_to(partition_id partition);

private:
  std::optional<checkpoint_store> durable_;
  std::vector<feed_record> feeds_;
  feed_id feeds_made_;
};

} // namespace sluice
