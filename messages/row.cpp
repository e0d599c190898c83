#include "messages/row.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

namespace sluice {

namespace {

static_assert(std::endian::native == std::endian::little,
              "records are little-endian and read in place");

// Offsets inside a record; docs/row_format.md has the table.
constexpr std::size_t at_size = 0;
constexpr std::size_t at_op = 4;
constexpr std::size_t at_flags = 5;
constexpr std::size_t at_columns = 6;
constexpr std::size_t at_table = 8;
constexpr std::size_t at_commit_ts = 16;
constexpr std::size_t at_start_ts = 24;
constexpr std::size_t at_position = 32;
constexpr std::size_t at_recorded = 40;
constexpr std::size_t at_schema = 48;
constexpr std::size_t at_before = 52;
constexpr std::size_t header_size = 56;

constexpr std::uint8_t flag_copied = 1;
constexpr std::uint8_t known_flags = flag_copied;

template <class T>
T load(const char* from) noexcept {
  T result;
  std::memcpy(&result, from, sizeof(T));
  return result;
}

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
  for (std::size_t i = columns; i < map * 8; ++i)
    if (bit(nulls, i) || bit(unchanged, i))
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

std::uint32_t row_view::size_bytes() const noexcept {
  return load<std::uint32_t>(data_ + at_size);
}

row_op row_view::op() const noexcept {
  return static_cast<row_op>(load<std::uint8_t>(data_ + at_op));
}

bool row_view::copied() const noexcept {
  return (load<std::uint8_t>(data_ + at_flags) & flag_copied) != 0;
}

table_id row_view::table() const noexcept {
  return {load<std::uint64_t>(data_ + at_table)};
}

row_cursor row_view::cursor() const noexcept {
  return {{load<std::uint64_t>(data_ + at_commit_ts)},
          {load<std::uint64_t>(data_ + at_start_ts)},
          load<std::uint64_t>(data_ + at_position)};
}

timestamp row_view::commit_ts() const noexcept {
  return {load<std::uint64_t>(data_ + at_commit_ts)};
}

schema_version row_view::schema() const noexcept {
  return {load<std::uint32_t>(data_ + at_schema)};
}

std::uint64_t row_view::recorded_us() const noexcept {
  return load<std::uint64_t>(data_ + at_recorded);
}

row_header row_view::header() const noexcept {
  return {table(), cursor(), op(), copied(), schema(), recorded_us()};
}

std::uint16_t row_view::columns() const noexcept {
  return load<std::uint16_t>(data_ + at_columns);
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

// -- row_block ----------------------------------------------------------------

expected<block_ptr> row_block::parse(std::string bytes,
                                     std::vector<std::uint32_t> ends) {
  auto result = std::shared_ptr<row_block>(new row_block);
  if (bytes.size() > UINT32_MAX)
    return fail(errc::malformed, "row block larger than 4 GiB");
  for (std::size_t at = 0; at < bytes.size();) {
    auto size = check_record(bytes.data() + at, bytes.size() - at);
    if (size == 0)
      return fail(errc::malformed,
                  "row record at byte " + std::to_string(at) + " of its block");
    result->offsets_.push_back(static_cast<std::uint32_t>(at));
    at += size;
  }
  auto rising = std::adjacent_find(ends.begin(), ends.end(),
                                   std::greater_equal<>{})
                == ends.end();
  if (!rising || (!ends.empty() && ends.back() > result->offsets_.size())
      || (!ends.empty() && ends.front() == 0))
    return fail(errc::malformed, "end marks of a row block");
  result->bytes_ = std::move(bytes);
  result->ends_ = std::move(ends);
  result->group();
  return result;
}

std::uint64_t row_block::footprint() const noexcept {
  return sizeof(row_block) + bytes_.capacity()
         + (offsets_.capacity() + grouped_.capacity() + ends_.capacity())
             * sizeof(std::uint32_t)
         + runs_.capacity() * sizeof(block_run);
}

void row_block::group() {
  grouped_.resize(offsets_.size());
  std::iota(grouped_.begin(), grouped_.end(), 0U);
  auto key = [this](std::uint32_t i) {
    return std::pair{row(i).table(), row(i).schema()};
  };
  std::stable_sort(grouped_.begin(), grouped_.end(),
                   [&](auto x, auto y) { return key(x) < key(y); });
  for (std::uint32_t i = 0; i < grouped_.size(); ++i) {
    auto x = grouped(i);
    if (runs_.empty() || runs_.back().table != x.table()
        || runs_.back().schema != x.schema())
      runs_.push_back({x.table(), x.schema(), i, 0, 0, x.cursor(), {}});
    auto& run = runs_.back();
    ++run.count;
    run.bytes += x.size_bytes();
    run.last_cursor = x.cursor();
  }
}

// -- row_block_builder --------------------------------------------------------

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
  result->offsets_ = std::move(offsets_);
  result->ends_ = std::move(ends_);
  result->group();
  *this = row_block_builder{};
  return result;
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
