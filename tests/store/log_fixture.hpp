#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <unistd.h>

#include "messages/row.hpp"
#include "store/log_engine.hpp"
#include "store/memory_log.hpp"
#include "store/rocksdb_log.hpp"
#include "store/segment_log.hpp"
#include "tests/support/temporary_directory.hpp"

/// What the tests of logs share.
namespace log_test {

namespace fs = std::filesystem;
using namespace sluice;
using sluice::test::temporary_directory;

/// One row as the tests write it down.
struct row {
  std::uint64_t table = 1;
  std::uint64_t ts = 0;
  bool end = true; ///< An end mark follows it.
  std::string text = "x";
  std::uint64_t position = 0;
  std::uint64_t start = 0; ///< 0: ts.
};

inline row_cursor cursor(std::uint64_t ts, std::uint64_t position = 0,
                         std::uint64_t start = 0) {
  return {{ts}, {start == 0 ? ts : start}, position};
}

inline block_ptr block_of(const std::vector<row>& rows) {
  auto builder = row_block_builder{};
  for (const auto& x : rows) {
    auto header = row_header{
      {x.table}, cursor(x.ts, x.position, x.start), row_op::insert, false, {1},
      0};
    auto values = std::vector{
      value_view::of_integer(static_cast<std::int64_t>(x.ts)),
      value_view::of_text(x.text)};
    builder.add(header, {true, false}, {}, values);
    if (x.end)
      builder.end();
  }
  return builder.finish();
}

/// The block of a piece, read from disk if need be.
inline block_ptr load(log_engine& log, const scan_block& piece) {
  if (piece.block != nullptr)
    return piece.block;
  auto result = log.disk()->read(piece.location);
  INFO((result ? "" : to_string(result.error())));
  REQUIRE(result.has_value());
  return *result;
}

/// Timestamps (or ts.position) of all rows of `table` after `after`.
inline std::vector<std::uint64_t> scan(log_engine& log, std::uint64_t table,
                                       row_cursor after = {},
                                       std::uint64_t bytes_max = 1U << 30) {
  auto result = std::vector<std::uint64_t>{};
  auto done = block_index{};
  while (done < log.last()) {
    auto plan = plan_scan(log, {{table}, after, log.last(), bytes_max});
    REQUIRE(plan.complete_to <= log.last());
    for (const auto& piece : plan.pieces) {
      auto block = load(log, piece);
      for (std::size_t i = 0; i < block->rows(); ++i) {
        auto x = block->row(i);
        if (x.table().value == table && x.cursor() > after) {
          result.push_back(x.commit_ts().value);
          after = x.cursor();
        }
      }
    }
    REQUIRE(plan.complete_to > done);
    done = plan.complete_to;
  }
  return result;
}

inline status sync(log_engine& log) {
  auto order = log.begin_sync();
  auto done = log.disk()->sync(order);
  if (done)
    log.synced(order);
  return done;
}

/// One rewrite, if there is one to do. @returns Whether there was.
inline bool rewrite(log_engine& log,
                    const std::function<timestamp(table_id)>& floor_of) {
  auto order = log.plan_rewrite(floor_of, log.last());
  if (!order)
    return false;
  auto done = log.rewriter()->run(*order);
  INFO((done ? "" : to_string(done.error())));
  REQUIRE(done.has_value());
  auto old = log.rewritten(*done);
  REQUIRE(old == order->segments);
  REQUIRE(log.disk()->remove(old).has_value());
  return true;
}

inline std::unique_ptr<segment_log>
open_segments(const std::string& directory,
              std::uint64_t segment_bytes = 64U << 20,
              std::uint64_t tail_bytes_max = 64U << 20,
              std::shared_ptr<file_ops> ops = nullptr) {
  auto result = segment_log::open(
    {directory, segment_bytes, tail_bytes_max, std::move(ops)});
  INFO((result ? "" : to_string(result.error())));
  REQUIRE(result.has_value());
  return std::move(*result);
}

#ifdef SLUICE_ROCKSDB
inline std::unique_ptr<log_engine>
open_rocksdb(const std::string& directory,
             std::uint64_t segment_bytes = 64U << 20,
             std::uint64_t tail_bytes_max = 64U << 20) {
  auto result = open_rocksdb_log({directory, segment_bytes, tail_bytes_max});
  INFO((result ? "" : to_string(result.error())));
  REQUIRE(result.has_value());
  return std::move(*result);
}
#endif

/// Files of segments, ascending.
inline std::vector<std::string> segment_files_of(const std::string& directory) {
  auto result = std::vector<std::string>{};
  for (const auto& x : fs::directory_iterator{directory})
    if (x.path().extension() == ".seg")
      result.push_back(x.path().string());
  std::sort(result.begin(), result.end());
  return result;
}

inline std::string slurp(const std::string& path) {
  auto file = std::ifstream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

inline void spill(const std::string& path, const std::string& bytes) {
  auto file = std::ofstream{path, std::ios::binary | std::ios::trunc};
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// A directory as it was, to be tried again and again.
struct image {
  explicit image(const std::string& from) {
    for (const auto& x : fs::directory_iterator{from})
      files.emplace_back(x.path().filename().string(), slurp(x.path()));
  }
  void restore(const std::string& to) const {
    fs::remove_all(to);
    fs::create_directories(to);
    for (const auto& [name, bytes] : files)
      spill(to + '/' + name, bytes);
  }
  std::vector<std::pair<std::string, std::string>> files;
};

} // namespace log_test
