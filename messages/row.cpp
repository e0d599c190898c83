#include "messages/row.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>

#include "messages/radix_sort.hpp"

namespace sluice {

namespace {

using namespace record;

constexpr std::uint8_t flag_copied = 1;
constexpr std::uint8_t known_flags = flag_copied;

template <class T>
void put(std::string& to, T x) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &x, sizeof(T));
  to.append(bytes, sizeof(T));
}

template <class T>
void put_at(std::string& to, std::size_t offset, T x) {
  std::memcpy(to.data() + offset, &x, sizeof(T));
}

constexpr std::size_t bitmap_size(std::size_t columns) noexcept {
  return (columns + 7) / 8;
}

bool bit(const char* map, std::size_t i) noexcept {
  return (static_cast<unsigned char>(map[i / 8]) >> (i % 8) & 1U) != 0;
}

void set_bit(char* map, std::size_t i) noexcept {
  map[i / 8] = static_cast<char>(static_cast<unsigned char>(map[i / 8])
                                 | 1U << (i % 8));
}

// Reads one present value and moves `at` behind it.
value_view take_value(const char*& at) noexcept {
  auto type = static_cast<value_type>(load<std::uint8_t>(at));
  ++at;
  switch (type) {
    case value_type::integer: {
      auto x = load<std::int64_t>(at);
      at += 8;
      return value_view::of_integer(x);
    }
    case value_type::real: {
      auto x = load<double>(at);
      at += 8;
      return value_view::of_real(x);
    }
    default: {
      auto n = load<std::uint32_t>(at);
      at += 4;
      auto result = value_view{type, 0, 0, {at, n}};
      at += n;
      return result;
    }
  }
}

void put_image(std::string& to, std::span<const value_view> values) {
  auto maps = to.size();
  auto map = bitmap_size(values.size());
  to.append(2 * map, '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].type == value_type::null)
      set_bit(to.data() + maps, i);
    else if (values[i].type == value_type::unchanged)
      set_bit(to.data() + maps + map, i);
  }
  for (const auto& x : values) {
    if (x.type == value_type::null || x.type == value_type::unchanged)
      continue;
    put(to, static_cast<std::uint8_t>(x.type));
    if (x.type == value_type::integer)
      put(to, x.integer);
    else if (x.type == value_type::real)
      put(to, x.real);
    else {
      put(to, static_cast<std::uint32_t>(x.bytes.size()));
      to.append(x.bytes);
    }
  }
}

// Checks one image inside [at, end); returns its end, or null if malformed.
const char* check_image(const char* at, const char* end,
                        std::size_t columns) noexcept {
  auto map = bitmap_size(columns);
  if (static_cast<std::size_t>(end - at) < 2 * map)
    return nullptr;
  const auto* nulls = at;
  const auto* unchanged = at + map;
  at += 2 * map;
  auto unused = columns % 8 == 0 ? 0U : 0xFFU << columns % 8;
  auto last = [map](const char* bits) {
    return map == 0 ? 0U : load<std::uint8_t>(bits + map - 1);
  };
  if (((last(nulls) | last(unchanged)) & unused) != 0)
    return nullptr;
  for (std::size_t i = 0; i < columns; ++i) {
    if (bit(nulls, i) && bit(unchanged, i))
      return nullptr;
    if (bit(nulls, i) || bit(unchanged, i))
      continue;
    if (at == end)
      return nullptr;
    auto type = static_cast<value_type>(load<std::uint8_t>(at));
    ++at;
    auto left = static_cast<std::size_t>(end - at);
    if (type == value_type::integer || type == value_type::real) {
      if (left < 8)
        return nullptr;
      at += 8;
    } else if (type == value_type::text || type == value_type::blob) {
      if (left < 4 || load<std::uint32_t>(at) > left - 4)
        return nullptr;
      at += 4 + load<std::uint32_t>(at);
    } else {
      return nullptr;
    }
  }
  return at;
}

