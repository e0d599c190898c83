#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "actors/sinks/json_lines/json_lines_sink.hpp"
#include "tests/sqlite/sink_fixture.hpp"

/// What the tests of the json_lines sink share. Lines are read with a library
/// other than the one that writes them.
namespace json_test {

using namespace sink_test;
using json = nlohmann::ordered_json;

/// 1,795,390,800.1312 s, the time of all processing in tests.
inline std::chrono::system_clock::time_point test_time() {
  return std::chrono::system_clock::time_point{
    std::chrono::microseconds{1'795'390'800'131'200}};
}

inline std::string read_file(const std::string& path) {
  auto file = std::ifstream{path, std::ios::binary};
  REQUIRE_MESSAGE(file.good(), "cannot open ", path);
  return {std::istreambuf_iterator<char>{file}, {}};
}

inline void write_file(const std::string& path, const std::string& bytes) {
  auto file = std::ofstream{path, std::ios::binary};
  file << bytes;
  REQUIRE(file.good());
}

/// Cut at each \n; all must end in one.
inline lines lines_of(const std::string& text) {
  auto result = lines{};
  std::size_t at = 0;
  while (at < text.size()) {
    auto end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    result.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return result;
}

/// A file of changes and a sink that writes it.
struct change_file {
  test::temporary_directory place;
  json_lines_options options;
  std::unique_ptr<sink_connector> uut;

  change_file() {
    options.path = place.file("changes.jsonl");
    options.sync = false;
    options.clock = test_time;
    uut = make_json_lines_sink(options);
  }

  sink_position open() {
    auto result = uut->open(feed());
    REQUIRE_MESSAGE(result.has_value(), to_string(result.error()));
    return *result;
  }
  error refused(const feed_record& who = feed()) {
    auto result = make_json_lines_sink(options)->open(who);
    REQUIRE(!result.has_value());
    return result.error();
  }
  void write(const sink_rows& rows) {
    auto result = uut->write(rows);
    REQUIRE_MESSAGE(result.has_value(), to_string(result.error()));
  }
  void commit(const std::vector<table_position>& positions = {},
              std::optional<timestamp> watermark = {}) {
    auto result = uut->commit(positions, watermark);
    REQUIRE_MESSAGE(result.has_value(), to_string(result.error()));
  }
  void apply(rows_builder builder) {
    write(builder.rows());
    commit();
  }
  /// As after a kill: nobody says goodbye.
  void kill() { uut = make_json_lines_sink(options); }
  /// In the state, as somebody else.
  void exec(const std::string& sql) const {
    auto db = sqlite_db::open(options.path + ".state");
    REQUIRE(db.has_value());
    auto done = (*db)->exec(sql);
    REQUIRE_MESSAGE(done.has_value(), to_string(done.error()));
  }

  [[nodiscard]] std::string text() const { return read_file(options.path); }
  /// `op` and the commit_ts of each line: "c1 u2 d3".
  [[nodiscard]] std::string summary() const {
    auto result = std::string{};
    for (const auto& line : lines_of(text())) {
      auto x = json::parse(line);
      result += result.empty() ? "" : " ";
      result += x["op"].get<std::string>();
      result += std::to_string(x["source"]["commit_ts"].get<std::uint64_t>());
    }
    return result;
  }
};

/// A row of `items` that is inserted at `ts`.
inline rows_builder one(std::uint64_t ts) {
  return rows_builder{items()}.insert(
    ts, {i(static_cast<std::int64_t>(ts)), t("a"), r(1)});
}

} // namespace json_test
