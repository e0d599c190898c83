#include "actors/progress_state.hpp"

namespace sluice {

std::uint64_t progress_state::on_accepted(std::uint64_t batch,
                                          const delivery_item& rows,
                                          const table_position& after,
                                          timestamp complete) {
  auto below = std::uint64_t{0};
  auto checkpoint = std::max(stored_.cursor,
                             row_cursor::end_of(stored_.checkpoint));
  while (below < rows.count
         && rows.block->grouped(rows.first + static_cast<std::uint32_t>(below))
                .cursor()
              <= checkpoint)
    ++below;
  waiting_.push_back({batch, complete, after, rows.count});
  rows_ += rows.count;
  return below;
}

std::uint64_t progress_state::on_durable(std::uint64_t batch) {
  auto rows = std::uint64_t{0};
  while (!waiting_.empty() && waiting_.front().batch <= batch) {
    rows += waiting_.front().rows;
    stored_ = waiting_.front().after;
    waiting_.pop_front();
  }
  rows_ -= rows;
  return rows;
}

void progress_state::on_sink_opened(const table_position& stored) {
  stored_ = stored;
  waiting_.clear();
  rows_ = 0;
}

timestamp progress_state::report(timestamp low_watermark,
                                 timestamp accepted_to) {
  latched_ = std::max(latched_, std::min(durable(low_watermark), accepted_to));
  return latched_;
}

} // namespace sluice
