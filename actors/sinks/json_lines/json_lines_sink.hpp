#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "actors/sinks/sink_connector.hpp"

namespace sluice {

/// How changes are written as lines of JSON.
struct json_lines_options {
  /// A regular file; it is created if missing. `<path>.state` is beside it.
  std::string path;
  /// `source.name`, the prefix of Debezium's topics; empty: the feed's name.
  std::string name;
  std::string db = "main";          ///< `source.db`
  std::string connector = "sqlite"; ///< `source.connector`
  /// Commits wait for the disk: they survive a power cut, not only a killed
  /// process. False: after a power cut lines may be missing, or zeros in their
  /// place; begin anew then.
  bool sync = true;
  /// For `ts_ms`, the time of processing; asked once per write.
  std::function<std::chrono::system_clock::time_point()> clock =
    std::chrono::system_clock::now;
};

/// A file of changes, each a line of JSON in Debezium's envelope;
/// docs/json_lines.md has every field.
///
/// Each change is in the file once: `<path>.state` says how many bytes are
/// committed, together with the positions, and `open` cuts off what is behind
/// them. The file is locked while it is open, and belongs to one feed.
///
/// `open` fails with invalid_option if the options make no sense or the file
/// is not one of this sink and feed, with sink_conflict if somebody changed
/// it, with log_format_newer if a newer version wrote the state. `write` fails
/// with null_in_key, and with invalid_option if a name is not UTF-8.
[[nodiscard]] std::unique_ptr<sink_connector>
make_json_lines_sink(json_lines_options options);

} // namespace sluice
