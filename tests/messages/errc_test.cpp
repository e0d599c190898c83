#include "messages/errc.hpp"

#include <set>

#include <doctest/doctest.h>

using namespace sluice;

namespace {

bool is_sentence(std::string_view x) {
  return x.size() > 5 && x.back() == '.' && x.front() >= 'A'
         && x.front() <= 'Z';
}

} // namespace

TEST_CASE("every code has a name of its own, a meaning and a remedy") {
  auto names = std::set<std::string_view>{};
  for (std::uint8_t i = 0; i < errc_count; ++i) {
    CAPTURE(static_cast<int>(i));
    auto code = static_cast<errc>(i);
    CHECK(!to_string(code).empty());
    CHECK(names.insert(to_string(code)).second);
    CHECK(is_sentence(meaning(code)));
    CHECK(is_sentence(remedy(code)));
  }
}

TEST_CASE("the order of the codes is part of the wire format") {
  CHECK(to_string(errc::none) == "none");
  CHECK(static_cast<int>(errc::log_corrupt) == 8);
  CHECK(to_string(errc::log_corrupt) == "log_corrupt");
  CHECK(static_cast<int>(errc::source_replaced) == 16);
  CHECK(to_string(errc::source_replaced) == "source_replaced");
  CHECK(static_cast<int>(errc::null_in_key) == 24);
  CHECK(to_string(errc::null_in_key) == "null_in_key");
  CHECK(static_cast<int>(errc::malformed) == errc_count - 1);
  CHECK(to_string(errc::malformed) == "malformed");
}

TEST_CASE("a code from a newer version has a text too") {
  auto code = static_cast<errc>(250);
  CHECK(!to_string(code).empty());
  CHECK(!meaning(code).empty());
  CHECK(!remedy(code).empty());
}

TEST_CASE("an error's own remedy stands in place of its code's") {
  auto own = error{errc::log_locked, "a/b", "Wait for process 7."};
  CHECK(to_string(own) == "log_locked: a/b. Wait for process 7.");
  CHECK(own != error{errc::log_locked, "a/b"});
  auto [code, detail, remedy] = own.fields();
  CHECK(remedy == "Wait for process 7.");
  CHECK(fail(errc::log_io, "a", "Do b.").value()
        == error{errc::log_io, "a", "Do b."});
}

TEST_CASE("an error is one line, whatever is in it") {
  auto text = to_string(error{errc::log_io, "a\nb: \t\n  c. ", "Do\r\nd."});
  CHECK(text == "log_io: a b: c. Do d.");
  CHECK(to_string(error{errc::log_io, "a", "Do b"}) == "log_io: a. Do b.");
}

TEST_CASE("an error prints its code, what happened and what to do") {
  auto text = to_string(error{errc::log_locked, "a/b/lock"});
  CHECK(text.find("log_locked") != std::string::npos);
  CHECK(text.find("a/b/lock") != std::string::npos);
  CHECK(text.find(remedy(errc::log_locked)) != std::string::npos);
  CHECK_FALSE(error{});
  CHECK(error{errc::log_io, ""});
}
