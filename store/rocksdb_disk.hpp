#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/log_engine.hpp"
#include "store/log_index.hpp"
#include "store/rocksdb_format.hpp"
#include "store/segment_directory.hpp"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class WriteBatch;
} // namespace rocksdb

namespace sluice {

/// The database of a rocksdb_log, and its segments by number. From any thread.
class rocksdb_disk : public log_disk {
public:
  /// @param segment_bytes How large a segment gets, about.
  /// @error log_locked, log_corrupt, log_format_newer, log_io, disk_full
  [[nodiscard]] static expected<std::shared_ptr<rocksdb_disk>>
  open(const std::string& directory, std::uint64_t segment_bytes);
  ~rocksdb_disk() override;

  // -- log_disk ---------------------------------------------------------------

  expected<block_ptr> read(const block_location& at) override;
  status sync(const sync_order& order) override;
  /// Syncs first what says that these are gone.
  status remove(const std::vector<std::uint64_t>& segments) override;

  // -- for the engine ---------------------------------------------------------

  /// Where the rows of one table of a block lie. A whole block lies at its
  /// segment and its index.
  [[nodiscard]] static block_location narrowed(block_location at,
                                               table_id table) noexcept;

  [[nodiscard]] const std::string& directory() const noexcept {
    return directory_;
  }
  /// Begins a segment; the one before goes to its file in the background.
  status begin_segment(std::uint64_t number);
  [[nodiscard]] std::vector<std::uint64_t> segments() const;
  /// The blocks of a segment, without rows, ascending.
  [[nodiscard]] expected<std::vector<stored_block>>
  blocks(std::uint64_t segment) const;
  /// Where the log stood at the last release.
  [[nodiscard]] expected<log_state> state() const;

  status put(rocksdb::WriteBatch& batch, std::uint64_t segment,
             const row_block& block, const stored_block& entry) const;
  void forget(rocksdb::WriteBatch& batch, std::uint64_t segment,
              block_index index) const;
  /// Notes that segments are gone, and where the log stands.
  void put_release(rocksdb::WriteBatch& batch, const log_state& state,
                   const std::vector<std::uint64_t>& segments) const;
  status write(rocksdb::WriteBatch& batch);

private:
  using family = std::shared_ptr<rocksdb::ColumnFamilyHandle>;

  rocksdb_disk(std::string directory, std::uint64_t segment_bytes);
  status open_database();
  status check_format();
  status drop_released();
  [[nodiscard]] family find(std::uint64_t segment) const;
  [[nodiscard]] family hold(rocksdb::ColumnFamilyHandle* handle) const;
  [[nodiscard]] expected<std::string> rows(const family& segment,
                                           const table_share& share) const;
  status drop(std::uint64_t segment);

  std::string directory_;
  std::uint64_t segment_bytes_;
  std::unique_ptr<directory_lock> lock_;
  std::shared_ptr<rocksdb::DB> db_;
  family general_; // format, state, segments that are gone
  bool must_resume_ = false;
  mutable std::mutex mutex_; // of what follows
  std::map<std::uint64_t, family> segments_;
  bool sync_failed_ = false;
};

} // namespace sluice
