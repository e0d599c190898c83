#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/segment_files.hpp"
#include "store/segment_format.hpp"
#include "store/spool_format.hpp"

namespace sluice {

/// A block with what stands beside it in its batch.
struct block_to_write {
  block_ptr block;
  block_index index;
  timestamp resolved;
};

/// Writes one segment file, from its header on.
class segment_writer {
public:
  struct start {
    std::uint64_t number = 0;
    block_index first;
    manifest listing;                   ///< Its first batch.
    std::vector<block_to_write> blocks; ///< The next ones; atomically only.
    log_state behind;                   ///< Where the log stands after them.
    block_index durable;
    /// The file shows whole and durable or not at all. Slow.
    bool atomically = false;
    std::chrono::seconds begun{}; ///< Unix time.
  };

  /// Makes the file and registers it with `files`.
  /// @error log_io, disk_full; what there is of the file is the caller's, see
  ///        segment_files::discard
  [[nodiscard]] static expected<segment_writer>
  create(std::shared_ptr<segment_files> files, const start& how);

  /// @returns Where it lies. @error log_io, disk_full; nothing is written then
  [[nodiscard]] expected<block_location> append(const block_to_write& block,
                                                block_index durable);
  /// Blocks [first, ...] lie in a spool file; each chunk is one.
  /// @error log_io, disk_full; nothing is written then
  [[nodiscard]] status refer(const spool_reference& to, block_index first,
                             timestamp resolved, block_index durable);
  /// @param last The last block. @error log_io, disk_full
  [[nodiscard]] status mark(const log_state& state, block_index last,
                            block_index durable);
  [[nodiscard]] status list(const manifest& listing, block_index last,
                            block_index durable);

  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return end_.offset; }
  /// Where `start::blocks` lie.
  [[nodiscard]] const std::vector<block_location>& first_blocks() const {
    return first_blocks_;
  }
  /// Whether an earlier failure left the file in doubt: begin another one.
  [[nodiscard]] bool broken() const;

private:
  // Where a batch ends, and the next one begins.
  struct position {
    std::uint64_t offset = 0;
    std::uint64_t sum = 0; // of the batch before
  };
  // A batch as the parts of one write.
  struct encoded {
    std::string header;
    std::string front; // end marks, or the manifest
    std::string_view rows;
    std::uint64_t padding = 0;
    position end = {};
    void append_to(std::vector<std::string_view>& parts) const;
  };

  segment_writer(std::shared_ptr<segment_files> files, std::uint64_t number);
  [[nodiscard]] encoded encode_batch(batch_header header, std::string front,
                                     std::string_view rows,
                                     const position& at) const;
  [[nodiscard]] encoded encode_block(const block_to_write& block,
                                     block_index durable) const;
  [[nodiscard]] encoded encode_mark(std::string payload, block_index last,
                                    block_index durable,
                                    const position& at) const;
  [[nodiscard]] std::vector<encoded> encode_listing(const manifest& listing,
                                                    block_index last,
                                                    block_index durable) const;
  [[nodiscard]] status write(std::span<const encoded> batches);
  [[nodiscard]] status write_start(const start& how, const std::string& path);
  [[nodiscard]] status write_blocks(const start& how);

  std::shared_ptr<segment_files> files_;
  std::shared_ptr<open_file> file_;
  std::uint64_t number_ = 0;
  position end_;
  std::vector<block_location> first_blocks_;
  bool broken_ = false;
};

} // namespace sluice
