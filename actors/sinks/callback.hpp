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

/// Some changes, in order; those of a table in the order of their commits.
/// Cheap to copy; a copy keeps the rows in memory.
class change_batch {
public:
  explicit change_batch(std::vector<write_item> items);

  class iterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = change;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = change;

    iterator() = default;
    iterator(const std::vector<write_item>* items, std::size_t item);

    change operator*() const {
      const auto& x = (*items_)[item_];
      return {*x.schema, x.block->grouped(x.first + row_)};
    }
    iterator& operator++();
    iterator operator++(int) {
      auto result = *this;
      ++*this;
      return result;
    }
    friend bool operator==(const iterator&, const iterator&) = default;

  private:
    void skip_empty();

    const std::vector<write_item>* items_ = nullptr;
    std::size_t item_ = 0;
    std::uint32_t row_ = 0;
  };

  [[nodiscard]] iterator begin() const { return {items_.get(), 0}; }
  [[nodiscard]] iterator end() const { return {items_.get(), items_->size()}; }
  /// Number of changes.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

private:
  std::shared_ptr<const std::vector<write_item>> items_;
  std::size_t size_ = 0;
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
  /// come again once that is stored, shortly after. Calling it twice does no
  /// harm. Without effect when the batch is being delivered again meanwhile,
  /// with an acknowledger of its own.
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
