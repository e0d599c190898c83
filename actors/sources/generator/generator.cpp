#include "actors/sources/generator/generator.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/sources/generator/bank.hpp"

namespace sluice {

namespace {

using steady = std::chrono::steady_clock;

// What is wrong with the options, else nothing.
std::string fault_of(const generator_options& x) {
  auto within = [](std::uint64_t n, std::uint64_t low, std::uint64_t high) {
    return n >= low && n <= high;
  };
  if (!within(x.tables, 1, 10'000))
    return "tables must be 1 to 10,000";
  if (!within(x.accounts, 2, 10'000'000))
    return "accounts must be 2 to 10 million";
  if (!within(std::uint64_t{x.accounts} * x.tables, 2, 100'000'000))
    return "tables * accounts must be at most 100 million";
  if (!within(x.transfers_per_transaction, 1, 1'000))
    return "transfers_per_transaction must be 1 to 1,000";
  if (!within(x.same_commit_ts, 1, 1'000))
    return "same_commit_ts must be 1 to 1,000";
  if (x.payload_bytes > 1U << 20)
    return "payload_bytes must be at most 1 MiB";
  return {};
}

std::uint64_t unix_microseconds() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
    std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

class generator : public source_connector {
public:
  explicit generator(const generator_options& options) : options_{options} {
    // nop
  }

  std::string describe() const override {
    return "generator, seed " + std::to_string(options_.seed);
  }

  expected<std::vector<ddl_event>> open(const source_position& from,
                                        source_journal& journal) override {
    if (auto fault = fault_of(options_); !fault.empty())
      return fail(errc::invalid_option, describe() + ": " + fault);
    auto schemas = declare_tables(journal);
    if (!schemas)
      return schemas;
    bank_.emplace(options_);
    pending_ = nullptr;
    resolved_ = {};
    while (!bank_->finished()) {
      const auto& x = bank_->next();
      if (cursor_of(x, x.changes.size() - 1) > from.resume) {
        pending_ = &x;
        break;
      }
      resolve(x);
    }
    skip_to_ = from.resume;
    opened_ = steady::now();
    rows_made_ = 0;
    return schemas;
  }

  expected<source_batch> read(std::size_t bytes_max) override {
    if (!bank_)
      return fail(errc::source_unavailable, describe() + " is not open");
    auto result = source_batch{};
    auto rows = row_block_builder{};
    auto allowed = rows_allowed();
    while (rows_made_ < allowed && rows.size_bytes() < bytes_max
           && (pending_ != nullptr || !bank_->finished())) {
      const auto& x = pending_ != nullptr ? *pending_ : bank_->next();
      pending_ = nullptr;
      add(x, rows);
      resolve(x);
    }
    result.more = rows_made_ < allowed && !bank_->finished();
    result.resolved = resolved_;
    if (!rows.empty())
      result.rows = rows.finish();
    return result;
  }

  expected<bool> confirm(timestamp) override { return false; }

  std::chrono::milliseconds
  idle_wait(std::uint32_t empty_reads) const override {
    auto longest = options_.rows_per_second > 0 && bank_ && !bank_->finished()
                     ? 5
                     : 50;
    return std::chrono::milliseconds{
      std::min(longest, 1 << std::min(empty_reads, 10U))};
  }

private:
  [[nodiscard]] expected<std::vector<ddl_event>>
  declare_tables(source_journal& journal) {
    auto names = std::vector<std::string>{};
    for (std::uint32_t i = 1; i <= options_.tables; ++i)
      names.push_back("accounts_" + std::to_string(i));
    auto ids = journal.tables_of(names);
    if (!ids)
      return tl::unexpected{std::move(ids.error())};
    tables_ = std::move(*ids);
    auto result = std::vector<ddl_event>{};
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto columns = std::vector<column>{
        {"id", "INTEGER", 1}, {"balance", "INTEGER", 0}, {"note", "TEXT", 0}};
      result.push_back(
        {{tables_[i], std::move(names[i]), {1}, {}, std::move(columns)},
         {},
         false});
    }
    return result;
  }

  [[nodiscard]] static row_cursor cursor_of(const bank::transaction& x,
                                            std::size_t position) {
    return {x.commit_ts, x.start_ts, position};
  }

  /// How many rows may have been made since `open` by now.
  [[nodiscard]] std::uint64_t rows_allowed() const {
    if (options_.rows_per_second == 0)
      return ~std::uint64_t{0};
    auto passed = std::chrono::duration<double>(steady::now() - opened_);
    return 1
           + static_cast<std::uint64_t>(
             passed.count() * static_cast<double>(options_.rows_per_second));
  }

  void resolve(const bank::transaction& x) {
    resolved_ = x.last_of_ts ? x.commit_ts : x.commit_ts.previous();
  }

  void add(const bank::transaction& x, row_block_builder& rows) {
    auto header = row_header{};
    header.schema = {1};
    header.recorded_us = options_.record_time ? unix_microseconds() : 0;
    for (std::size_t i = 0; i < x.changes.size(); ++i) {
      header.cursor = cursor_of(x, i);
      if (header.cursor <= skip_to_)
        continue;
      add(x.changes[i], header, rows);
      ++rows_made_;
    }
    rows.end();
  }

  void add(const bank::change& x, row_header& header, row_block_builder& rows) {
    static const auto key = std::vector<bool>{true, false, false};
    header.table = tables_[x.table];
    header.op = x.inserted ? row_op::insert : row_op::update;
    auto after = image(x.id, x.after, note_after_);
    if (x.inserted) {
      rows.add(header, key, {}, after);
      return;
    }
    auto before = image(x.id, x.before, note_before_);
    rows.add(header, key, before, after);
  }

  [[nodiscard]] std::array<value_view, 3>
  image(std::uint32_t id, const bank::account& x, std::string& note) const {
    bank_->note_text(x.note, note);
    return {value_view::of_integer(id), value_view::of_integer(x.balance),
            value_view::of_text(note)};
  }

  generator_options options_;
  std::vector<table_id> tables_;
  std::optional<bank> bank_;
  const bank::transaction* pending_ = nullptr; // made, but not read
  row_cursor skip_to_;
  timestamp resolved_;
  steady::time_point opened_;
  std::uint64_t rows_made_ = 0; // since `open`
  std::string note_before_;
  std::string note_after_;
};

} // namespace

std::unique_ptr<source_connector>
make_generator(const generator_options& options) {
  return std::make_unique<generator>(options);
}

} // namespace sluice
