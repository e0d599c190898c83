// One of the applications of a history: another process than the one that
// captures, and it knows nothing of sluice. It takes orders on stdin, one a
// line, and answers each by a line on stdout:
//
//   open PATH SEED        connects
//   run N                 runs N random steps, and ends its transaction
//   close                 disconnects
//
// The answer to `run` is how many statements of each kind took effect, of
// table t and of table w (WITHOUT ROWID), then how many steps there were.
// SLUICE_TRACE=1 prints each statement, and what became of it, on stderr.
#include <cstdint>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "tests/histories/schema_statements.hpp"

namespace {

using namespace sluice::histories_test;

class application : public schema_statements {
public:
  using schema_statements::schema_statements;

  counts run(int steps) {
    done_ = {};
    for (auto i = 0; i < steps; ++i)
      step();
    if (in_transaction())
      end_transaction(below(4) != 0);
    return done_;
  }

private:
  void step() {
    keyed_ = below(2) == 0;
    name_ = keyed_ ? "w" : "t";
    auto n = below(100);
    if (n < 16)
      change_transaction();
    else if (n < 25 && !in_transaction())
      change_schema();
    else if (n < 36)
      replace_rows();
    else if (n < 45)
      replace_rows_as_declared();
    else if (n < 53)
      upsert();
    else if (n < 67)
      insert();
    else if (n < 75)
      update();
    else if (n < 79)
      update_added();
    else if (n < 84)
      erase();
    else
      use_children();
  }
};

void answer(const counts& x, int steps) {
  for (const auto& pair : x.of)
    std::cout << pair[0] << ' ' << pair[1] << ' ';
  std::cout << steps << std::endl;
}

} // namespace

int main() {
  auto app = std::unique_ptr<application>{};
  for (auto line = std::string{}; std::getline(std::cin, line);) {
    auto in = std::istringstream{line};
    auto order = std::string{};
    in >> order;
    if (order == "open") {
      auto path = std::string{};
      auto seed = std::uint64_t{0};
      in >> path >> seed;
      app = std::make_unique<application>(path, seed);
    } else if (order == "run" && app) {
      auto steps = 0;
      in >> steps;
      answer(app->run(steps), steps);
      continue;
    } else {
      app.reset();
    }
    answer({}, 0);
  }
  return 0;
}
