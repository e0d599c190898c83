#include "messages/reset.hpp"

namespace sluice {

std::string to_string(const reset_record& x) {
  return "reset of " + to_string(x.dispatcher) + ' ' + to_string(x.registration)
         + ": epoch " + std::to_string(x.old_epoch.value) + " -> "
         + std::to_string(x.new_epoch.value) + ", requested "
         + std::to_string(x.requested.value) + ", lower bound "
         + std::to_string(x.lower_bound.value) + ", checkpoint "
         + std::to_string(x.checkpoint_before.value) + " -> "
         + std::to_string(x.checkpoint_after.value) + ", last row "
         + to_string(x.last_cursor) + ", last seq "
         + std::to_string(x.last_seq.value);
}

} // namespace sluice
