#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/sinks/commit_order.hpp"
#include "messages/changes.hpp"
#include "messages/errc.hpp"
#include "messages/row.hpp"
#include "messages/schema.hpp"
#include "messages/sink.hpp"

/// What an embedding application sees of the rows: a function of its own is
/// called with one batch after the other. No CAF here.
namespace sluice {

/// One change of one row. Valid as long as its batch, or a copy of that, is.
struct change {
  const table_schema& schema; ///< The one the row was written with.
  row_view row;

  /// The table's qualified name.
  [[nodiscard]] std::string_view table() const { return schema.name; }
  [[nodiscard]] row_op op() const { return row.op(); }
  /// Its place in the table: rises from change to change.
  [[nodiscard]] row_cursor cursor() const { return row.cursor(); }
  [[nodiscard]] timestamp commit_ts() const { return row.commit_ts(); }
  /// Whether it is a row of a table's copy, not of a transaction.
  [[nodiscard]] bool copied() const { return row.copied(); }

  /// The value of a column after the change: of an insert or update. Nothing
  /// if there is no such column or no row after it. A value of type
  /// `unchanged` was not told by the source.
  [[nodiscard]] std::optional<value_view> value(std::string_view column) const;
  /// The value before the change: of an update or erase. Nothing, and type
  /// `unchanged`, as above.
  [[nodiscard]] std::optional<value_view>
  old_value(std::string_view column) const;
  /// The key's values, in the key's order: after the change; of an erase
  /// before it. Empty for truncate and snapshot_begin.
  [[nodiscard]] std::vector<value_view> key() const;
  /// The key before the change. Other than `key()` only if an update moved
  /// the row; empty for an insert.
  [[nodiscard]] std::vector<value_view> old_key() const;
};

/// Some changes, in the order of the feed: of all tables as they were
/// committed or, with `feed_order::table`, those of each table. Cheap to copy;
/// a copy keeps the rows in memory.
class change_batch {
public:
  /// @param torn A transaction goes on in the next batch.
  explicit change_batch(std::vector<write_item> items,
                        feed_order order = feed_order::table,
                        bool torn = false);
  /// @param rows Without `size`, and without the runs of its items.
  explicit change_batch(held_changes rows,
                        feed_order order = feed_order::table);

  class iterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = change;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = change;

    iterator() = default;
    iterator(const held_changes* of, std::size_t index)
      : of_{of}, index_{index} {
      find_run();
    }

    change operator*() const {
      const auto& x = of_->runs[run_];
      return {*x.schema, x.block->grouped(x.first + row_)};
    }
    iterator& operator++() {
      ++index_;
      ++row_;
      find_run();
      return *this;
    }
    iterator operator++(int) {
      auto result = *this;
      ++*this;
      return result;
    }
    friend bool operator==(const iterator& x, const iterator& y) {
      return x.of_ == y.of_ && x.index_ == y.index_;
    }

  private:
    void find_run() {
      if (index_ == of_->size)
        return;
      if (!of_->order.empty()) {
        run_ = of_->order[index_].item;
        row_ = of_->order[index_].row;
      }
      while (row_ == of_->runs[run_].count) {
        ++run_;
        row_ = 0;
      }
    }

    const held_changes* of_ = nullptr;
    std::size_t index_ = 0;
    std::size_t run_ = 0;
    std::uint32_t row_ = 0;
  };

  [[nodiscard]] iterator begin() const { return {rows_.get(), 0}; }
  [[nodiscard]] iterator end() const { return {rows_.get(), size()}; }
  /// Number of changes.
  [[nodiscard]] std::size_t size() const noexcept { return rows_->size; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  /// Whether the last transaction in it goes on in the next batch: one that
  /// is larger than a batch, or than the credit. Never with
  /// `feed_order::table`, which knows no transactions.
  [[nodiscard]] bool torn() const noexcept { return rows_->torn; }

private:
  std::shared_ptr<const held_changes> rows_;
};

/// Says that a batch is done with. Cheap to copy; may be kept and called from
/// any thread, also after the callback returned and after the feed stopped.
class acknowledger {
public:
  acknowledger() = default;
  explicit acknowledger(std::function<void()> send) : send_{std::move(send)} {
    // nop
  }

  /// Acknowledges the batch it came with and all batches before. They do not
  /// come again once that is stored: by a stop, or within about half a second.
  /// Calling it twice does no harm. Without effect when the batch is being
  /// delivered again meanwhile, with an acknowledger of its own.
  void ack() const {
    if (send_)
      send_();
  }

private:
  std::function<void()> send_;
};

/// The application's function. Called in one thread per feed, never twice at
/// a time. An error, or an exception, means that the batch was not taken: it
/// comes again after a while, with all after the last acknowledged one.
/// Nothing is acknowledged but by `acknowledger::ack`; what is not holds its
/// rows in memory, and too much of it stops the feed until it is.
using change_callback =
  std::function<status(const change_batch&, acknowledger)>;

} // namespace sluice
