#include "store/log_engine.hpp"

#include <utility>

namespace sluice {

expected<rewrite_result> log_rewriter::run(const rewrite_order& order) {
  auto work = begin(order);
  while (true) {
    auto done = work->step();
    if (!done)
      return tl::unexpected{std::move(done.error())};
    if (*done)
      return work->result();
  }
}

} // namespace sluice
