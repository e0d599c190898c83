#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace sluice::test {

/// Waits for what other threads are to bring about; for that a busy machine
/// may take long.
inline bool comes_true(const std::function<bool()>& what,
                       std::chrono::seconds patience = std::chrono::seconds{
                         20}) {
  auto until = std::chrono::steady_clock::now() + patience;
  while (!what()) {
    if (std::chrono::steady_clock::now() > until)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return true;
}

} // namespace sluice::test
