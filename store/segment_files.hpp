#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/disk_reserve.hpp"
#include "store/file_ops.hpp"
#include "store/log_engine.hpp"
#include "store/segment_format.hpp"
#include "store/segment_id.hpp"
#include "store/window_format.hpp"

namespace sluice {

class directory_lock;

/// The segment files of one directory: what of a segment log can block.
///
/// A file that was written keeps the descriptor that wrote until it is synced
/// and done with: Linux reports a failed write-back to that one for certain.
class segment_files : public log_disk {
public:
  /// @param lock Of the directory. Others may hold this longer than the log.
  segment_files(std::shared_ptr<file_ops> ops, std::string directory,
                const store_uuid& uuid, std::uint64_t reserve_bytes,
                std::shared_ptr<directory_lock> lock);

  // -- log_disk ---------------------------------------------------------------

  expected<block_ptr> read(const block_location& at) override;
  status sync(const sync_order& order) override;
  /// Syncs the newest segment first: that says that these are gone for good.
  /// From then on nobody can read them, also if a deletion fails.
  status remove(const std::vector<std::uint64_t>& segments) override;
  bool make_room() override;

  // -- for the engine ---------------------------------------------------------

  /// @param writer Null for a file that is only read.
  /// @param named Whether the file's name is durable.
  void add(std::uint64_t segment, std::shared_ptr<open_file> writer,
           bool named);
  /// Deletes, durably, what there is of a file whose making failed.
  status discard(std::uint64_t segment);
  /// From now on the rows of a spool file have this; `last` is the offset of
  /// its last chunk.
  void commit(std::uint64_t spool, const spool_commit& how, std::uint64_t last);
  /// All of it is durable and nothing more will be written.
  void settle(std::uint64_t segment);
  /// Makes the names of all files durable unless they are.
  status sync_names();
  /// Whether a sync of the file failed: it must not be written any more.
  [[nodiscard]] bool has_failed(std::uint64_t segment) const;
  [[nodiscard]] std::string path(std::uint64_t segment) const;
  [[nodiscard]] const std::string& directory() const noexcept {
    return directory_;
  }
  [[nodiscard]] const std::shared_ptr<file_ops>& ops() const noexcept {
    return ops_;
  }
  [[nodiscard]] const store_uuid& uuid() const noexcept { return uuid_; }
  [[nodiscard]] disk_reserve& reserve() noexcept { return reserve_; }

private:
  struct entry {
    std::shared_ptr<open_file> writer; // null: settled
    bool named = false;
    bool failed = false;
    std::optional<spool_commit> commit = {};
    std::uint64_t last_chunk = 0; // of a spool file that is committed
  };
  expected<std::shared_ptr<open_file>> reader(std::uint64_t segment);
  expected<block_ptr> read_batch(const open_file& file,
                                 const block_location& at);
  expected<block_ptr> read_rows(const open_file& file, const block_location& at,
                                const batch_header& header,
                                std::uint64_t front_size);
  expected<block_ptr> read_table(const open_file& file,
                                 const block_location& at);
  expected<block_ptr> decode_spooled(const block_location& at,
                                     const batch_header& header,
                                     std::string records);
  void forget(std::uint64_t segment);
  [[nodiscard]] std::optional<std::uint64_t>
  newest_for(const std::vector<std::uint64_t>& removed) const;
  status sync_one(std::uint64_t segment);
  status failed(std::uint64_t segment, error why);

  std::shared_ptr<file_ops> ops_;
  std::string directory_;
  store_uuid uuid_;
  std::shared_ptr<directory_lock> lock_;
  disk_reserve reserve_;
  mutable std::mutex mutex_; // of what follows
  std::map<std::uint64_t, entry, older_segment> entries_;
  std::map<std::uint64_t, std::shared_ptr<open_file>> readers_;
};

/// "<directory>/00000000000000000007.seg", rewritten: "...7.2.seg", a spool
/// file: "...7.spool"
[[nodiscard]] std::string segment_path(const std::string& directory,
                                       std::uint64_t segment);

} // namespace sluice
