#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "actors/sources/source_connector.hpp"
#include "messages/row.hpp"

/// The rows of feed_bench: those of the peers that it is compared with.
namespace sluice::bench {

inline std::uint64_t nanoseconds_now() {
  auto now = timespec{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000
         + static_cast<std::uint64_t>(now.tv_nsec);
}

/// What every row says of itself; random bytes fill it up to `payload_bytes`.
struct row_note {
  std::uint64_t commit_ts = 0;
  std::uint64_t sent_ns = 0;
  std::uint64_t table = 0;
};

constexpr std::size_t payload_bytes = 256;

inline void fill(std::array<char, payload_bytes>& to, const row_note& x) {
  std::memcpy(to.data(), &x, sizeof x);
  auto noise = x.commit_ts * 0x9E3779B97F4A7C15ULL;
  for (auto at = sizeof x; at + 8 <= to.size(); at += 8) {
    noise ^= noise << 13U;
    noise ^= noise >> 7U;
    noise ^= noise << 17U;
    auto printable = (noise & 0x3f3f3f3f3f3f3f3fULL) + 0x3030303030303030ULL;
    std::memcpy(to.data() + at, &printable, 8);
  }
}

/// Which table row `i` belongs to: one after the other or, as if at random.
inline std::uint64_t table_of(std::uint64_t i, std::uint64_t tables,
                              bool random) {
  if (!random)
    return i % tables;
  auto z = i * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return (z ^ (z >> 31U)) % tables;
}

/// What is to be made. Written by the bench, read by the source's thread.
struct row_plan {
  std::uint64_t tables = 1;
  std::uint64_t hot = 0; ///< Rows go to so many of them only; 0: to all.
  bool random = false;
  std::size_t block_rows = 1'000;     ///< At most, as many as the peers write.
  std::atomic<std::uint64_t> rows{0}; ///< Up to this one, from 1.
  std::atomic<std::uint64_t> per_second{0}; ///< 0: as fast as they go.
};

/// Row i commits at ts i, alone.
class row_source : public source_connector {
public:
  explicit row_source(std::shared_ptr<row_plan> plan) : plan_{std::move(plan)} {
    // nop
  }

  std::string describe() const override { return "rows of feed_bench"; }

  expected<std::vector<ddl_event>> open(const source_position& from,
                                        source_journal& journal) override {
    auto names = std::vector<std::string>{};
    for (std::uint64_t i = 0; i < plan_->tables; ++i)
      names.push_back("t" + std::to_string(i));
    auto ids = journal.tables_of(names);
    if (!ids)
      return tl::unexpected{std::move(ids.error())};
    ids_ = std::move(*ids);
    auto result = std::vector<ddl_event>{};
    for (std::size_t i = 0; i < names.size(); ++i)
      result.push_back({{ids_[i],
                         std::move(names[i]),
                         {1},
                         {},
                         {{"id", "INTEGER", 1}, {"payload", "BLOB", 0}}},
                        {},
                        false});
    done_ = from.resume.commit_ts.value;
    paced_from_ = done_;
    paced_at_ = nanoseconds_now();
    return result;
  }

  expected<source_batch> read(std::size_t bytes_max) override {
    auto result = source_batch{};
    auto until = due();
    if (until <= done_) {
      if (plan_->per_second == 0 || done_ >= plan_->rows)
        return result;
      nap();
      until = due();
    }
    auto rows = row_block_builder{};
    rows.reserve(plan_->block_rows, plan_->block_rows * 350);
    auto sent_ns = nanoseconds_now();
    while (done_ < until && rows.rows() < plan_->block_rows
           && rows.size_bytes() < bytes_max)
      add(++done_, sent_ns, rows);
    result.resolved = {done_};
    result.more = done_ < until || plan_->per_second != 0;
    if (!rows.empty())
      result.rows = rows.finish();
    return result;
  }

  expected<bool> confirm(timestamp) override { return false; }

  std::chrono::milliseconds idle_wait(std::uint32_t) const override {
    return std::chrono::milliseconds{1};
  }

private:
  static void nap() {
    std::this_thread::sleep_for(std::chrono::microseconds{500});
  }

  // The last row that may have been made by now.
  std::uint64_t due() {
    auto rate = plan_->per_second.load();
    auto rows = plan_->rows.load();
    if (rate == 0)
      return rows;
    if (rate != paced_) {
      paced_ = rate;
      paced_from_ = done_;
      paced_at_ = nanoseconds_now();
    }
    auto passed = static_cast<double>(nanoseconds_now() - paced_at_) * 1e-9;
    return std::min(
      rows, paced_from_
              + static_cast<std::uint64_t>(passed * static_cast<double>(rate)));
  }

  void add(std::uint64_t i, std::uint64_t sent_ns, row_block_builder& to) {
    static const auto key = std::vector<bool>{true, false};
    auto hot = plan_->hot == 0 ? plan_->tables : plan_->hot;
    auto table = table_of(i - 1, hot, plan_->random);
    fill(payload_, {i, sent_ns, table});
    auto header = row_header{};
    header.table = ids_[table];
    header.cursor = {{i}, {i}, 0};
    header.op = row_op::insert;
    header.schema = {1};
    auto values = std::array<value_view, 2>{
      value_view::of_integer(static_cast<std::int64_t>(i)),
      value_view::of_blob({payload_.data(), payload_.size()})};
    to.add(header, key, {}, values);
    to.end();
  }

  std::shared_ptr<row_plan> plan_;
  std::vector<table_id> ids_;
  std::uint64_t done_ = 0; // the last row that was made
  std::uint64_t paced_ = 0;
  std::uint64_t paced_from_ = 0;
  std::uint64_t paced_at_ = 0;
  std::array<char, payload_bytes> payload_{};
};

} // namespace sluice::bench
