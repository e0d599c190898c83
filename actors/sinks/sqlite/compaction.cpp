#include "actors/sinks/sqlite/compaction.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sluice {

namespace {

void append_big_endian(std::string& to, std::uint64_t x) {
  for (auto shift = 56; shift >= 0; shift -= 8)
    to += static_cast<char>(x >> shift & 0xFF);
}

constexpr auto sign_bit = std::uint64_t{1} << 63;

// Unsigned numbers that sort as the doubles do.
std::uint64_t rising(double x) noexcept {
  auto bits = std::bit_cast<std::uint64_t>(x);
  return (bits & sign_bit) != 0 ? ~bits : bits | sign_bit;
}

void append_number(std::string& to, double real, std::uint64_t integer) {
  to += '\1';
  append_big_endian(to, rising(real));
  append_big_endian(to, integer);
}

// So that no key is the beginning of another one's: 0 becomes 0 1, the end
// is 0 0.
void append_text(std::string& to, char tag, std::string_view x) {
  to += tag;
  for (auto c : x) {
    to += c;
    if (c == '\0')
      to += '\1';
  }
  to.append(2, '\0');
}

} // namespace

void append_key(std::string& to, const value_view& x) {
  switch (x.type) {
    case value_type::integer:
      append_number(to, static_cast<double>(x.integer),
                    static_cast<std::uint64_t>(x.integer) ^ sign_bit);
      break;
    case value_type::real:
      // Both powers of two are exact; 2^63 itself is no integer of 64 bits.
      if (x.real >= -0x1p63 && x.real < 0x1p63 && std::trunc(x.real) == x.real)
        append_key(to,
                   value_view::of_integer(static_cast<std::int64_t>(x.real)));
      else
        append_number(to, x.real, 0);
      break;
    case value_type::text:
      append_text(to, '\2', x.bytes);
      break;
    case value_type::blob:
      append_text(to, '\3', x.bytes);
      break;
    default:
      to += '\0';
  }
}

void compaction::add_entry(const std::vector<value_view>& key, std::uint32_t i,
                           kind what) {
  auto at = bytes_.size();
  for (const auto& x : key)
    append_key(bytes_, x);
  entries_.push_back({at, bytes_.size() - at, i, what});
}

bool compaction::add(const decoded_row& row, std::uint32_t i) {
  switch (row.op()) {
    case row_op::insert:
      add_entry(row.new_key(), i, row.partial() ? kind::patch : kind::put);
      return true;
    case row_op::update:
      if (row.moves() && row.partial())
        return false;
      if (row.moves())
        add_entry(row.old_key(), i, kind::erase);
      add_entry(row.new_key(), i, row.partial() ? kind::patch : kind::put);
      return true;
    case row_op::erase:
      add_entry(row.old_key(), i, kind::erase);
      return true;
    default:
      return false;
  }
}

void compaction::clear() noexcept {
  entries_.clear();
  bytes_.clear();
}

status compaction::fold(const row_block& block, const entry* first,
                        const entry* last) {
  net_.erased = false;
  net_.partial = false;
  net_.values.clear();
  // Nothing before the last whole row, or the last end of one, matters.
  const auto* from = last - 1;
  while (from != first && from->what == kind::patch)
    --from;
  for (; from != last; ++from) {
    if (auto good = row_.assign(block.grouped(from->row), key_); !good)
      return good;
    if (from->what == kind::erase) {
      net_.key = row_.old_key();
      net_.erased = true;
      continue;
    }
    net_.key = row_.new_key();
    if (net_.values.empty())
      net_.values = row_.after();
    else
      for (std::size_t i = 0; i < net_.values.size(); ++i)
        if (row_.after()[i].type != value_type::unchanged)
          net_.values[i] = row_.after()[i];
  }
  net_.partial = std::any_of(
    net_.values.begin(), net_.values.end(),
    [](const auto& x) { return x.type == value_type::unchanged; });
  return {};
}

status
compaction::drain(const row_block& block,
                  const std::function<status(const net_change&)>& apply) {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [this](const entry& x, const entry& y) {
                     return key_bytes(x) < key_bytes(y);
                   });
  const auto* end = entries_.data() + entries_.size();
  for (const auto* first = static_cast<const entry*>(entries_.data());
       first != end;) {
    const auto* last = std::find_if(first, end, [&](const entry& x) {
      return key_bytes(x) != key_bytes(*first);
    });
    auto done = fold(block, first, last);
    if (done)
      done = apply(net_);
    if (!done)
      return done;
    first = last;
  }
  clear();
  return {};
}

} // namespace sluice
