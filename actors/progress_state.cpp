#include "actors/progress_state.hpp"

#include "messages/block_ranges.hpp"

namespace sluice {

std::uint64_t progress_state::on_handed(const row_block& block,
                                        std::uint32_t first,
                                        std::uint32_t count) {
  auto checkpoint = std::max(stored_.cursor,
                             row_cursor::end_of(stored_.checkpoint));
  rows_ += count;
  return rows_up_to(block, first, count, checkpoint);
}

void progress_state::on_sink_opened(const table_position& stored) {
  stored_ = stored;
  rows_ = 0;
}

timestamp progress_state::report(timestamp low_watermark,
                                 timestamp accepted_to) {
  latched_ = std::max(latched_, std::min(durable(low_watermark), accepted_to));
  return latched_;
}

} // namespace sluice
