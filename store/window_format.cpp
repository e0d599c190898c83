#include "store/window_format.hpp"

#include <algorithm>
#include <utility>

#include "messages/radix_sort.hpp"
#include "store/block_summary.hpp"
#include "store/compression.hpp"
#include "store/little_endian.hpp"

namespace sluice {

namespace {

void put_cursor(std::string& to, const row_cursor& x) {
  put(to, x.commit_ts.value);
  put(to, x.start_ts.value);
  put(to, x.position);
}

row_cursor cursor_at(std::string_view from, std::size_t at) {
  return {{load<std::uint64_t>(from, at)},
          {load<std::uint64_t>(from, at + 8)},
          load<std::uint64_t>(from, at + 16)};
}

// Of bytes inside the payload of a batch.
batch_place inside(const batch_place& place, std::uint64_t offset) {
  return {place.uuid, place.segment, place.offset + batch_header_size + offset};
}

void put_piece(std::string& to, const window_piece& x) {
  put(to, x.table.value);
  put_cursor(to, x.first);
  put_cursor(to, x.last);
  put(to, x.rows);
  put(to, x.offset);
  put(to, x.size);
  put(to, x.sum);
  put(to, x.unpacked);
  put(to, std::uint32_t{0});
}

window_piece piece_at(std::string_view from, std::size_t at) {
  return {
    {load<std::uint64_t>(from, at)},    cursor_at(from, at + 8),
    cursor_at(from, at + 32),           load<std::uint64_t>(from, at + 56),
    load<std::uint32_t>(from, at + 64), load<std::uint32_t>(from, at + 68),
    load<std::uint64_t>(from, at + 72), load<std::uint32_t>(from, at + 80)};
}

// Cuts the rows of a block into pieces; offsets count from the first one.
std::vector<window_piece> cut(const row_block& rows, std::string& bytes) {
  auto result = std::vector<window_piece>{};
  bytes.reserve(rows.bytes().size());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    auto row = rows.grouped(i);
    if (result.empty() || result.back().table != row.table()
        || result.back().size >= window_piece_bytes)
      result.push_back({row.table(), row.cursor(), row.cursor(), 0,
                        static_cast<std::uint32_t>(bytes.size()), 0, 0, 0});
    auto& piece = result.back();
    bytes += row.bytes();
    piece.first = std::min(piece.first, row.cursor());
    piece.last = std::max(piece.last, row.cursor());
    piece.size += row.size_bytes();
    ++piece.rows;
  }
  return result;
}

// Packs those that become smaller by it.
std::string pack(std::vector<window_piece>& pieces, const std::string& bytes,
                 int level) {
  auto result = std::string{};
  for (auto& x : pieces) {
    auto content = std::string_view{bytes}.substr(x.offset, x.size);
    x.offset = static_cast<std::uint32_t>(result.size());
    auto packed = compress(content, level);
    result += packed ? std::string_view{*packed} : content;
    if (packed) {
      x.unpacked = x.size;
      x.size = static_cast<std::uint32_t>(packed->size());
    }
  }
  return result;
}

tl::unexpected<error> damaged(const char* what) {
  return fail(errc::log_corrupt, what);
}

} // namespace

std::string encode_window(const row_block& rows, const batch_place& place,
                          batch_header& header, int level) {
  auto bytes = std::string{};
  auto pieces = cut(rows, bytes);
  if (level != 0)
    bytes = pack(pieces, bytes, level);
  auto front = window_front_size + pieces.size() * window_piece_size + 8;
  auto result = std::string{};
  result.reserve(front + bytes.size() + rows.ends().size() * 4);
  put(result, static_cast<std::uint64_t>(pieces.size()));
  put(result, static_cast<std::uint64_t>(front + bytes.size()));
  for (auto& x : pieces) {
    auto content = std::string_view{bytes}.substr(x.offset, x.size);
    x.offset += static_cast<std::uint32_t>(front);
    x.sum = checksum(inside(place, x.offset), content);
    put_piece(result, x);
  }
  put(result, checksum(inside(place, 0), result));
  result += bytes;
  result += encode_ends(rows.ends());
  header.kind = batch_kind::window;
  header.rows = static_cast<std::uint32_t>(rows.rows());
  header.ends = static_cast<std::uint32_t>(rows.ends().size());
  return result;
}

