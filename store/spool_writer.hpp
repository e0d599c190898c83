#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "store/segment_files.hpp"
#include "store/spool_format.hpp"

namespace sluice {

/// Writes the spool file of one transaction. Of its rows nothing stays in
/// memory but a summary per chunk.
class spool_writer {
public:
  /// Makes the file and registers it with `files`. @error log_io, disk_full
  [[nodiscard]] static expected<std::unique_ptr<spool_writer>>
  create(std::shared_ptr<segment_files> files, std::uint64_t spool);

  struct chunk {
    spool_chunk place;
    transaction_id lowest; ///< Of those that it has rows of ...
    transaction_id highest;
    block_summary summary;
  };

  /// @pre `admit_spooled`
  /// @error log_io, disk_full; then nothing is written
  [[nodiscard]] status append(const spooled_rows& rows);
  void leave_out(transaction_id x) { left_out_.insert(x); }
  /// Takes what is left out from `chunks`. A chunk of which a part stays is
  /// written once more, without the rest.
  /// @error log_io, disk_full, log_corrupt; may be repeated
  [[nodiscard]] status settle();

  [[nodiscard]] const std::vector<chunk>& chunks() const noexcept {
    return chunks_;
  }
  /// Of `chunks`, which are not empty.
  [[nodiscard]] std::uint64_t rows() const noexcept;
  [[nodiscard]] row_cursor last_cursor(const spool_commit& how) const;
  [[nodiscard]] spool_reference reference(const spool_commit& how) const;
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  /// Of the file.
  [[nodiscard]] std::uint64_t size() const noexcept { return offset_; }
  /// Of the last row that was appended.
  [[nodiscard]] std::optional<std::uint64_t> position() const noexcept {
    return position_;
  }

private:
  spool_writer(std::shared_ptr<segment_files> files, std::uint64_t number,
               std::shared_ptr<open_file> file);
  [[nodiscard]] expected<chunk> write(const spooled_rows& rows);
  [[nodiscard]] expected<spooled_rows> read(const chunk& x) const;
  [[nodiscard]] bool may_change(const chunk& x) const;

  std::shared_ptr<segment_files> files_;
  std::uint64_t number_;
  std::shared_ptr<open_file> file_;
  std::uint64_t offset_ = 0;
  std::vector<chunk> chunks_; // in the order of their rows
  std::set<transaction_id> left_out_;
  std::optional<std::uint64_t> position_;
  bool broken_ = false;
};

} // namespace sluice
