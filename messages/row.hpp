#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "messages/errc.hpp"
#include "messages/ids.hpp"

/// Rows as bytes. docs/row_format.md describes every byte; here is the code.
namespace sluice {

/// Offsets inside a record; docs/row_format.md has the table.
namespace record {

static_assert(std::endian::native == std::endian::little,
              "records are little-endian and read in place");

inline constexpr std::size_t at_size = 0;
inline constexpr std::size_t at_op = 4;
inline constexpr std::size_t at_flags = 5;
inline constexpr std::size_t at_columns = 6;
inline constexpr std::size_t at_table = 8;
inline constexpr std::size_t at_commit_ts = 16;
inline constexpr std::size_t at_start_ts = 24;
inline constexpr std::size_t at_position = 32;
inline constexpr std::size_t at_recorded = 40;
inline constexpr std::size_t at_schema = 48;
inline constexpr std::size_t at_before = 52;
inline constexpr std::size_t header_size = 56;

template <class T>
[[nodiscard]] T load(const char* from) noexcept {
  T result;
  std::memcpy(&result, from, sizeof(T));
  return result;
}

} // namespace record

/// What a row record says. The numbers are in the format.
enum class row_op : std::uint8_t {
  insert = 1,
  update = 2,         ///< Also a change of the key: old key, new row.
  erase = 3,          ///< A row was deleted.
  truncate = 4,       ///< All rows of the table are gone. No images.
  snapshot_begin = 5, ///< A copy of the table starts: forget its rows.
};

[[nodiscard]] std::string_view to_string(row_op op) noexcept;

enum class value_type : std::uint8_t {
  null = 0,
  integer = 1,   ///< 64 bit, signed.
  real = 2,      ///< IEEE 754 double; the bits are kept.
  text = 3,      ///< UTF-8 unless the source stored something else.
  blob = 4,      ///< Bytes.
  unchanged = 5, ///< The source did not say; keep what the target has.
};

/// One column's value; text and blob point into the row's block.
struct value_view {
  value_type type = value_type::null;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view bytes; ///< Of text and blob.

  [[nodiscard]] static value_view of_integer(std::int64_t x) {
    return {value_type::integer, x, 0, {}};
  }
  [[nodiscard]] static value_view of_real(double x) {
    return {value_type::real, 0, x, {}};
  }
  [[nodiscard]] static value_view of_text(std::string_view x) {
    return {value_type::text, 0, 0, x};
  }
  [[nodiscard]] static value_view of_blob(std::string_view x) {
    return {value_type::blob, 0, 0, x};
  }
  [[nodiscard]] static value_view unchanged() {
    return {value_type::unchanged, 0, 0, {}};
  }
  /// Equal type and equal bits (so NaN equals itself, 0.0 is not -0.0).
  friend bool operator==(const value_view& x, const value_view& y) noexcept;
};

/// Everything of a record but its images.
struct row_header {
  table_id table;
  row_cursor cursor;
  row_op op = row_op::insert;
  bool copied = false; ///< A row of a snapshot, not of a transaction.
  schema_version schema;
  std::uint64_t recorded_us = 0; ///< Unix microseconds at the source; 0: none.

  friend bool operator==(const row_header&, const row_header&) = default;
};

/// The values of one side of a change: before it or after it.
class image_view {
public:
  image_view() = default;
  image_view(const char* data, std::uint16_t columns) noexcept
    : data_{data}, columns_{columns} {
    // nop
  }

  [[nodiscard]] explicit operator bool() const noexcept {
    return data_ != nullptr;
  }
  [[nodiscard]] std::uint16_t size() const noexcept { return columns_; }
  /// Decodes column `i` (0-based): walks the values before it.
  /// @pre `i < size()`
  [[nodiscard]] value_view operator[](std::uint16_t i) const noexcept;
  /// Decodes all columns in one walk.
  void decode(std::vector<value_view>& into) const;

private:
  const char* data_ = nullptr;
  std::uint16_t columns_ = 0;
};

/// Reads one record in place; valid as long as its block.
/// @pre The bytes passed `row_block::parse` or came from a `row_block_builder`.
class row_view {
public:
  row_view() = default;
  explicit row_view(const char* record) noexcept : data_{record} {
    // nop
  }

  [[nodiscard]] std::uint32_t size_bytes() const noexcept {
    return field<std::uint32_t>(record::at_size);
  }
  [[nodiscard]] std::string_view bytes() const noexcept {
    return {data_, size_bytes()};
  }
  [[nodiscard]] row_op op() const noexcept {
    return static_cast<row_op>(field<std::uint8_t>(record::at_op));
  }
  [[nodiscard]] bool copied() const noexcept;
  [[nodiscard]] table_id table() const noexcept {
    return {field<std::uint64_t>(record::at_table)};
  }
  [[nodiscard]] row_cursor cursor() const noexcept {
    return {commit_ts(),
            {field<std::uint64_t>(record::at_start_ts)},
            field<std::uint64_t>(record::at_position)};
  }
  [[nodiscard]] timestamp commit_ts() const noexcept {
    return {field<std::uint64_t>(record::at_commit_ts)};
  }
  [[nodiscard]] schema_version schema() const noexcept {
    return {field<std::uint32_t>(record::at_schema)};
  }
  [[nodiscard]] std::uint64_t recorded_us() const noexcept {
    return field<std::uint64_t>(record::at_recorded);
  }
  [[nodiscard]] row_header header() const noexcept;
  [[nodiscard]] std::uint16_t columns() const noexcept {
    return field<std::uint16_t>(record::at_columns);
  }
  /// Whether column `i` belongs to the row's key.
  [[nodiscard]] bool in_key(std::uint16_t i) const noexcept;
  /// Old values: of an update or erase. A source that knows only the old key
  /// leaves the other columns `unchanged`.
  [[nodiscard]] image_view before() const noexcept;
  /// New values: of an insert or update.
  [[nodiscard]] image_view after() const noexcept;
  /// Brings what says where it belongs into the cache.
  [[gnu::always_inline]] void prefetch() const noexcept {
    __builtin_prefetch(data_);
    __builtin_prefetch(data_ + record::at_position);
  }

private:
  template <class T>
  [[nodiscard]] T field(std::size_t at) const noexcept {
    return record::load<T>(data_ + at);
  }

