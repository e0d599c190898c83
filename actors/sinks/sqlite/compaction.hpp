#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "actors/sinks/sqlite/decoded_row.hpp"
#include "messages/errc.hpp"
#include "messages/row.hpp"

namespace sluice {

/// Appends bytes that are equal exactly for values that SQLite takes for the
/// same in a key (1 and 1.0 are), and that sort roughly as SQLite does.
void append_key(std::string& to, const value_view& x);

/// What remains to be done to the row of one key.
struct net_change {
  std::vector<value_view> key;
  /// The row that may be there goes away first.
  bool erased = false;
  /// Empty: nothing comes in its place.
  std::vector<value_view> values;
  /// Some of `values` are `unchanged`.
  bool partial = false;
};

/// Collects changes of one table and reduces them to one per key.
class compaction {
public:
  explicit compaction(const table_key& key) : key_{key} {
    // nop
  }

  /// @param i The row's index in its block, for `drain`.
  /// @returns False if the change cannot be reduced: a row with unknown
  ///          values moves to another key. Then nothing was added.
  [[nodiscard]] bool add(const decoded_row& row, std::uint32_t i);
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  void clear() noexcept;
  /// Calls `apply` once per key, keys ascending; empty afterwards.
  [[nodiscard]] status
  drain(const row_block& block,
        const std::function<status(const net_change&)>& apply);

private:
  enum class kind : std::uint8_t { put, patch, erase };
  struct entry {
    std::size_t at = 0; // of its key in bytes_
    std::size_t size = 0;
    std::uint32_t row = 0;
    kind what = kind::put;
  };

  void add_entry(const std::vector<value_view>& key, std::uint32_t i,
                 kind what);
  [[nodiscard]] std::string_view key_bytes(const entry& x) const noexcept {
    return {bytes_.data() + x.at, x.size};
  }
  /// Folds one key's entries, oldest first.
  [[nodiscard]] status fold(const row_block& block, const entry* first,
                            const entry* last);

  const table_key& key_;
  std::string bytes_;
  std::vector<entry> entries_; // in the order of the changes
  decoded_row row_;
  net_change net_;
};

} // namespace sluice
