#pragma once

#include <cstdint>

#include "actors/service_actors.hpp"

namespace sluice::test {

/// How many bytes of rows lie in the mailboxes of a service's actors.
/// @pre No actor runs: the scheduler is turned by hand.
[[nodiscard]] std::uint64_t mailbox_bytes(const service_actors& of);

} // namespace sluice::test
