#include "actors/sinks/sqlite/decoded_row.hpp"

#include <algorithm>
#include <cmath>

#include "actors/sinks/sqlite/replica_table.hpp"

namespace sluice {

namespace {

status check_key(const std::vector<value_view>& values, row_view row,
                 const table_key& key) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (is_null(values[i]))
      return fail(errc::null_in_key, "table \"" + key.table + "\", column \""
                                       + key.names[i] + "\", row at "
                                       + to_string(row.cursor()));
    if (values[i].type == value_type::unchanged)
      return fail(errc::malformed, "table \"" + key.table + "\", column \""
                                     + key.names[i]
                                     + "\" of the key is missing in the row at "
                                     + to_string(row.cursor()));
  }
  return {};
}

void take_key(std::vector<value_view>& into,
              const std::vector<value_view>& values, const table_key& key) {
  into.clear();
  for (auto i : key.columns)
    into.push_back(values[i]);
}

} // namespace

bool is_null(const value_view& x) noexcept {
  return x.type == value_type::null
         || (x.type == value_type::real && std::isnan(x.real));
}

table_key key_of(const table_schema& schema) {
  auto result = table_key{replica_name(schema), {}, {}};
  for (std::uint16_t i = 0; i < schema.columns.size(); ++i)
    if (schema.columns[i].key_part > 0)
      result.columns.push_back(i);
  std::sort(result.columns.begin(), result.columns.end(), [&](auto x, auto y) {
    return schema.columns[x].key_part < schema.columns[y].key_part;
  });
  for (auto i : result.columns)
    result.names.push_back(schema.columns[i].name);
  return result;
}

status decoded_row::assign(row_view row, const table_key& key) {
  op_ = row.op();
  moves_ = false;
  partial_ = false;
  before_.clear();
  after_.clear();
  old_key_.clear();
  new_key_.clear();
  if (auto before = row.before()) {
    before.decode(before_);
    take_key(old_key_, before_, key);
  }
  if (auto after = row.after()) {
    after.decode(after_);
    // A key that did not change may be in one of the images only.
    for (std::size_t i = 0; i < old_key_.size(); ++i) {
      auto& value = after_[key.columns[i]];
      if (value.type == value_type::unchanged)
        value = old_key_[i];
      else if (old_key_[i].type == value_type::unchanged)
        before_[key.columns[i]] = old_key_[i] = value;
    }
    take_key(new_key_, after_, key);
    moves_ = op_ == row_op::update && old_key_ != new_key_;
    partial_ = std::any_of(after_.begin(), after_.end(), [](const auto& x) {
      return x.type == value_type::unchanged;
    });
  }
  if (auto good = check_key(old_key_, row, key); !good)
    return good;
  return check_key(new_key_, row, key);
}

} // namespace sluice
