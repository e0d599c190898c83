#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "messages/errc.hpp"

/// Says what ends a program. @returns Its exit status.
[[nodiscard]] inline int fail_program(const std::string& program,
                                      const sluice::error& x) {
  fmt::print(stderr, "{}: {}\n", program, to_string(x));
  return 2;
}

/// What was not expected on the command line, without a connection string.
[[nodiscard]] inline sluice::error
unexpected_arguments(const std::vector<std::string>& extras,
                     const std::string& taken) {
  for (const auto& x : extras)
    if (x.starts_with("-"))
      return {sluice::errc::invalid_option,
              "The following argument was not expected: "
                + x.substr(0, x.find('=')),
              "Run it with --help to see what it takes."};
  if (!extras.empty())
    return {sluice::errc::invalid_option, "more arguments than " + taken,
            "Put quotes around a connection string that has spaces."};
  return {};
}

/// @param taken `a connection string`, if that is one of the arguments: what
///        libpq takes may be a secret, and is not for an error's text.
/// @returns The exit status, if the program is to end here.
[[nodiscard]] inline std::optional<int>
parse_arguments(CLI::App& app, int argc, char** argv,
                const std::string& program, const std::string& taken = {}) {
  app.allow_extras(!taken.empty());
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& x) {
    return app.exit(x); // --help
  } catch (const CLI::ParseError& x) {
    return fail_program(program, {sluice::errc::invalid_option, x.what(),
                                  "Run it with --help to see what it takes."});
  }
  if (auto wrong = unexpected_arguments(app.remaining(), taken))
    return fail_program(program, wrong);
  return std::nullopt;
}
