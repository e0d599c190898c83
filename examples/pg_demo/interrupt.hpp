#pragma once

#include <chrono>
#include <csignal>
#include <thread>

/// Ctrl-C: what waits throws, and on its way out everything is cleaned up.
namespace pg_demo {

struct interrupted {};

inline volatile std::sig_atomic_t signalled = 0;

inline void catch_signals() {
  for (auto x : {SIGINT, SIGTERM, SIGHUP})
    std::signal(x, [](int) { signalled = 1; });
}

inline void pause(std::chrono::milliseconds time) {
  if (signalled != 0)
    throw interrupted{};
  std::this_thread::sleep_for(time);
  if (signalled != 0)
    throw interrupted{};
}

} // namespace pg_demo
