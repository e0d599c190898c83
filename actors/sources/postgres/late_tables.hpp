#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "actors/sources/postgres/join_queue.hpp"
#include "actors/sources/postgres/postgres_options.hpp"

namespace sluice::postgres {

/// Looks for tables that come while others are captured. A thread with its own
/// connections puts them into the publication, and makes a temporary slot with
/// a snapshot to copy them in: SOURCE goes on meanwhile.
class late_tables {
public:
  late_tables(postgres_source_options options, table_names captured);
  ~late_tables();
  late_tables(const late_tables&) = delete;
  late_tables& operator=(const late_tables&) = delete;

  [[nodiscard]] join_queue& queue() noexcept { return queue_; }

private:
  void look_on();
  status look();
  status find_gap(connection& plain, const report& found);
  status prepare(connection& plain, prepared_join& into);
  status prepare_copies(prepared_join& into);

  postgres_source_options options_;
  join_queue queue_;

  std::thread thread_; // last: it uses all the others
};

} // namespace sluice::postgres
