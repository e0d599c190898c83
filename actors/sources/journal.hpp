#pragma once

#include <memory>
#include <string>

#include "actors/sources/source_connector.hpp"

namespace sluice {

/// Keeps a source's numbers and notes in the checkpoint_store of `directory`.
/// Opens it at the first call, so in the thread that makes it.
/// @param source The upstream's name.
[[nodiscard]] std::shared_ptr<source_journal>
make_durable_journal(std::string directory, std::string source);

/// For tests and for services without a directory: gone at the end.
[[nodiscard]] std::shared_ptr<source_journal> make_memory_journal();

} // namespace sluice
