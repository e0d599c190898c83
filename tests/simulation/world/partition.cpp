#include "tests/simulation/world/partition.hpp"

#include "store/memory_log.hpp"
#include "store/segment_log.hpp"

namespace sluice::simulation {

using test::disk_call;

void partition::make(partition_id number, const schedule_options& how,
                     choices& choose) {
  id = number;
  if (!how.on_disk)
    return;
  media = std::make_shared<test::simulated_disk>(how.seed + number.value);
  segment_bytes = 2'000 + choose.roll(6'000);
  tail_bytes = choose.roll(2) * 20'000;
}

bool partition::open() {
  if (engine != nullptr)
    return true;
  if (media == nullptr) {
    engine = make_memory_log();
    return true;
  }
  auto options = segment_log_options{"/log", segment_bytes, tail_bytes, media};
  options.window_bytes = segment_bytes / 4;
  auto opened = segment_log::open(std::move(options));
  if (opened)
    engine = std::move(*opened);
  else
    media->kill();
  return opened.has_value();
}

void partition::close(bool power_lost, choices& choose) {
  if (media == nullptr)
    return;
  engine.reset();
  if (power_lost) {
    auto luck = test::dice{choose.roll(1U << 30U)};
    media->crash(luck);
  } else {
    media->kill();
  }
}

void partition::heal() {
  if (media == nullptr)
    return;
  media->heal();
  media->make_space();
}

bool partition::has_failed(disk_call what) const {
  return media != nullptr
         && media->counts().failed[static_cast<std::size_t>(what)] > 0;
}

} // namespace sluice::simulation
