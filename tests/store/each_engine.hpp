#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/store/log_fixture.hpp"

/// Every engine, for the tests of the contract.
namespace log_test {

struct engine_kind {
  const char* name;
  bool durable; ///< A restart finds its rows again.
  std::function<std::unique_ptr<log_engine>(const std::string& directory)> open;
};

/// In memory; in files or in RocksDB; in segments so small, and with so little
/// memory, that nearly every block has its own and is read from disk.
inline std::vector<engine_kind> every_engine() {
  auto result = std::vector<engine_kind>{
    {"memory_log", false, [](const auto&) { return make_memory_log(); }},
    {"segment_log", true, [](const auto& at) { return open_segments(at); }},
    {"segment_log with tiny segments and no memory", true,
     [](const auto& at) { return open_segments(at, 1, 0); }}};
#ifdef SLUICE_ROCKSDB
  result.push_back(
    {"rocksdb_log", true, [](const auto& at) { return open_rocksdb(at); }});
  result.push_back({"rocksdb_log with tiny segments and no memory", true,
                    [](const auto& at) { return open_rocksdb(at, 1, 0); }});
#endif
  return result;
}

inline void with_each_engine(const std::function<void(log_engine&)>& test) {
  for (const auto& kind : every_engine())
    SUBCASE(kind.name) {
      auto directory = temporary_directory{};
      test(*kind.open(directory.path()));
    }
}

/// A log and its directory.
struct durable_log {
  engine_kind kind;
  temporary_directory directory = {};
  std::unique_ptr<log_engine> log = kind.open(directory.path());

  void reopen() {
    log.reset();
    log = kind.open(directory.path());
  }
};

inline void
with_each_durable_engine(const std::function<void(durable_log&)>& test) {
  for (const auto& kind : every_engine())
    if (kind.durable)
      SUBCASE(kind.name) {
        auto uut = durable_log{kind};
        test(uut);
      }
}

using numbers = std::vector<std::uint64_t>;

/// Appends and insists.
inline block_ptr put(log_engine& log, const std::vector<row>& rows,
                     std::uint64_t resolved = 0) {
  auto result = log.append(block_of(rows), {resolved});
  INFO((result ? "" : to_string(result.error())));
  REQUIRE(result.has_value());
  return *result;
}

/// The same floor for every table.
inline std::function<timestamp(table_id)> floor_at(std::uint64_t ts) {
  return [ts](table_id) { return timestamp{ts}; };
}

} // namespace log_test
