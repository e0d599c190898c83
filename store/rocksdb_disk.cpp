#include "store/rocksdb_disk.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "store/segment_format.hpp"

namespace sluice {

namespace {

constexpr std::string_view format_key = "format";
constexpr std::string_view state_key = "state";
constexpr std::string_view gone_prefix = "gone ";
constexpr std::size_t cache_bytes = 64 << 20;
constexpr std::size_t buffer_bytes_min = 4 << 20;
// In an offset: `size` is a table.
constexpr auto one_table = std::uint64_t{1} << 63;

tl::unexpected<error> failure(const std::string& directory,
                              const rocksdb::Status& why) {
  auto code = errc::log_io;
  if (why.IsNoSpace())
    code = errc::disk_full;
  else if (why.IsCorruption())
    code = errc::log_corrupt;
  return fail(code, directory + ": " + why.ToString());
}

status checked(const std::string& directory, const rocksdb::Status& done) {
  return done.ok() ? status{} : failure(directory, done);
}

// For the segment that is written and the one before, on its way to a file.
std::size_t buffer_bytes(std::uint64_t segment_bytes) {
  return std::max(static_cast<std::size_t>(2 * segment_bytes),
                  buffer_bytes_min);
}

rocksdb::ColumnFamilyOptions segment_options(std::uint64_t segment_bytes) {
  auto table = rocksdb::BlockBasedTableOptions{};
  static const auto cache = rocksdb::NewLRUCache(cache_bytes);
  table.block_cache = cache;
  table.block_size = 32 << 10;
  auto result = rocksdb::ColumnFamilyOptions{};
  result.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  result.compression = rocksdb::kNoCompression;
  // It is written once, read a few times, and then dropped.
  result.disable_auto_compactions = true;
  result.write_buffer_size = buffer_bytes(segment_bytes);
  return result;
}

rocksdb::DBOptions database_options(std::uint64_t segment_bytes) {
  auto result = rocksdb::DBOptions{};
  result.create_if_missing = true;
  result.db_write_buffer_size = buffer_bytes(segment_bytes);
  result.max_open_files = 512;
  result.keep_log_file_num = 2;
  result.info_log_level = rocksdb::WARN_LEVEL;
  result.stats_dump_period_sec = 0;
  return result;
}

std::string name_of(std::uint64_t segment) {
  return fmt::format("{:020}", segment);
}

std::uint64_t number_in(std::string_view name) {
  auto result = std::uint64_t{0};
  std::from_chars(name.data(), name.data() + name.size(), result);
  return result;
}

} // namespace

// -- opening ------------------------------------------------------------------

rocksdb_disk::rocksdb_disk(std::string directory, std::uint64_t segment_bytes)
  : directory_{std::move(directory)}, segment_bytes_{segment_bytes} {
  // nop
}

// Handles before the database, the database before the lock.
rocksdb_disk::~rocksdb_disk() {
  segments_.clear();
  general_.reset();
  db_.reset();
}

expected<std::shared_ptr<rocksdb_disk>>
rocksdb_disk::open(const std::string& directory, std::uint64_t segment_bytes) {
  auto lock = directory_lock::take(std::make_shared<file_ops>(), directory);
  if (!lock)
    return tl::unexpected{std::move(lock.error())};
  auto result = std::shared_ptr<rocksdb_disk>(
    new rocksdb_disk{directory, segment_bytes});
  result->lock_ = std::move(*lock);
  if (auto done = result->open_database(); !done)
    return tl::unexpected{std::move(done.error())};
  if (auto done = result->check_format(); !done)
    return tl::unexpected{std::move(done.error())};
  if (auto done = result->drop_released(); !done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

status rocksdb_disk::open_database() {
  auto options = database_options(segment_bytes_);
  auto names = std::vector<std::string>{};
  // Without a database there is nothing to list; opening says what is wrong.
  if (!rocksdb::DB::ListColumnFamilies(options, directory_, &names).ok())
    names = {rocksdb::kDefaultColumnFamilyName};
  auto columns = std::vector<rocksdb::ColumnFamilyDescriptor>{};
  for (const auto& name : names)
    columns.emplace_back(name, name == rocksdb::kDefaultColumnFamilyName
                                 ? rocksdb::ColumnFamilyOptions{}
                                 : segment_options(segment_bytes_));
  auto handles = std::vector<rocksdb::ColumnFamilyHandle*>{};
  rocksdb::DB* opened = nullptr;
  auto done = rocksdb::DB::Open(options, directory_, columns, &handles,
                                &opened);
  if (!done.ok())
    return failure(directory_, done);
  db_.reset(opened);
  for (auto* handle : handles)
    if (handle->GetName() == rocksdb::kDefaultColumnFamilyName)
      general_ = hold(handle);
    else
      segments_[number_in(handle->GetName())] = hold(handle);
  return {};
}

rocksdb_disk::family
rocksdb_disk::hold(rocksdb::ColumnFamilyHandle* handle) const {
  return {handle, [db = db_](rocksdb::ColumnFamilyHandle* x) {
            (void) db->DestroyColumnFamilyHandle(x);
          }};
}

status rocksdb_disk::check_format() {
  auto found = std::string{};
  auto got = db_->Get({}, general_.get(), format_key, &found);
  if (got.IsNotFound())
    return checked(directory_, db_->Put({}, general_.get(), format_key,
                                        std::to_string(rocksdb_format)));
  if (!got.ok())
    return failure(directory_, got);
  if (number_in(found) != rocksdb_format)
    return fail(errc::log_format_newer,
                fmt::format("{}: format {}, this program knows {}", directory_,
                            found, rocksdb_format));
  return {};
}

// A process that was killed had let go of them, but not dropped them yet.
status rocksdb_disk::drop_released() {
  auto gone = std::vector<std::uint64_t>{};
  auto entry = std::unique_ptr<rocksdb::Iterator>{
    db_->NewIterator({}, general_.get())};
  for (entry->Seek(gone_prefix);
       entry->Valid() && entry->key().starts_with(gone_prefix); entry->Next()) {
    auto key = entry->key().ToStringView();
    gone.push_back(number_in(key.substr(gone_prefix.size())));
  }
  if (!entry->status().ok())
    return failure(directory_, entry->status());
  return remove(gone);
}

// -- log_disk -----------------------------------------------------------------

block_location rocksdb_disk::narrowed(block_location at,
                                      table_id table) noexcept {
  return {at.segment, at.offset | one_table, table.value};
}

expected<std::string> rocksdb_disk::rows(const family& segment,
                                         const table_share& share) const {
  auto result = std::string{};
  auto key = rows_key(share.table, share.first);
  if (auto got = db_->Get({}, segment.get(), key, &result); !got.ok())
    return failure(directory_, got);
  return result;
}

expected<block_ptr> rocksdb_disk::read(const block_location& at) {
  auto segment = find(at.segment);
  if (segment == nullptr)
    return fail(errc::out_of_range, directory_ + ": segment "
                                      + name_of(at.segment) + " was removed");
  auto damaged = [&](std::string_view what) {
    return fail(errc::log_corrupt, fmt::format("{}: segment {}: {}", directory_,
                                               at.segment, what));
  };
  auto key = block_key({at.offset & ~one_table});
  auto value = std::string{};
  auto got = db_->Get({}, segment.get(), key, &value);
  if (got.IsNotFound())
    return fail(errc::out_of_range,
                fmt::format("{}: segment {}: a block that was abandoned",
                            directory_, at.segment));
  if (!got.ok())
    return failure(directory_, got);
  auto entry = decode_stored_block(key, value);
  if (!entry)
    return damaged(entry.error().detail);
  auto whole = (at.offset & one_table) == 0;
  auto tables = std::vector<std::string>{};
  for (const auto& share : entry->summary.tables) {
    if (!whole && share.table.value != at.size)
      continue;
    auto bytes = rows(segment, share);
    if (!bytes)
      return tl::unexpected{std::move(bytes.error())};
    tables.push_back(std::move(*bytes));
  }
  if (!whole)
    entry->ends.clear();
  auto merged = merge_records(tables);
  if (!merged)
    return damaged(merged.error().detail);
  auto result = row_block::parse(std::move(*merged), std::move(entry->ends));
  if (!result)
    return damaged(result.error().detail);
  return result;
}

status rocksdb_disk::sync(const sync_order& order) {
  if (order.segments.empty())
    return {};
  {
    auto guard = std::lock_guard{mutex_};
    if (sync_failed_)
      return fail(errc::log_io, directory_ + ": a sync failed before");
  }
  auto done = db_->SyncWAL();
  if (done.ok())
    return {};
  auto guard = std::lock_guard{mutex_};
  sync_failed_ = true;
  return fail(errc::log_io, directory_ + ": " + done.ToString());
}

status rocksdb_disk::remove(const std::vector<std::uint64_t>& segments) {
  if (segments.empty())
    return {};
  if (auto done = sync({segments, {}}); !done)
    return done;
  auto result = status{};
  for (auto segment : segments)
    if (auto done = drop(segment); !done && result)
      result = std::move(done);
  return result;
}

status rocksdb_disk::drop(std::uint64_t segment) {
  auto handle = find(segment);
  if (handle != nullptr) {
    if (auto done = db_->DropColumnFamily(handle.get()); !done.ok())
      return failure(directory_, done);
    auto guard = std::lock_guard{mutex_};
    segments_.erase(segment);
  }
  auto key = std::string{gone_prefix} + name_of(segment);
  return checked(directory_, db_->Delete({}, general_.get(), key));
}

// -- for the engine -----------------------------------------------------------

rocksdb_disk::family rocksdb_disk::find(std::uint64_t segment) const {
  auto guard = std::lock_guard{mutex_};
  auto found = segments_.find(segment);
  return found == segments_.end() ? nullptr : found->second;
}

status rocksdb_disk::begin_segment(std::uint64_t number) {
  rocksdb::ColumnFamilyHandle* made = nullptr;
  auto done = db_->CreateColumnFamily(segment_options(segment_bytes_),
                                      name_of(number), &made);
  if (!done.ok())
    return failure(directory_, done);
  // What is not in a file keeps every log since from being deleted.
  auto flushed = std::vector<family>{general_};
  {
    auto guard = std::lock_guard{mutex_};
    if (!segments_.empty())
      flushed.push_back(segments_.rbegin()->second);
    segments_[number] = hold(made);
  }
  auto flush = rocksdb::FlushOptions{};
  flush.wait = false;
  flush.allow_write_stall = true;
  // It may refuse while it is busy; the log has the rows all the same.
  for (const auto& x : flushed)
    (void) db_->Flush(flush, x.get());
  return {};
}

std::vector<std::uint64_t> rocksdb_disk::segments() const {
  auto guard = std::lock_guard{mutex_};
  auto result = std::vector<std::uint64_t>{};
  for (const auto& entry : segments_)
    result.push_back(entry.first);
  return result;
}

expected<std::vector<stored_block>>
rocksdb_disk::blocks(std::uint64_t segment) const {
  auto result = std::vector<stored_block>{};
  auto from = find(segment);
  auto end = rows_key({}, {});
  auto until = rocksdb::Slice{end};
  auto options = rocksdb::ReadOptions{};
  options.iterate_upper_bound = &until;
  auto entry = std::unique_ptr<rocksdb::Iterator>{
    db_->NewIterator(options, from.get())};
  for (entry->SeekToFirst(); entry->Valid(); entry->Next()) {
    auto block = decode_stored_block(entry->key().ToStringView(),
                                     entry->value().ToStringView());
    if (!block)
      return fail(errc::log_corrupt,
                  fmt::format("{}: segment {}: {}", directory_, segment,
                              block.error().detail));
    result.push_back(std::move(*block));
  }
  if (!entry->status().ok())
    return failure(directory_, entry->status());
  return result;
}

expected<log_state> rocksdb_disk::state() const {
  auto bytes = std::string{};
  auto got = db_->Get({}, general_.get(), state_key, &bytes);
  if (got.IsNotFound())
    return log_state{};
  if (!got.ok())
    return failure(directory_, got);
  auto result = decode_state(bytes);
  if (!result)
    return fail(errc::log_corrupt, directory_ + ": " + result.error().detail);
  return result;
}

status rocksdb_disk::put(rocksdb::WriteBatch& batch, std::uint64_t segment,
                         const row_block& block,
                         const stored_block& entry) const {
  auto to = find(segment);
  auto slices = std::vector<rocksdb::Slice>{};
  auto run = std::size_t{0};
  for (const auto& share : entry.summary.tables) {
    slices.clear();
    for (auto record : next_table(block, run))
      slices.push_back(record);
    auto key_bytes = rows_key(share.table, share.first);
    auto key = rocksdb::Slice{key_bytes};
    auto parts = rocksdb::SliceParts{slices.data(),
                                     static_cast<int>(slices.size())};
    if (auto done = batch.Put(to.get(), {&key, 1}, parts); !done.ok())
      return failure(directory_, done);
  }
  return checked(directory_,
                 batch.Put(to.get(), block_key(entry.index),
                           encode(entry.summary, entry.resolved, entry.ends)));
}

void rocksdb_disk::forget(rocksdb::WriteBatch& batch, std::uint64_t segment,
                          block_index index) const {
  // Without it nothing leads to its rows; they go with the segment.
  (void) batch.Delete(find(segment).get(), block_key(index));
}

void rocksdb_disk::put_release(
  rocksdb::WriteBatch& batch, const log_state& state,
  const std::vector<std::uint64_t>& segments) const {
  (void) batch.Put(general_.get(), state_key, encode(state));
  for (auto segment : segments)
    (void) batch.Put(general_.get(),
                     std::string{gone_prefix} + name_of(segment), "");
}

status rocksdb_disk::write(rocksdb::WriteBatch& batch) {
  // After a failure RocksDB takes no writes until it is told to go on.
  if (must_resume_)
    if (auto done = db_->Resume(); !done.ok())
      return failure(directory_, done);
  auto done = db_->Write({}, &batch);
  must_resume_ = !done.ok();
  return checked(directory_, done);
}

} // namespace sluice