  const char* data_ = nullptr;
};

/// Rows of one table and one schema version inside a block.
struct block_run {
  table_id table;
  schema_version schema;
  std::uint32_t first = 0; ///< Index into the block's grouped order.
  std::uint32_t count = 0;
  std::uint64_t bytes = 0; ///< Of its records.
  row_cursor first_cursor;
  row_cursor last_cursor;
};

/// Where the records of a block are, and how they group by table.
struct row_places {
  std::vector<std::uint32_t> offsets; ///< In commit order.
  std::vector<std::uint32_t> grouped; ///< The same by table.
  std::vector<block_run> runs;        ///< Of `grouped`.
};

/// Takes `bytes` apart, checking every length and count in them.
/// @error errc::malformed
[[nodiscard]] expected<row_places> locate_rows(std::string_view bytes);

/// Whether these can be the end marks of a block: see `row_block::ends`.
[[nodiscard]] bool are_ends(const std::vector<std::uint32_t>& ends,
                            std::size_t rows) noexcept;

class row_block;
/// Blocks are immutable and shared by everything that reads them.
using block_ptr = std::shared_ptr<const row_block>;

/// Many rows, encoded once at the source. Records stand in commit order;
/// `runs` group them by table without moving them.
class row_block {
public:
  /// Takes `bytes` apart, checking every length and count in them.
  /// @param ends How many rows are complete at each end mark, ascending.
  /// @error errc::malformed
  [[nodiscard]] static expected<block_ptr>
  parse(std::string bytes, std::vector<std::uint32_t> ends);

  [[nodiscard]] std::size_t rows() const noexcept {
    return places_.offsets.size();
  }
  [[nodiscard]] bool empty() const noexcept { return rows() == 0; }
  /// Row `i` in commit order.
  [[nodiscard]] row_view row(std::size_t i) const noexcept {
    return row_view{bytes_.data() + places_.offsets[i]};
  }
  /// Row `i` of the grouped order that `block_run::first` counts in. Inside
  /// a run the order is commit order.
  [[nodiscard]] row_view grouped(std::size_t i) const noexcept {
    return row_view{bytes_.data() + places_.grouped[i]};
  }
  [[nodiscard]] const std::vector<block_run>& runs() const noexcept {
    return places_.runs;
  }
  /// Numbers of rows after which a transaction is complete, ascending.
  [[nodiscard]] const std::vector<std::uint32_t>& ends() const noexcept {
    return ends_;
  }
  /// Whether no transaction is left open at the end.
  [[nodiscard]] bool closed() const noexcept {
    return empty() || (!ends_.empty() && ends_.back() == rows());
  }
  [[nodiscard]] row_cursor first_cursor() const noexcept {
    return empty() ? row_cursor{} : row(0).cursor();
  }
  [[nodiscard]] row_cursor last_cursor() const noexcept {
    return empty() ? row_cursor{} : row(rows() - 1).cursor();
  }
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
  [[nodiscard]] const row_places& places() const noexcept { return places_; }
  /// Memory it holds, for credit.
  [[nodiscard]] std::uint64_t footprint() const noexcept;

  friend bool operator==(const row_block& x, const row_block& y) noexcept {
    return x.bytes_ == y.bytes_ && x.ends_ == y.ends_;
  }

private:
  friend class row_block_builder; // skips the checks of parse
  row_block() = default;

  std::string bytes_;
  row_places places_;
  std::vector<std::uint32_t> ends_;
};

/// Encodes rows into a block.
class row_block_builder {
public:
  /// Room for so many, if that is known.
  void reserve(std::size_t rows, std::size_t bytes);
  /// @param key_columns One flag per column; its size is the column count.
  /// @param before,after Empty, or one value per column.
  void add(const row_header& header, const std::vector<bool>& key_columns,
           std::span<const value_view> before,
           std::span<const value_view> after);
  /// Copies a record that was encoded before.
  void add(row_view row);
  /// The transaction of the last row is complete.
  void end();
  [[nodiscard]] std::size_t rows() const noexcept;
  [[nodiscard]] std::size_t size_bytes() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return rows() == 0; }
  /// The block; the builder is empty afterwards.
  [[nodiscard]] block_ptr finish();

private:
  std::string bytes_;
  std::vector<std::uint32_t> offsets_;
  std::vector<std::uint32_t> ends_;
};

/// Puts these into records that were encoded before their transaction had them.
/// @error malformed (a record's size); whatever else is `row_block::parse`'s
[[nodiscard]] status set_commit(std::string& records, timestamp commit_ts,
                                timestamp start_ts);

/// A row written out for people: `update (3, 3, 0) {id=1, n="a"} -> {...}`.
[[nodiscard]] std::string to_string(const row_view& row);

} // namespace sluice
