#include "store/segment_files.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "store/spool_format.hpp"

namespace sluice {

namespace {

// Descriptors of files that are only read; the oldest is closed first.
constexpr std::size_t readers_max = 64;

// What stands before the records and end marks of a window, before the records
// of others: it is read apart, so that records need not be moved.
expected<std::uint64_t> size_of_front(const batch_header& header,
                                      std::string_view payload) {
  if (header.kind == batch_kind::window)
    return size_of_directory(payload, header.payload_size);
  auto spooled = header.kind == batch_kind::chunk;
  auto size = header.ends * std::uint64_t{spooled ? 12U : 4U};
  if (size > header.payload_size)
    return fail(errc::log_corrupt, "end marks of a batch");
  return size;
}

} // namespace

std::string segment_path(const std::string& directory, std::uint64_t segment) {
  if (is_spool(segment))
    return fmt::format("{}/{:020}.spool", directory, number_of(segment));
  if (auto nth = generation_of(segment); nth != 0)
    return fmt::format("{}/{:020}.{}.seg", directory, number_of(segment), nth);
  return fmt::format("{}/{:020}.seg", directory, segment);
}

segment_files::segment_files(std::shared_ptr<file_ops> ops,
                             std::string directory, const store_uuid& uuid,
                             std::uint64_t reserve_bytes,
                             std::shared_ptr<directory_lock> lock)
  : ops_{std::move(ops)}, directory_{std::move(directory)}, uuid_{uuid},
    lock_{std::move(lock)}, reserve_{ops_, directory_, reserve_bytes} {
  // nop
}

// -- log_disk -----------------------------------------------------------------

expected<block_ptr> segment_files::read(const block_location& at) {
  auto file = reader(at.segment);
  if (!file)
    return tl::unexpected{std::move(file.error())};
  auto damaged = [&](const std::string& what) {
    return fail(
      errc::log_corrupt,
      fmt::format("{}: byte {}: {}", (*file)->path(), at.offset, what));
  };
  if (at.size < batch_header_size)
    return damaged("location without a batch");
  auto result = at.table != table_id{} ? read_table(**file, at)
                                       : read_batch(**file, at);
  if (!result && result.error().code == errc::log_corrupt)
    return damaged(result.error().detail);
  return result;
}

expected<block_ptr> segment_files::read_batch(const open_file& file,
                                              const block_location& at) {
  // Of a window with what says how large its directory is.
  auto head = file.read(
    at.offset, std::min(at.size, batch_header_size + window_front_size));
  if (!head)
    return tl::unexpected{std::move(head.error())};
  auto place = batch_place{uuid_, at.segment, at.offset};
  auto header = decode_batch_header(*head, place);
  if (!header)
    return tl::unexpected{std::move(header.error())};
  auto spooled = is_spool(at.segment);
  auto kind = header->kind;
  auto expected_kind = spooled ? kind == batch_kind::chunk
                               : kind == batch_kind::rows
                                   || kind == batch_kind::window;
  if (!expected_kind || header->payload_size != at.size - batch_header_size)
    return fail(errc::log_corrupt, "another batch than expected");
  auto front = size_of_front(*header,
                             std::string_view{*head}.substr(batch_header_size));
  if (!front)
    return tl::unexpected{std::move(front.error())};
  return read_rows(file, at, *header, *front);
}

expected<block_ptr> segment_files::read_rows(const open_file& file,
                                             const block_location& at,
                                             const batch_header& header,
                                             std::uint64_t front_size) {
  auto begin = at.offset + batch_header_size;
  auto front = file.read(begin, front_size);
  if (!front)
    return tl::unexpected{std::move(front.error())};
  auto rest = file.read(begin + front_size, header.payload_size - front_size);
  if (!rest)
    return tl::unexpected{std::move(rest.error())};
  auto place = batch_place{uuid_, at.segment, at.offset};
  if (!payload_is_intact(header, place, {*front, *rest}))
    return fail(errc::log_corrupt, "checksum of the rows");
  switch (header.kind) {
    case batch_kind::window:
      return decode_window(header, place, *front, std::move(*rest));
    case batch_kind::chunk:
      return decode_spooled(at, header, std::move(*rest));
    default:
      return decode_rows(header, *front, std::move(*rest));
  }
}

// Rows that were written before their transaction committed.
expected<block_ptr> segment_files::decode_spooled(const block_location& at,
                                                  const batch_header& header,
                                                  std::string records) {
  auto file = entry{};
  {
    auto guard = std::lock_guard{mutex_};
    if (auto found = entries_.find(at.segment); found != entries_.end())
      file = found->second;
  }
  if (!file.commit)
    return fail(errc::out_of_range, path(at.segment) + " was removed");
  return committed_rows(std::move(records), header.rows, *file.commit,
                        at.offset == file.last_chunk);
}

// Of a window only what is needed is read, and checked by its own checksums:
// of many tables even the directory is much.
expected<block_ptr> segment_files::read_table(const open_file& file,
                                              const block_location& at) {
  auto begin = at.offset + batch_header_size;
  auto payload = at.size - batch_header_size;
  auto place = batch_place{uuid_, at.segment, at.offset};
  auto entries = file.read(begin + window_front_size
                             + std::uint64_t{at.piece} * window_piece_size,
                           std::uint64_t{at.pieces} * window_piece_size);
  if (!entries)
    return tl::unexpected{std::move(entries.error())};
  auto directory = decode_entries(*entries, at.piece, place, payload);
  if (!directory)
    return tl::unexpected{std::move(directory.error())};
  if (directory->empty() || directory->front().table != at.table
      || directory->back().table != at.table)
    return fail(errc::log_corrupt, "directory of a window");
  auto from = directory->front().offset;
  auto bytes = file.read(begin + from, directory->back().end() - from);
  if (!bytes)
    return tl::unexpected{std::move(bytes.error())};
  return decode_pieces(*directory, std::move(*bytes), place);
}

void segment_files::forget(std::uint64_t segment) {
  auto guard = std::lock_guard{mutex_};
  entries_.erase(segment);
  readers_.erase(segment);
}

status segment_files::sync(const sync_order& order) {
  for (auto segment : order.segments)
    if (auto done = sync_one(segment); !done)
      return done;
  return {};
}

status segment_files::sync_one(std::uint64_t segment) {
  auto file = entry{};
  {
    auto guard = std::lock_guard{mutex_};
    auto found = entries_.find(segment);
    if (found == entries_.end())
      return {}; // removed meanwhile: nobody needs it
    file = found->second;
  }
  if (file.failed)
    return fail(errc::log_io, path(segment) + ": a sync failed before");
  if (file.writer == nullptr)
    return {};
  if (auto done = file.writer->sync_data(); !done)
    return failed(segment, std::move(done.error()));
  if (!file.named)
    if (auto done = sync_names(); !done)
      return failed(segment, std::move(done.error()));
  return {};
}

status segment_files::failed(std::uint64_t segment, error why) {
  auto guard = std::lock_guard{mutex_};
  if (auto found = entries_.find(segment); found != entries_.end())
    found->second.failed = true;
  return fail(errc::log_io, std::move(why.detail));
}

status segment_files::sync_names() {
  auto unnamed = std::vector<std::uint64_t>{};
  {
    auto guard = std::lock_guard{mutex_};
    for (const auto& [segment, file] : entries_)
      if (!file.named)
        unnamed.push_back(segment);
  }
  if (unnamed.empty())
    return {};
  if (auto done = sync_directory(ops_, directory_); !done)
    return done;
  auto guard = std::lock_guard{mutex_};
  for (auto segment : unnamed)
    if (auto found = entries_.find(segment); found != entries_.end())
      found->second.named = true;
  return {};
}

status segment_files::remove(const std::vector<std::uint64_t>& segments) {
  if (segments.empty())
    return {};
  // A restart must find the manifest without these files, or it would take
  // them for lost.
  if (auto newest = newest_for(segments))
    if (auto done = sync_one(*newest); !done)
      return done;
  auto result = status{};
  for (auto segment : segments) {
    auto name = path(segment);
    forget(segment); // before: a reader must not find an entry without a file
    if (ops_->unlink(name.c_str()) != 0 && errno != ENOENT && result)
      result = system_failure("remove", name);
  }
  return result;
}

bool segment_files::make_room() {
  return reserve_.give_up() || reserve_.give_up_rest();
}

// None when no restart looks for them: they are spool files, not committed.
std::optional<std::uint64_t>
segment_files::newest_for(const std::vector<std::uint64_t>& removed) const {
  auto guard = std::lock_guard{mutex_};
  auto is_named = [&](std::uint64_t segment) {
    auto found = entries_.find(segment);
    return !is_spool(segment)
           || (found != entries_.end() && found->second.commit);
  };
  if (std::none_of(removed.begin(), removed.end(), is_named))
    return {};
  auto newest = std::find_if(entries_.rbegin(), entries_.rend(),
                             [](const auto& x) { return !is_spool(x.first); });
  if (newest == entries_.rend())
    return {};
  return newest->first;
}

// -- for the engine -----------------------------------------------------------

expected<std::shared_ptr<open_file>>
segment_files::reader(std::uint64_t segment) {
  auto guard = std::lock_guard{mutex_};
  auto found = entries_.find(segment);
  if (found == entries_.end())
    return fail(errc::out_of_range, path(segment) + " was removed");
  if (found->second.writer != nullptr)
    return found->second.writer;
  if (auto open = readers_.find(segment); open != readers_.end())
    return open->second;
  auto result = open_file::open(ops_, path(segment), O_RDONLY);
  if (!result)
    return result;
  if (readers_.size() >= readers_max)
    readers_.erase(readers_.begin());
  readers_.emplace(segment, *result);
  return result;
}

void segment_files::add(std::uint64_t segment,
                        std::shared_ptr<open_file> writer, bool named) {
  auto guard = std::lock_guard{mutex_};
  entries_[segment] = {std::move(writer), named, false, {}, 0};
}

void segment_files::commit(std::uint64_t spool, const spool_commit& how,
                           std::uint64_t last) {
  auto guard = std::lock_guard{mutex_};
  if (auto found = entries_.find(spool); found != entries_.end()) {
    found->second.commit = how;
    found->second.last_chunk = last;
  }
}

status segment_files::discard(std::uint64_t segment) {
  for (const auto& name : {path(segment) + ".new", path(segment)})
    if (ops_->unlink(name.c_str()) != 0 && errno != ENOENT)
      return system_failure("remove", name);
  return sync_directory(ops_, directory_);
}

void segment_files::settle(std::uint64_t segment) {
  auto guard = std::lock_guard{mutex_};
  if (auto found = entries_.find(segment); found != entries_.end())
    found->second.writer = nullptr;
}

bool segment_files::has_failed(std::uint64_t segment) const {
  auto guard = std::lock_guard{mutex_};
  auto found = entries_.find(segment);
  return found != entries_.end() && found->second.failed;
}

std::string segment_files::path(std::uint64_t segment) const {
  return segment_path(directory_, segment);
}

} // namespace sluice
