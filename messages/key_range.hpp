#pragma once

#include <span>
#include <string>
#include <tuple>

#include "messages/row.hpp"

/// A part of a table, by keys.
namespace sluice {

/// A key as bytes that sort as the key does: column by column, null before
/// numbers before text before blobs; integers before reals, since a column of
/// both has no order that every database agrees on. Text sorts by its bytes.
/// @param values Of the key's columns, in the table's order.
[[nodiscard]] std::string encode_key(std::span<const value_view> values);

/// The keys of [from, to), encoded. A beginning of a key stands for all that
/// begin with it.
struct key_range {
  std::string from; ///< Empty: from the first one.
  std::string to;   ///< Empty: to the last one.

  [[nodiscard]] bool everything() const noexcept {
    return from.empty() && to.empty();
  }
  [[nodiscard]] bool contains(const std::string& key) const noexcept {
    return key >= from && (to.empty() || key < to);
  }
  friend bool operator==(const key_range&, const key_range&) = default;
  auto fields() { return std::tie(from, to); }
};

/// Whether a row concerns a range: with its key, or the one that it had before
/// an update. What is about the whole table concerns each range.
class key_filter {
public:
  explicit key_filter(key_range range) : range_{std::move(range)} {
    // nop
  }
  [[nodiscard]] bool operator()(const row_view& row);

private:
  [[nodiscard]] bool contains_key(const row_view& row, image_view of,
                                  image_view otherwise);

  key_range range_;
  std::string key_; // of the last row: its memory is used again
};

} // namespace sluice
