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
                           bool torn)
  : change_batch{held_changes{std::move(items), {}, nullptr, {}, {}, 0, torn},
                 order} {
  // nop
}

change_batch::change_batch(held_changes rows, feed_order order) {
  if (order == feed_order::transaction)
    rows.order = commit_order(rows.items);
  auto of_items = std::vector<change_run>{};
  for (const auto& x : rows.items)
    of_items.push_back({x.block.get(), x.schema.get(), x.first,
                        x.block == nullptr ? 0 : x.count});
  rows.runs.insert(rows.runs.begin(), of_items.begin(), of_items.end());
  for (const auto& x : rows.runs)
    rows.size += x.count;
  rows_ = std::make_shared<const held_changes>(std::move(rows));
}

} // namespace sluice
