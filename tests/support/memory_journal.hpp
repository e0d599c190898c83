#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/sources/source_connector.hpp"

namespace sluice::test {

/// A journal in memory.
class memory_journal : public source_journal {
public:
  expected<std::vector<table_id>>
  tables_of(const std::vector<std::string>& names) override {
    auto result = std::vector<table_id>{};
    for (const auto& name : names) {
      auto next = table_id{tables.size() + 1};
      result.push_back(tables.try_emplace(name, next).first->second);
    }
    return result;
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
  status set_notes(const std::vector<named_note>& all) override {
    for (const auto& x : all)
      notes[x.key] = x.value;
    return {};
  }

  std::map<std::string, table_id, std::less<>> tables;
  std::map<std::string, std::string, std::less<>> notes;
  std::uint64_t generations = 0;
  std::function<void()> before_note; ///< Once, before the next is read.
};

} // namespace sluice::test