// Checks the record at `at`; returns its size, or 0 if malformed.
std::size_t check_record(const char* at, std::size_t left) noexcept {
  if (left < header_size)
    return 0;
  std::size_t size = load<std::uint32_t>(at + at_size);
  std::size_t columns = load<std::uint16_t>(at + at_columns);
  std::size_t before = load<std::uint32_t>(at + at_before);
  auto op = load<std::uint8_t>(at + at_op);
  auto flags = load<std::uint8_t>(at + at_flags);
  auto map = bitmap_size(columns);
  if (size > left || size < header_size + map || op < 1 || op > 5
      || (flags & ~known_flags) != 0 || before > size - header_size - map)
    return 0;
  const auto* images = at + header_size + map;
  const auto* end = at + size;
  auto op_code = static_cast<row_op>(op);
  auto wants_before = op_code == row_op::update || op_code == row_op::erase;
  auto wants_after = op_code == row_op::insert || op_code == row_op::update;
  if (wants_before != (before > 0) || wants_after != (end != images + before))
    return 0;
  if (before > 0
      && check_image(images, images + before, columns) != images + before)
    return 0;
  if (wants_after && check_image(images + before, end, columns) != end)
    return 0;
  return size;
}

} // namespace

std::string_view to_string(row_op op) noexcept {
  switch (op) {
    case row_op::insert:
      return "insert";
    case row_op::update:
      return "update";
    case row_op::erase:
      return "delete";
    case row_op::truncate:
      return "truncate";
    case row_op::snapshot_begin:
      return "snapshot_begin";
  }
  return "unknown";
}

bool operator==(const value_view& x, const value_view& y) noexcept {
  if (x.type != y.type)
    return false;
  switch (x.type) {
    case value_type::integer:
      return x.integer == y.integer;
    case value_type::real:
      return std::bit_cast<std::uint64_t>(x.real)
             == std::bit_cast<std::uint64_t>(y.real);
    case value_type::text:
    case value_type::blob:
      return x.bytes == y.bytes;
    default:
      return true;
  }
}

// -- image_view ---------------------------------------------------------------

value_view image_view::operator[](std::uint16_t i) const noexcept {
  const auto* nulls = data_;
  const auto* unchanged = data_ + bitmap_size(columns_);
  if (bit(nulls, i))
    return {};
  if (bit(unchanged, i))
    return value_view::unchanged();
  const auto* at = data_ + 2 * bitmap_size(columns_);
  for (std::uint16_t k = 0; k < i; ++k)
    if (!bit(nulls, k) && !bit(unchanged, k))
      (void) take_value(at);
  return take_value(at);
}

void image_view::decode(std::vector<value_view>& into) const {
  into.clear();
  const auto* nulls = data_;
  const auto* unchanged = data_ + bitmap_size(columns_);
  const auto* at = data_ + 2 * bitmap_size(columns_);
  for (std::uint16_t i = 0; i < columns_; ++i) {
    if (bit(nulls, i))
      into.push_back({});
    else if (bit(unchanged, i))
      into.push_back(value_view::unchanged());
    else
      into.push_back(take_value(at));
  }
}

// -- row_view -----------------------------------------------------------------

bool row_view::copied() const noexcept {
  return (load<std::uint8_t>(data_ + at_flags) & flag_copied) != 0;
}

row_header row_view::header() const noexcept {
  return {table(), cursor(), op(), copied(), schema(), recorded_us()};
}

bool row_view::in_key(std::uint16_t i) const noexcept {
  return bit(data_ + header_size, i);
}

image_view row_view::before() const noexcept {
  if (load<std::uint32_t>(data_ + at_before) == 0)
    return {};
  return {data_ + header_size + bitmap_size(columns()), columns()};
}

image_view row_view::after() const noexcept {
  auto before_size = load<std::uint32_t>(data_ + at_before);
  const auto* at = data_ + header_size + bitmap_size(columns()) + before_size;
  if (at == data_ + size_bytes())
    return {};
  return {at, columns()};
}

// -- places
// --------------------------------------------------------------------

