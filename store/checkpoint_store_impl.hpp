#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "store/checkpoint_store.hpp"
#include "store/meta_db.hpp"

namespace sluice {

/// For statements without parameters.
inline constexpr auto nothing_bound = [](sqlite_statement&) { /* nop */ };

struct checkpoint_store::impl {
  std::unique_ptr<sqlite_db> db;

  expected<std::uint64_t> next_number(std::string_view kind,
                                      std::string_view name);
  expected<std::uint64_t> latest_number(std::string_view kind,
                                        std::string_view name);
  expected<std::optional<feed_record>> find_feed(std::string_view name);
  status load_rules(feed_record& feed);
  status store_rules(const feed_record& feed);
  status insert_feed(feed_record& feed);
  status store_confirm(const feed_record& feed);
  expected<table_id> table_of(std::string_view source, std::string_view name);
  expected<bool> feed_exists(feed_id feed);
  expected<std::optional<feed_floor>> floor_of(feed_id feed);
  status write_floor(const feed_floor& floor);
  expected<timestamp> low_watermark(feed_id feed);
};

} // namespace sluice
