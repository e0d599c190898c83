#pragma once

#include <cstddef>
#include <vector>

#include "messages/row.hpp"

namespace sluice {

/// Splits a source's rows by partition, so that a transaction ends with an
/// end mark in every partition it touched.
///
/// A block can hold an end mark only behind a row. So of a transaction that
/// goes on in the next batch the last row of each partition is kept back: the
/// end mark may come when that partition has no further row.
class row_splitter_state {
public:
  explicit row_splitter_state(std::size_t partitions = 1);

  /// Forgets the rows kept back; their source starts over.
  void reset();
  /// @returns A block per partition, null where there is none. With one
  ///          partition it is `rows` itself.
  [[nodiscard]] std::vector<block_ptr> split(const block_ptr& rows);

private:
  std::size_t partitions_;
  std::vector<block_ptr> kept_; // a row each, or null
};

} // namespace sluice
