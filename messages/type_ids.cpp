#include "messages/type_ids.hpp"

#include <caf/actor_system_config.hpp>

namespace sluice {

void add_message_types(caf::actor_system_config& config) {
  config.add_message_types<caf::id_block::sluice>();
}

} // namespace sluice
