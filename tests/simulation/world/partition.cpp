#include "tests/simulation/world/partition.hpp"

#include "store/memory_log.hpp"

namespace sluice::simulation {

void partition::make(partition_id number, const schedule_options&) {
  id = number;
}

void partition::open() {
  if (engine == nullptr)
    engine = make_memory_log();
}

} // namespace sluice::simulation
