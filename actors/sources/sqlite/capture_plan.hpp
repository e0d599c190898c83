#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/sources/sqlite/capture_catalog.hpp"
#include "actors/sources/sqlite/source_table.hpp"
#include "actors/sources/sqlite/trigger_sql.hpp"
#include "messages/feed.hpp"

/// Compares what is captured with what should be. Decides; changes nothing.
namespace sluice {

/// What has to be done about one table.
enum class capture_step : std::uint8_t {
  keep,      ///< Everything is as it should be.
  retrigger, ///< The triggers anew, and a copy: changes were missed.
  widen,     ///< Columns were added: a new version, without a copy.
  renew,     ///< A new version, or the first one, and a copy.
  end,       ///< Not to be captured any more.
};

struct planned_table {
  capture_step step = capture_step::keep;
  source_table table;   ///< As it is now; of `end` only the name.
  capture before;       ///< id 0: never captured, or not at present.
  bool dropped = false; ///< `end` because the table is gone.
};

struct capture_plan {
  std::vector<planned_table> tables; ///< Those to be captured, or to be ended.
  std::vector<std::string> left_out; ///< `name: why`
};

/// A trigger as it is in the database; `place` rises with its creation.
struct installed_trigger {
  trigger_text text;
  std::int64_t place = 0;
};

[[nodiscard]] expected<std::vector<installed_trigger>>
load_triggers(sqlite_db& db);

/// @error table_without_key, source_unsupported for a table that `rules`
///        names without a wildcard, or that was captured until now
[[nodiscard]] expected<capture_plan>
plan_capture(sqlite_db& db, const feed_rules& rules,
             const std::vector<capture>& captures);

} // namespace sluice
