#pragma once

#include <memory>

#include "store/log_engine.hpp"

namespace sluice {

/// A log without files, for tests and for feeds that may forget. What was
/// appended counts as durable at once. Each block is a segment of its own.
[[nodiscard]] std::unique_ptr<log_engine> make_memory_log();

} // namespace sluice