expected<std::uint64_t> size_of_directory(std::string_view front,
                                          std::uint64_t payload) {
  if (front.size() < window_front_size)
    return damaged("directory of a window");
  auto pieces = load<std::uint64_t>(front, 0);
  if (pieces == 0 || pieces > payload / window_piece_size)
    return damaged("directory of a window");
  auto result = window_front_size + pieces * window_piece_size + 8;
  if (result > payload)
    return damaged("directory of a window");
  return result;
}

expected<window_directory> decode_directory(std::string_view bytes,
                                            const batch_place& place,
                                            std::uint64_t payload) {
  auto size = size_of_directory(bytes, payload);
  if (!size)
    return tl::unexpected{std::move(size.error())};
  auto sum_at = *size - 8;
  if (bytes.size() < *size
      || checksum(inside(place, 0), bytes.substr(0, sum_at))
           != load<std::uint64_t>(bytes, sum_at))
    return damaged("directory of a window");
  auto result = window_directory{};
  auto ends_at = load<std::uint64_t>(bytes, 8);
  auto next = *size;
  for (auto at = window_front_size; at < sum_at; at += window_piece_size) {
    auto piece = piece_at(bytes, at);
    if (piece.offset != next || piece.size == 0)
      return damaged("directory of a window");
    next += piece.size;
    result.pieces.push_back(piece);
  }
  if (next != ends_at || ends_at > payload)
    return damaged("directory of a window");
  result.ends_at = static_cast<std::uint32_t>(ends_at);
  return result;
}

window_directory::range window_directory::of(table_id table) const {
  auto first = std::partition_point(
    pieces.begin(), pieces.end(),
    [&](const window_piece& x) { return x.table < table; });
  auto last = std::partition_point(
    first, pieces.end(),
    [&](const window_piece& x) { return x.table == table; });
  return {static_cast<std::size_t>(first - pieces.begin()),
          static_cast<std::size_t>(last - pieces.begin())};
}

namespace {

struct placed_row {
  timestamp commit_ts;
  std::uint32_t offset = 0;
};

// Nearly all rows differ in commit_ts, which is sorted without comparing.
std::vector<placed_row> in_order(std::string_view bytes,
                                 const std::vector<std::uint32_t>& offsets) {
  auto row = [&](const placed_row& x) {
    return row_view{bytes.data() + x.offset};
  };
  auto result = std::vector<placed_row>{};
  result.reserve(offsets.size());
  for (auto offset : offsets)
    result.push_back({row({{}, offset}).commit_ts(), offset});
  radix_sort(result, [](const placed_row& x) { return x.commit_ts.value; });
  for (auto first = result.begin(); first != result.end();) {
    auto last = std::find_if(first, result.end(), [&](const placed_row& x) {
      return x.commit_ts != first->commit_ts;
    });
    if (last - first > 1)
      std::sort(first, last, [&](const placed_row& x, const placed_row& y) {
        return row(x).cursor() < row(y).cursor();
      });
    first = last;
  }
  return result;
}

// A block of rows that stood by table.
expected<block_ptr> regroup(std::string_view bytes,
                            const std::vector<std::uint32_t>& offsets,
                            const std::vector<std::uint32_t>& ends) {
  auto builder = row_block_builder{};
  builder.reserve(offsets.size(), bytes.size());
  auto end = ends.begin();
  for (const auto& x : in_order(bytes, offsets)) {
    builder.add(row_view{bytes.data() + x.offset});
    if (end != ends.end() && *end == builder.rows()) {
      builder.end();
      ++end;
    }
  }
  if (end != ends.end())
    return damaged("end marks of a window");
  return builder.finish();
}

std::uint64_t rows_in(const window_directory& directory,
                      window_directory::range range) {
  auto result = std::uint64_t{0};
  for (auto i = range.first; i < range.last; ++i)
    result += directory.pieces[i].rows;
  return result;
}

bool packed(const window_directory& directory, window_directory::range range) {
  auto first = directory.pieces.begin();
  return std::any_of(first + static_cast<std::ptrdiff_t>(range.first),
                     first + static_cast<std::ptrdiff_t>(range.last),
                     [](const window_piece& x) { return x.unpacked != 0; });
}

// What a piece holds, of the bytes of all of the range.
std::string_view content_of(const window_directory& directory,
                            window_directory::range range, std::size_t i,
                            std::string_view bytes) {
  const auto& x = directory.pieces[i];
  return bytes.substr(x.offset - directory.pieces[range.first].offset, x.size);
}

expected<std::string> unpack(const window_directory& directory,
                             window_directory::range range,
                             std::string_view bytes) {
  auto result = std::string{};
  for (auto i = range.first; i < range.last; ++i) {
    auto content = content_of(directory, range, i, bytes);
    auto size = directory.pieces[i].unpacked;
    if (size == 0)
      result += content;
    else if (auto done = decompress(content, size, result); !done)
      return tl::unexpected{std::move(done.error())};
  }
  return result;
}

bool ascending(const row_block& rows) {
  for (std::size_t i = 1; i < rows.rows(); ++i)
    if (rows.row(i).cursor() < rows.row(i - 1).cursor())
      return false;
  return true;
}

} // namespace

