#include "store/rocksdb_format.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sluice {

namespace {

static_assert(std::endian::native == std::endian::little,
              "numbers in values are little-endian");

constexpr char block_prefix = 'b';
constexpr char rows_prefix = 'r';
constexpr std::size_t block_key_size = 9;
constexpr std::size_t record_header_size = 56;

void put_key(std::string& to, std::uint64_t x) {
  for (int shift = 56; shift >= 0; shift -= 8)
    to.push_back(static_cast<char>(x >> shift & 0xFF));
}

template <class T>
void put(std::string& to, T x) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &x, sizeof(T));
  to.append(bytes, sizeof(T));
}

void put(std::string& to, const row_cursor& x) {
  put(to, x.commit_ts.value);
  put(to, x.start_ts.value);
  put(to, x.position);
}

// Takes numbers off the front; all are 0 once the bytes have run out.
struct reader {
  std::string_view bytes;
  bool short_of_bytes = false;

  template <class T>
  T take() {
    auto result = T{0};
    if (bytes.size() < sizeof(T)) {
      short_of_bytes = true;
      return result;
    }
    std::memcpy(&result, bytes.data(), sizeof(T));
    bytes.remove_prefix(sizeof(T));
    return result;
  }
  row_cursor take_cursor() {
    auto commit = take<std::uint64_t>();
    auto start = take<std::uint64_t>();
    return {{commit}, {start}, take<std::uint64_t>()};
  }
};

void take_tables(reader& from, block_summary& to) {
  auto n = from.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < n && !from.short_of_bytes; ++i) {
    auto share = table_share{};
    share.table = {from.take<std::uint64_t>()};
    share.first = from.take_cursor();
    share.last = from.take_cursor();
    share.bytes = from.take<std::uint64_t>();
    to.first = i == 0 ? share.first : std::min(to.first, share.first);
    to.last = std::max(to.last, share.last);
    to.tables.push_back(share);
  }
}

} // namespace

std::string block_key(block_index index) {
  auto result = std::string{block_prefix};
  put_key(result, index.value);
  return result;
}

std::string rows_key(table_id table, row_cursor first) {
  auto result = std::string{rows_prefix};
  put_key(result, table.value);
  put_key(result, first.commit_ts.value);
  put_key(result, first.start_ts.value);
  put_key(result, first.position);
  return result;
}

std::string encode(const block_summary& summary, timestamp resolved,
                   const std::vector<std::uint32_t>& ends) {
  auto result = std::string{};
  put(result, resolved.value);
  put(result, summary.rows);
  put(result, summary.complete_to);
  put(result, static_cast<std::uint32_t>(ends.size()));
  for (auto end : ends)
    put(result, end);
  put(result, static_cast<std::uint32_t>(summary.tables.size()));
  for (const auto& share : summary.tables) {
    put(result, share.table.value);
    put(result, share.first);
    put(result, share.last);
    put(result, share.bytes);
  }
  return result;
}

expected<stored_block> decode_stored_block(std::string_view key,
                                           std::string_view value) {
  if (key.size() != block_key_size || key.front() != block_prefix)
    return fail(errc::log_corrupt, "the key of a block");
  auto result = stored_block{};
  for (auto byte : key.substr(1))
    result.index.value = result.index.value << 8
                         | static_cast<unsigned char>(byte);
  auto from = reader{value};
  result.resolved = {from.take<std::uint64_t>()};
  result.summary.rows = from.take<std::uint32_t>();
  result.summary.complete_to = from.take_cursor();
  auto ends = from.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < ends && !from.short_of_bytes; ++i)
    result.ends.push_back(from.take<std::uint32_t>());
  if (!result.ends.empty())
    result.summary.complete = result.ends.back();
  take_tables(from, result.summary);
  if (from.short_of_bytes || !from.bytes.empty())
    return fail(errc::log_corrupt,
                "the entry of block " + std::to_string(result.index.value));
  return result;
}

std::vector<std::string_view> next_table(const row_block& block,
                                         std::size_t& run) {
  const auto& runs = block.runs();
  auto rows = std::vector<row_view>{};
  auto first = run;
  for (; run < runs.size() && runs[run].table == runs[first].table; ++run)
    for (std::uint32_t i = 0; i < runs[run].count; ++i)
      rows.push_back(block.grouped(runs[run].first + i));
  // A run has one schema version; those of a table may alternate.
  if (run - first > 1)
    std::sort(rows.begin(), rows.end(), [](const auto& x, const auto& y) {
      return x.cursor() < y.cursor();
    });
  auto result = std::vector<std::string_view>{};
  result.reserve(rows.size());
  for (const auto& x : rows)
    result.push_back(x.bytes());
  return result;
}

expected<std::string> merge_records(const std::vector<std::string>& tables) {
  auto rows = std::vector<row_view>{};
  auto size = std::size_t{0};
  for (const auto& bytes : tables) {
    for (std::size_t at = 0; at < bytes.size();) {
      auto left = bytes.size() - at;
      auto row = row_view{bytes.data() + at};
      if (left < record_header_size || row.size_bytes() < record_header_size
          || row.size_bytes() > left)
        return fail(errc::log_corrupt, "the records of a table");
      rows.push_back(row);
      at += row.size_bytes();
    }
    size += bytes.size();
  }
  std::sort(rows.begin(), rows.end(), [](const auto& x, const auto& y) {
    return x.cursor() < y.cursor();
  });
  auto result = std::string{};
  result.reserve(size);
  for (const auto& x : rows)
    result += x.bytes();
  return result;
}

} // namespace sluice
