#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "messages/errc.hpp"
#include "messages/row.hpp"
#include "messages/schema.hpp"

namespace sluice {

/// What `source` says of every change, in UTF-8.
struct envelope_source {
  std::string version;
  std::string connector;
  std::string name;
  std::string db;
};

/// Changes as lines of JSON in Debezium's envelope; docs/json_lines.md has
/// every field.
class change_encoder {
public:
  using time_point = std::chrono::system_clock::time_point;

  explicit change_encoder(envelope_source source);
  change_encoder(change_encoder&&) noexcept;
  change_encoder& operator=(change_encoder&&) noexcept;
  ~change_encoder();

  /// Appends the line of one change; of a change of the key two: `d`, `c`.
  /// @param now The time of processing.
  /// @error null_in_key; malformed if the row does not fit `schema`;
  ///        invalid_option if a name in `schema` is not UTF-8. `to` is as it
  ///        was then.
  [[nodiscard]] status append(const table_schema& schema, row_view row,
                              time_point now, std::string& to);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// The version of sluice, for `envelope_source::version`.
[[nodiscard]] std::string envelope_version();

} // namespace sluice
