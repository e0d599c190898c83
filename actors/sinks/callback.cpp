#include "actors/sinks/callback.hpp"

#include <algorithm>
#include <limits>

namespace sluice {

namespace {

std::optional<value_view> value_in(const image_view& image,
                                   const table_schema& schema,
                                   std::string_view column) {
  if (!image)
    return std::nullopt;
  auto n = std::min<std::size_t>(image.size(), schema.columns.size());
  for (std::size_t i = 0; i < n; ++i)
    if (schema.columns[i].name == column)
      return image[static_cast<std::uint16_t>(i)];
  return std::nullopt;
}

std::vector<value_view> key_in(const row_view& row, const image_view& image,
                               const table_schema& schema) {
  auto result = std::vector<value_view>{};
  if (!image)
    return result;
  // The row says what is in its key, the schema in which order.
  auto parts = std::vector<std::uint16_t>{};
  for (std::uint16_t i = 0; i < row.columns(); ++i)
    if (row.in_key(i))
      parts.push_back(i);
  auto order = [&](std::uint16_t i) {
    return i < schema.columns.size()
             ? schema.columns[i].key_part
             : std::numeric_limits<std::uint16_t>::max();
  };
  std::stable_sort(parts.begin(), parts.end(),
                   [&](auto x, auto y) { return order(x) < order(y); });
  for (auto i : parts)
    result.push_back(image[i]);
  return result;
}

} // namespace

// -- change -------------------------------------------------------------------

std::optional<value_view> change::value(std::string_view column) const {
  return value_in(row.after(), schema, column);
}

std::optional<value_view> change::old_value(std::string_view column) const {
  return value_in(row.before(), schema, column);
}

std::vector<value_view> change::key() const {
  auto after = row.after();
  return key_in(row, after ? after : row.before(), schema);
}

std::vector<value_view> change::old_key() const {
  return key_in(row, row.before(), schema);
}

// -- change_batch -------------------------------------------------------------

change_batch::change_batch(std::vector<write_item> items, feed_order order,
                           bool torn) {
  auto rows = std::make_shared<held_rows>();
  rows->items = std::move(items);
  rows->torn = torn;
  if (order == feed_order::transaction)
    rows->order = commit_order(rows->items);
  if (rows->order.empty())
    for (std::uint32_t i = 0; i < rows->items.size(); ++i)
      for (std::uint32_t k = 0;
           rows->items[i].block && k < rows->items[i].count; ++k)
        rows->order.push_back({i, k});
  rows_ = std::move(rows);
}

} // namespace sluice