namespace {

// Fewer rows are sorted faster by comparing.
constexpr std::size_t rows_to_count_min = 64;

struct group_key {
  table_id table;
  std::uint32_t schema = 0;
  std::uint32_t offset = 0; // last, so that commit order stays

  friend auto operator<=>(const group_key&, const group_key&) = default;
};

std::vector<group_key> grouped(std::string_view bytes,
                               const std::vector<std::uint32_t>& offsets) {
  auto keys = std::vector<group_key>{};
  keys.reserve(offsets.size());
  auto one_schema = true;
  for (auto offset : offsets) {
    auto x = row_view{bytes.data() + offset};
    auto schema = static_cast<std::uint32_t>(x.schema().value);
    keys.push_back({x.table(), schema, offset});
    one_schema = one_schema && schema == keys.front().schema;
  }
  if (std::is_sorted(keys.begin(), keys.end()))
    return keys;
  if (one_schema && keys.size() >= rows_to_count_min)
    radix_sort(keys, [](const group_key& x) { return x.table.value; });
  else
    std::sort(keys.begin(), keys.end());
  return keys;
}

// Fills in all but the offsets.
void group(std::string_view bytes, row_places& places) {
  auto keys = grouped(bytes, places.offsets);
  auto is_new = [&](std::size_t i) {
    return i == 0 || keys[i].table != keys[i - 1].table
           || keys[i].schema != keys[i - 1].schema;
  };
  auto runs = std::size_t{0};
  for (std::size_t i = 0; i < keys.size(); ++i)
    runs += is_new(i) ? 1 : 0;
  places.runs.reserve(runs);
  places.grouped.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto row = row_view{bytes.data() + keys[i].offset};
    if (is_new(i))
      places.runs.push_back({keys[i].table,
                             {keys[i].schema},
                             static_cast<std::uint32_t>(i),
                             0,
                             0,
                             row.cursor(),
                             {}});
    auto& run = places.runs.back();
    ++run.count;
    run.bytes += row.size_bytes();
    run.last_cursor = row.cursor();
    places.grouped.push_back(keys[i].offset);
  }
}

} // namespace

expected<row_places> locate_rows(std::string_view bytes) {
  if (bytes.size() > UINT32_MAX)
    return fail(errc::malformed, "row block larger than 4 GiB");
  auto result = row_places{};
  for (std::size_t at = 0; at < bytes.size();) {
    auto size = check_record(bytes.data() + at, bytes.size() - at);
    if (size == 0)
      return fail(errc::malformed,
                  "row record at byte " + std::to_string(at) + " of its block");
    result.offsets.push_back(static_cast<std::uint32_t>(at));
    at += size;
  }
  group(bytes, result);
  return result;
}

bool are_ends(const std::vector<std::uint32_t>& ends,
              std::size_t rows) noexcept {
  if (ends.empty())
    return true;
  auto falls = std::adjacent_find(ends.begin(), ends.end(),
                                  std::greater_equal<>{});
  return falls == ends.end() && ends.front() > 0 && ends.back() <= rows;
}

// -- row_block ----------------------------------------------------------------

expected<block_ptr> row_block::parse(std::string bytes,
                                     std::vector<std::uint32_t> ends) {
  auto places = locate_rows(bytes);
  if (!places)
    return tl::unexpected{std::move(places.error())};
  if (!are_ends(ends, places->offsets.size()))
    return fail(errc::malformed, "end marks of a row block");
  auto result = std::shared_ptr<row_block>(new row_block);
  result->bytes_ = std::move(bytes);
  result->ends_ = std::move(ends);
  result->places_ = std::move(*places);
  return result;
}

std::uint64_t row_block::footprint() const noexcept {
  return sizeof(row_block) + bytes_.capacity()
         + (places_.offsets.capacity() + places_.grouped.capacity()
            + ends_.capacity())
             * sizeof(std::uint32_t)
         + places_.runs.capacity() * sizeof(block_run);
}

// -- row_block_builder --------------------------------------------------------

void row_block_builder::reserve(std::size_t rows, std::size_t bytes) {
  offsets_.reserve(rows);
  bytes_.reserve(bytes);
}

