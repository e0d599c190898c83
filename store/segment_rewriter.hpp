#pragma once

#include <cstdint>
#include <memory>

#include "store/log_engine.hpp"
#include "store/segment_files.hpp"

namespace sluice {

struct rewriter_options {
  std::uint64_t window_bytes = 4ULL << 20; ///< Rows of one window, about.
  int compression = 0;                     ///< Level of zstd; 0: none.
};

/// Writes what is live of some segments into one, by table. The new file
/// shows whole and durable or not at all, and counts only once a manifest
/// names it.
class segment_rewriter : public log_rewriter {
public:
  segment_rewriter(std::shared_ptr<segment_files> files,
                   const rewriter_options& options);

  std::unique_ptr<log_rewrite> begin(rewrite_order order) override;

private:
  std::shared_ptr<segment_files> files_;
  rewriter_options options_;
};

} // namespace sluice