expected<block_ptr> decode_pieces(const window_directory& directory,
                                  window_directory::range range,
                                  std::string bytes, const batch_place& place) {
  for (auto i = range.first; i < range.last; ++i) {
    const auto& x = directory.pieces[i];
    auto content = content_of(directory, range, i, bytes);
    if (checksum(inside(place, x.offset), content) != x.sum)
      return damaged("checksum of the rows");
  }
  if (packed(directory, range)) {
    auto rows = unpack(directory, range, bytes);
    if (!rows)
      return tl::unexpected{std::move(rows.error())};
    bytes = std::move(*rows);
  }
  auto parsed = row_block::parse(std::move(bytes), {});
  if (!parsed)
    return fail(errc::log_corrupt, std::move(parsed.error().detail));
  const auto& rows = **parsed;
  if (rows.rows() != rows_in(directory, range))
    return damaged("row count of a window");
  if (ascending(rows))
    return parsed;
  return regroup(rows.bytes(), rows.places().offsets, {});
}

expected<block_ptr> decode_window(const batch_header& header,
                                  const batch_place& place,
                                  std::string_view payload) {
  auto directory = decode_directory(payload, place, payload.size());
  if (!directory)
    return tl::unexpected{std::move(directory.error())};
  auto rest = payload.substr(directory->ends_at);
  if (rest.size() != header.ends * std::size_t{4})
    return damaged("end marks of a window");
  auto ends = std::vector<std::uint32_t>{};
  for (std::size_t i = 0; i < header.ends; ++i)
    ends.push_back(load<std::uint32_t>(rest, i * 4));
  auto all = window_directory::range{0, directory->pieces.size()};
  auto at = directory->pieces.front().offset;
  auto bytes = payload.substr(at, directory->ends_at - at);
  auto unpacked = std::string{};
  if (packed(*directory, all)) {
    auto rows = unpack(*directory, all, bytes);
    if (!rows)
      return tl::unexpected{std::move(rows.error())};
    unpacked = std::move(*rows);
    bytes = unpacked;
  }
  auto places = locate_rows(bytes);
  if (!places)
    return fail(errc::log_corrupt, std::move(places.error().detail));
  if (places->offsets.size() != header.rows
      || rows_in(*directory, all) != header.rows)
    return damaged("row count of a window");
  return regroup(bytes, places->offsets, ends);
}

expected<block_summary> survey_window(const batch_header& header,
                                      const batch_place& place,
                                      std::string_view payload) {
  auto block = decode_window(header, place, payload);
  if (!block)
    return tl::unexpected{std::move(block.error())};
  return summarize(**block);
}

} // namespace sluice
