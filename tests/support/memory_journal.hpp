#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "actors/sources/source_connector.hpp"

namespace sluice::test {

/// A journal in memory.
class memory_journal : public source_journal {
public:
  expected<table_id> table_of(std::string_view name) override {
    auto next = table_id{tables.size() + 1};
    return tables.try_emplace(std::string{name}, next).first->second;
  }
  expected<generation> next_generation() override {
    return generation{++generations};
  }
  expected<std::optional<std::string>> note(std::string_view key) override {
    if (auto now = std::exchange(before_note, {}))
      now();
    auto found = notes.find(key);
    if (found == notes.end())
      return std::optional<std::string>{};
    return std::optional<std::string>{found->second};
  }
  status set_note(std::string_view key, std::string_view value) override {
    notes[std::string{key}] = value;
    return {};
  }

  std::map<std::string, table_id, std::less<>> tables;
  std::map<std::string, std::string, std::less<>> notes;
  std::uint64_t generations = 0;
  std::function<void()> before_note; ///< Once, before the next is read.
};

} // namespace sluice::test
