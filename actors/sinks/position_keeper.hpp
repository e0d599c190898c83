#pragma once

#include <memory>
#include <string>
#include <vector>

#include "messages/errc.hpp"
#include "messages/feed.hpp"
#include "messages/ids.hpp"
#include "messages/sink.hpp"

namespace sluice {

/// Where the acknowledged positions of one feed are kept, for a consumer that
/// keeps none itself. Used by one SINK at a time, in that one's thread.
class position_keeper {
public:
  virtual ~position_keeper() = default;
  /// Becomes the feed's newest writer, then reads what is stored.
  /// @error log_io, log_format_newer
  [[nodiscard]] virtual expected<sink_opened> open(const feed_record& feed) = 0;
  /// Fenced. Nothing that is stored goes back.
  /// @error sink_fenced: there is a newer writer; unknown_feed, log_io
  [[nodiscard]] virtual status
  store(incarnation writer, const std::vector<table_position>& positions,
        timestamp low_watermark) = 0;
};

/// Durably, in the checkpoint_store of that directory. One per sink.
[[nodiscard]] std::shared_ptr<position_keeper>
keep_positions_in(std::string directory);

/// In memory, for as long as somebody holds the keeper. To resume, give the
/// feed's next sink the same one, once the sink before has ended.
[[nodiscard]] std::shared_ptr<position_keeper> keep_positions_in_memory();

} // namespace sluice
