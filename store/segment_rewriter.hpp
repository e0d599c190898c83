#pragma once

#include <cstdint>
#include <memory>

#include "store/log_engine.hpp"
#include "store/segment_files.hpp"

namespace sluice {

/// Writes what is live of some segments into one, by table. The new file
/// shows whole and durable or not at all, and counts only once a manifest
/// names it.
class segment_rewriter : public log_rewriter {
public:
  /// @param window_bytes Rows of one window, about.
  segment_rewriter(std::shared_ptr<segment_files> files,
                   std::uint64_t window_bytes);

  expected<rewrite_result> run(const rewrite_order& order) override;

private:
  std::shared_ptr<segment_files> files_;
  std::uint64_t window_bytes_;
};

} // namespace sluice
