#include "store/window_format.hpp"

#include <algorithm>
#include <numeric>
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

// Of an entry of the directory, but for the checksum itself.
std::uint32_t sum_of_entry(std::string_view entry, const batch_place& place,
                           std::size_t nth) {
  auto at = window_front_size + nth * window_piece_size;
  return static_cast<std::uint32_t>(
    checksum(inside(place, at), entry.substr(0, window_piece_size - 4)));
}

void put_piece(std::string& to, const window_piece& x, const batch_place& place,
               std::size_t nth) {
  auto at = to.size();
  put(to, x.table.value);
  put_cursor(to, x.first);
  put_cursor(to, x.last);
  put(to, x.rows);
  put(to, x.offset);
  put(to, x.size);
  put(to, x.sum);
  put(to, x.unpacked);
  put(to, sum_of_entry(std::string_view{to}.substr(at), place, nth));
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

// See `block_summary::pieces`.
std::vector<std::uint32_t>
begins_of_tables(const std::vector<window_piece>& pieces) {
  auto result = std::vector<std::uint32_t>{};
  for (std::size_t i = 0; i < pieces.size(); ++i)
    if (i == 0 || pieces[i].table != pieces[i - 1].table)
      result.push_back(static_cast<std::uint32_t>(i));
  result.push_back(static_cast<std::uint32_t>(pieces.size()));
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

encoded_window encode_window(const row_block& rows, const batch_place& place,
                             batch_header& header, int level) {
  auto bytes = std::string{};
  auto pieces = cut(rows, bytes);
  if (level != 0)
    bytes = pack(pieces, bytes, level);
  auto front = window_front_size + pieces.size() * window_piece_size;
  auto result = encoded_window{};
  auto& payload = result.payload;
  payload.reserve(front + bytes.size() + rows.ends().size() * 4);
  put(payload, static_cast<std::uint64_t>(pieces.size()));
  put(payload, static_cast<std::uint64_t>(front + bytes.size()));
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    auto& x = pieces[i];
    auto content = std::string_view{bytes}.substr(x.offset, x.size);
    x.offset += static_cast<std::uint32_t>(front);
    x.sum = checksum(inside(place, x.offset), content);
    put_piece(payload, x, place, i);
  }
  payload += bytes;
  payload += encode_ends(rows.ends());
  result.pieces = begins_of_tables(pieces);
  header.kind = batch_kind::window;
  header.rows = static_cast<std::uint32_t>(rows.rows());
  header.ends = static_cast<std::uint32_t>(rows.ends().size());
  return result;
}

expected<window_directory> decode_entries(std::string_view bytes,
                                          std::size_t first,
                                          const batch_place& place,
                                          std::uint64_t payload) {
  auto result = window_directory{};
  for (; !bytes.empty(); bytes.remove_prefix(window_piece_size)) {
    auto entry = bytes.substr(0, window_piece_size);
    if (entry.size() < window_piece_size
        || sum_of_entry(entry, place, first + result.size())
             != load<std::uint32_t>(entry, window_piece_size - 4))
      return damaged("directory of a window");
    auto piece = piece_at(entry, 0);
    auto end = std::uint64_t{piece.offset} + piece.size;
    auto follows = result.empty() || piece.offset == result.back().end();
    if (piece.size == 0 || end > payload || !follows)
      return damaged("directory of a window");
    result.push_back(piece);
  }
  return result;
}

expected<std::uint64_t> size_of_directory(std::string_view payload,
                                          std::uint64_t size) {
  if (payload.size() < window_front_size || size < window_front_size)
    return damaged("directory of a window");
  auto pieces = load<std::uint64_t>(payload, 0);
  if (pieces == 0 || pieces > (size - window_front_size) / window_piece_size)
    return damaged("directory of a window");
  return window_front_size + pieces * window_piece_size;
}

expected<window_directory> decode_directory(std::string_view bytes,
                                            const batch_place& place,
                                            std::uint64_t payload) {
  auto result = decode_entries(bytes.substr(window_front_size), 0, place,
                               payload);
  if (result
      && (result->front().offset != bytes.size()
          || result->back().end() != load<std::uint64_t>(bytes, 8)))
    return damaged("directory of a window");
  return result;
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
expected<block_ptr> regroup(const row_block& rows) {
  auto builder = row_block_builder{};
  builder.reserve(rows.rows(), rows.bytes().size());
  auto end = rows.ends().begin();
  for (const auto& x : in_order(rows.bytes(), rows.places().offsets)) {
    builder.add(row_view{rows.bytes().data() + x.offset});
    if (end != rows.ends().end() && *end == builder.rows()) {
      builder.end();
      ++end;
    }
  }
  return builder.finish();
}

std::uint64_t rows_in(const window_directory& directory) {
  return std::accumulate(
    directory.begin(), directory.end(), std::uint64_t{0},
    [](std::uint64_t sum, const window_piece& x) { return sum + x.rows; });
}

bool packed(const window_directory& directory) {
  return std::any_of(directory.begin(), directory.end(),
                     [](const window_piece& x) { return x.unpacked != 0; });
}

// What a piece holds, of the bytes of all of them.
std::string_view content_of(const window_directory& directory,
                            const window_piece& x, std::string_view bytes) {
  return bytes.substr(x.offset - directory.front().offset, x.size);
}

expected<std::string> unpack(const window_directory& directory,
                             std::string_view bytes) {
  auto result = std::string{};
  for (const auto& x : directory) {
    auto content = content_of(directory, x, bytes);
    if (x.unpacked == 0)
      result += content;
    else if (auto done = decompress(content, x.unpacked, result); !done)
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

// Records as they stand in the pieces of `directory`, and their end marks,
// which count in commit order.
expected<block_ptr> block_of(const window_directory& directory,
                             std::string bytes,
                             std::vector<std::uint32_t> ends) {
  if (packed(directory)) {
    auto records = unpack(directory, bytes);
    if (!records)
      return tl::unexpected{std::move(records.error())};
    bytes = std::move(*records);
  }
  auto parsed = row_block::parse(std::move(bytes), std::move(ends));
  if (!parsed)
    return fail(errc::log_corrupt, std::move(parsed.error().detail));
  if ((*parsed)->rows() != rows_in(directory))
    return damaged("row count of a window");
  return ascending(**parsed) ? parsed : regroup(**parsed);
}

} // namespace

expected<block_ptr> decode_pieces(const window_directory& directory,
                                  std::string bytes, const batch_place& place) {
  for (const auto& x : directory)
    if (checksum(inside(place, x.offset), content_of(directory, x, bytes))
        != x.sum)
      return damaged("checksum of the rows");
  return block_of(directory, std::move(bytes), {});
}

expected<block_ptr> decode_window(const batch_header& header,
                                  const batch_place& place,
                                  std::string_view directory,
                                  std::string rest) {
  auto pieces = decode_directory(directory, place, header.payload_size);
  if (!pieces)
    return tl::unexpected{std::move(pieces.error())};
  auto ends_at = pieces->back().end() - directory.size();
  if (rest.size() - ends_at != header.ends * std::size_t{4})
    return damaged("end marks of a window");
  auto ends = std::vector<std::uint32_t>{};
  for (std::size_t i = 0; i < header.ends; ++i)
    ends.push_back(load<std::uint32_t>(rest, ends_at + i * 4));
  if (rows_in(*pieces) != header.rows)
    return damaged("row count of a window");
  rest.resize(ends_at);
  return block_of(*pieces, std::move(rest), std::move(ends));
}

expected<block_summary> survey_window(const batch_header& header,
                                      const batch_place& place,
                                      std::string_view payload) {
  auto size = size_of_directory(payload, payload.size());
  if (!size)
    return tl::unexpected{std::move(size.error())};
  auto directory = payload.substr(0, *size);
  auto block = decode_window(header, place, directory,
                             std::string{payload.substr(*size)});
  if (!block)
    return tl::unexpected{std::move(block.error())};
  auto result = summarize(**block);
  auto pieces = decode_directory(directory, place, payload.size());
  if (!pieces)
    return tl::unexpected{std::move(pieces.error())};
  result.pieces = begins_of_tables(*pieces);
  return result;
}

} // namespace sluice