void row_block_builder::add(const row_header& header,
                            const std::vector<bool>& key_columns,
                            std::span<const value_view> before,
                            std::span<const value_view> after) {
  auto start = bytes_.size();
  auto columns = key_columns.size();
  offsets_.push_back(static_cast<std::uint32_t>(start));
  put(bytes_, std::uint32_t{0});
  put(bytes_, static_cast<std::uint8_t>(header.op));
  put(bytes_, header.copied ? flag_copied : std::uint8_t{0});
  put(bytes_, static_cast<std::uint16_t>(columns));
  put(bytes_, header.table.value);
  put(bytes_, header.cursor.commit_ts.value);
  put(bytes_, header.cursor.start_ts.value);
  put(bytes_, header.cursor.position);
  put(bytes_, header.recorded_us);
  put(bytes_, static_cast<std::uint32_t>(header.schema.value));
  put(bytes_, std::uint32_t{0});
  auto keys = bytes_.size();
  bytes_.append(bitmap_size(columns), '\0');
  for (std::size_t i = 0; i < columns; ++i)
    if (key_columns[i])
      set_bit(bytes_.data() + keys, i);
  auto images = bytes_.size();
  if (!before.empty())
    put_image(bytes_, before);
  put_at(bytes_, start + at_before,
         static_cast<std::uint32_t>(bytes_.size() - images));
  if (!after.empty())
    put_image(bytes_, after);
  put_at(bytes_, start + at_size,
         static_cast<std::uint32_t>(bytes_.size() - start));
}

void row_block_builder::add(row_view row) {
  offsets_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  bytes_.append(row.bytes());
}

void row_block_builder::end() {
  auto n = static_cast<std::uint32_t>(offsets_.size());
  if (n > 0 && (ends_.empty() || ends_.back() < n))
    ends_.push_back(n);
}

std::size_t row_block_builder::rows() const noexcept {
  return offsets_.size();
}

std::size_t row_block_builder::size_bytes() const noexcept {
  return bytes_.size();
}

block_ptr row_block_builder::finish() {
  auto result = std::shared_ptr<row_block>(new row_block);
  result->bytes_ = std::move(bytes_);
  result->places_.offsets = std::move(offsets_);
  result->ends_ = std::move(ends_);
  group(result->bytes_, result->places_);
  *this = row_block_builder{};
  return result;
}

status set_commit(std::string& records, timestamp commit_ts,
                  timestamp start_ts) {
  for (std::size_t at = 0; at < records.size();) {
    auto left = records.size() - at;
    auto size = left < header_size ? 0
                                   : load<std::uint32_t>(records.data() + at);
    if (size < header_size || size > left)
      return fail(errc::malformed,
                  "row record at byte " + std::to_string(at) + " of its block");
    put_at(records, at + at_commit_ts, commit_ts.value);
    put_at(records, at + at_start_ts, start_ts.value);
    at += size;
  }
  return {};
}

// -- text ---------------------------------------------------------------------

namespace {

std::string to_string(const image_view& image) {
  auto result = std::string{"{"};
  auto values = std::vector<value_view>{};
  image.decode(values);
  for (const auto& x : values) {
    if (result.size() > 1)
      result += ", ";
    switch (x.type) {
      case value_type::null:
        result += "null";
        break;
      case value_type::integer:
        result += std::to_string(x.integer);
        break;
      case value_type::real:
        result += std::to_string(x.real);
        break;
      case value_type::text:
        result += '"' + std::string{x.bytes} + '"';
        break;
      case value_type::blob:
        result += std::to_string(x.bytes.size()) + " bytes";
        break;
      case value_type::unchanged:
        result += "unchanged";
        break;
    }
  }
  return result + '}';
}

} // namespace

std::string to_string(const row_view& row) {
  auto result = std::string{to_string(row.op())} + ' '
                + to_string(row.cursor());
  if (row.before())
    result += ' ' + to_string(row.before());
  if (row.after())
    result += " -> " + to_string(row.after());
  return result;
}

} // namespace sluice
