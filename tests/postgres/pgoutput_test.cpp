#include "actors/sources/postgres/pgoutput.hpp"

#include <array>
#include <cstdlib>
#include <memory>

#include <doctest/doctest.h>

#include "tests/support/dice.hpp"
#include "tests/support/pgoutput_bytes.hpp"

using namespace sluice;
using namespace sluice::postgres;
using namespace std::string_literals;
using bytes = test::pgoutput_bytes;

namespace {

constexpr auto unix_us = 1'700'000'000'123'456; // 2023-11-14 22:13:20.123456
constexpr auto pg_us = unix_us - 946'684'800'000'000U;

// A copy with nothing behind it, so that ASan sees a read beyond the end.
class exact_copy {
public:
  explicit exact_copy(std::string_view x)
    : size_{x.size()}, data_{std::make_unique<char[]>(x.size())} {
    x.copy(data_.get(), size_);
  }
  [[nodiscard]] std::string_view view() const { return {data_.get(), size_}; }

private:
  std::size_t size_;
  std::unique_ptr<char[]> data_;
};

template <class Message>
Message decoded(const std::string& payload) {
  static auto keep = std::string{}; // views point into it
  keep = payload;
  auto result = message{};
  auto done = decode(keep, result);
  INFO((done ? ""s : to_string(done.error())));
  REQUIRE(done);
  REQUIRE(std::holds_alternative<Message>(result));
  return std::get<Message>(result);
}

std::string refusal(const std::string& payload) {
  auto into = message{};
  auto done = decode(exact_copy{payload}.view(), into);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == errc::malformed);
  CHECK_FALSE(done.error().remedy.empty());
  return done.error().detail;
}

// One of each kind, each with all that it can have.
const std::array<std::string, 14>& samples() {
  static const auto result = std::array<std::string, 14>{
    bytes{'B'}.int64(0x16B374D848).int64(pg_us).int32(731),
    bytes{'C'}.int8(0).int64(7).int64(8).int64(pg_us),
    bytes{'O'}.int64(5).string("elsewhere"),
    bytes{'R'}.int32(16385).string("public").string("t").tag('d').int16(0),
    bytes{'R'}
      .int32(16386)
      .string("")
      .string("pg_x")
      .tag('i')
      .int16(2)
      .int8(1)
      .string("id")
      .int32(23)
      .int32(0xFFFFFFFF)
      .int8(0)
      .string("n")
      .int32(1043)
      .int32(24),
    bytes{'Y'}.int32(16390).string("public").string("mood"),
    bytes{'I'}.int32(1).tag('N').int16(0),
    bytes{'I'}
      .int32(16385)
      .tag('N')
      .int16(4)
      .tag('n')
      .tag('u')
      .tag('t')
      .sized("ab")
      .tag('b')
      .sized("\0\1"s),
    bytes{'U'}.int32(16385).tag('N').int16(1).tag('t').sized(""),
    bytes{'U'}
      .int32(16385)
      .tag('K')
      .int16(2)
      .tag('t')
      .sized("1")
      .tag('n')
      .tag('N')
      .int16(2)
      .tag('t')
      .sized("2")
      .tag('u'),
    bytes{'U'}.int32(1).tag('O').int16(1).tag('n').tag('N').int16(1).tag('n'),
    bytes{'D'}.int32(16385).tag('K').int16(1).tag('t').sized("42"),
    bytes{'T'}.int32(2).int8(3).int32(16385).int32(16386),
    bytes{'M'}.int8(1).int64(99).string("ddl").sized("CREATE"),
  };
  return result;
}

} // namespace

TEST_CASE("a transaction begins with its place, time and number") {
  auto uut = decoded<begin_message>(samples()[0]);
  CHECK(uut.final_lsn == 0x16B374D848);
  CHECK(uut.commit_us == unix_us);
  CHECK(uut.xid == 731);
}

TEST_CASE("a time before 2000 is before 2000") {
  auto uut = decoded<begin_message>(
    bytes{'B'}.int64(1).int64(static_cast<std::uint64_t>(-1)).int32(2));
  CHECK(uut.commit_us == 946'684'799'999'999);
}

TEST_CASE("a commit says where it begins and ends") {
  auto uut = decoded<commit_message>(samples()[1]);
  CHECK(uut.commit_lsn == 7);
  CHECK(uut.end_lsn == 8);
  CHECK(uut.commit_us == unix_us);
}

TEST_CASE("an origin has a name") {
  auto uut = decoded<origin_message>(samples()[2]);
  CHECK(uut.commit_lsn == 5);
  CHECK(uut.name == "elsewhere");
}

TEST_CASE("a relation has columns") {
  CHECK(decoded<relation_message>(samples()[3])
        == relation_message{16385, "public", "t", 'd', {}});
  CHECK(decoded<relation_message>(samples()[4])
        == relation_message{16386,
                            "pg_catalog",
                            "pg_x",
                            'i',
                            {{true, "id", 23, -1}, {false, "n", 1043, 24}}});
}

TEST_CASE("a type has a name") {
  auto uut = decoded<type_message>(samples()[5]);
  CHECK(uut.id == 16390);
  CHECK(uut.schema == "public");
  CHECK(uut.name == "mood");
}

TEST_CASE("NULL, unchanged, text and bytes are four things") {
  CHECK(decoded<insert_message>(samples()[6]).after.empty());
  auto uut = decoded<insert_message>(samples()[7]);
  CHECK(uut.relation == 16385);
  CHECK(uut.after
        == tuple{{value_kind::null, {}},
                 {value_kind::unchanged, {}},
                 {value_kind::text, "ab"},
                 {value_kind::binary, {"\0\1", 2}}});
}

TEST_CASE("an update may say what was before") {
  auto uut = decoded<update_message>(samples()[8]);
  CHECK(uut.kind == old_row::none);
  CHECK(uut.before.empty());
  CHECK(uut.after == tuple{{value_kind::text, ""}});

  uut = decoded<update_message>(samples()[9]);
  CHECK(uut.relation == 16385);
  CHECK(uut.kind == old_row::key);
  CHECK(uut.before == tuple{{value_kind::text, "1"}, {value_kind::null, {}}});
  CHECK(uut.after
        == tuple{{value_kind::text, "2"}, {value_kind::unchanged, {}}});

  uut = decoded<update_message>(samples()[10]);
  CHECK(uut.kind == old_row::full);
  CHECK(uut.before.size() == 1);
}

TEST_CASE("a delete says what was before") {
  auto uut = decoded<delete_message>(samples()[11]);
  CHECK(uut.relation == 16385);
  CHECK(uut.kind == old_row::key);
  CHECK(uut.before == tuple{{value_kind::text, "42"}});
  auto full = bytes{'D'}.int32(1).tag('O').int16(1).tag('n');
  CHECK(decoded<delete_message>(full).kind == old_row::full);
}

TEST_CASE("a truncate names its relations") {
  auto uut = decoded<truncate_message>(samples()[12]);
  CHECK(uut.relations == std::vector<oid>{16385, 16386});
  CHECK(uut.cascade);
  CHECK(uut.restart_identity);
  uut = decoded<truncate_message>(bytes{'T'}.int32(0).int8(2));
  CHECK(uut.relations.empty());
  CHECK_FALSE(uut.cascade);
  CHECK(uut.restart_identity);
}

TEST_CASE("a logical message has a prefix and bytes") {
  auto uut = decoded<logical_message>(samples()[13]);
  CHECK(uut.transactional);
  CHECK(uut.at == 99);
  CHECK(uut.prefix == "ddl");
  CHECK(uut.content == "CREATE");
}

TEST_CASE("what was decoded encodes to the same bytes") {
  for (const auto& x : samples()) {
    auto into = message{};
    REQUIRE(decode(x, into));
    CHECK(test::encoded(into) == x);
  }
}

TEST_CASE("every part of a message is malformed") {
  for (const auto& x : samples())
    for (std::size_t size = 0; size < x.size(); ++size) {
      CAPTURE(x.front());
      CAPTURE(size);
      auto into = message{};
      CHECK_FALSE(decode(exact_copy{x.substr(0, size)}.view(), into));
    }
}

TEST_CASE("every message with a byte too many is malformed") {
  for (const auto& x : samples()) {
    auto into = message{};
    CHECK_FALSE(decode(exact_copy{x + '\0'}.view(), into));
  }
}

TEST_CASE("a refusal says what and where") {
  CHECK(refusal("")
        == "pgoutput message of 0 bytes, offset 0: "
           "a number of 1 bytes, 0 are left");
  CHECK(refusal("S1234")
        == "pgoutput message 'S', offset 0: "
           "byte 83 has no meaning here");
  CHECK(refusal("\xFF")
        == "pgoutput message 255, offset 0: "
           "byte 255 has no meaning here");
  CHECK(refusal(samples()[0] + "abc")
        == "pgoutput message 'B', offset 21: "
           "the message is over, 3 bytes are left");
  CHECK(refusal(bytes{'O'}.int64(5).tag('x'))
        == "pgoutput message 'O', offset 9: a string without an end");
  CHECK(refusal(bytes{'B'}.int64(5).int64(0x7FFFFFFFFFFFFFFF).int32(1))
        == "pgoutput message 'B', offset 17: a time that no clock shows");
}

TEST_CASE("a length may not be above what is left by one byte") {
  CHECK(
    refusal(bytes{'I'}.int32(1).tag('N').int16(1).tag('t').int32(3).int16(0))
    == "pgoutput message 'I', offset 13: 3 bytes, 2 are left");
}

TEST_CASE("a hostile length reserves nothing") {
  CHECK(refusal(bytes{'I'}.int32(1).tag('N').int16(0xFFFF).tag('n'))
        == "pgoutput message 'I', offset 8: 65535 elements, "
           "1 bytes are left");
  CHECK(
    refusal(bytes{'I'}.int32(1).tag('N').int16(1).tag('t').int32(0xFFFFFFFF))
    == "pgoutput message 'I', offset 13: 4294967295 bytes, 0 are left");
  CHECK(refusal(bytes{'T'}.int32(0x80000001).int8(0).int32(1))
        == "pgoutput message 'T', offset 6: 2147483649 relations, "
           "4 bytes are left");
  CHECK(
    refusal(
      bytes{'R'}.int32(1).string("").string("").tag('d').int16(0xFFFF).int64(0))
    == "pgoutput message 'R', offset 10: 65535 elements, 8 bytes are left");
}

TEST_CASE("flags that nobody knows are malformed") {
  CHECK(refusal(bytes{'C'}.int8(1).int64(7).int64(8).int64(9))
        == "pgoutput message 'C', offset 1: byte 1 has no meaning here");
  CHECK(refusal(bytes{'T'}.int32(0).int8(4))
        == "pgoutput message 'T', offset 5: byte 4 has no meaning here");
  CHECK(refusal(bytes{'M'}.int8(2).int64(7).string("").sized(""))
        == "pgoutput message 'M', offset 1: byte 2 has no meaning here");
  CHECK(refusal(bytes{'R'}.int32(1).string("").string("").tag('x').int16(0))
        == "pgoutput message 'R', offset 7: byte 120 has no meaning here");
  CHECK(refusal(bytes{'D'}.int32(1).tag('N').int16(0))
        == "pgoutput message 'D', offset 5: byte 78 has no meaning here");
  CHECK(refusal(bytes{'I'}.int32(1).tag('N').int16(1).tag('x'))
        == "pgoutput message 'I', offset 8: byte 120 has no meaning here");
}

TEST_CASE("flipped bytes are malformed or another message") {
  const auto* given = std::getenv("SLUICE_SEED");
  auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  INFO("SLUICE_SEED=" << seed);
  auto random = test::dice{seed};
  auto into = message{}; // one for all: what it held does no harm
  auto accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    auto payload = samples()[random.roll(samples().size())];
    for (auto flips = 1 + random.roll(3); flips > 0; --flips)
      payload[random.roll(payload.size())] = static_cast<char>(random.next());
    auto copy = exact_copy{payload};
    if (!decode(copy.view(), into))
      continue;
    ++accepted;
    REQUIRE(test::encoded(into) == payload);
  }
  CHECK(accepted > 10'000);
}

TEST_CASE("a tuple keeps its memory") {
  auto into = message{};
  REQUIRE(decode(samples()[7], into));
  const auto* memory = std::get<insert_message>(into).after.data();
  auto one = std::string{
    bytes{'I'}.int32(2).tag('N').int16(2).tag('n').tag('t').sized("b")};
  REQUIRE(decode(one, into));
  const auto& uut = std::get<insert_message>(into);
  CHECK(uut.relation == 2);
  CHECK(uut.after == tuple{{value_kind::null, {}}, {value_kind::text, "b"}});
  CHECK(uut.after.data() == memory);
}

TEST_CASE("nothing is left of the message before") {
  auto into = message{};
  REQUIRE(decode(samples()[9], into));
  REQUIRE(decode(samples()[8], into));
  CHECK(std::get<update_message>(into).before.empty());
  CHECK(std::get<update_message>(into).kind == old_row::none);
  REQUIRE(decode(samples()[4], into));
  REQUIRE(decode(samples()[3], into));
  CHECK(std::get<relation_message>(into).columns.empty());
}

TEST_CASE("an LSN is written as PostgreSQL writes it") {
  CHECK(to_string_lsn(0) == "0/0");
  CHECK(to_string_lsn(0x16B374D848) == "16/B374D848");
  CHECK(to_string_lsn(0x100000000) == "1/0");
  CHECK(to_string_lsn(~lsn{}) == "FFFFFFFF/FFFFFFFF");
}

TEST_CASE("an LSN is read as PostgreSQL writes it") {
  CHECK(parse_lsn("16/B374D848") == 0x16B374D848);
  CHECK(parse_lsn("16/b374d848") == 0x16B374D848);
  CHECK(parse_lsn("1/0") == 0x100000000);
  CHECK(parse_lsn("FFFFFFFF/FFFFFFFF") == ~lsn{});
  for (auto* wrong :
       {"", "/", "1", "1/", "/1", "1/2/3", "g/1", "1/ 2", "1/2 ", "-1/2",
        "100000000/0", "000000001/0", "1/000000002", "0x1/2"})
    CHECK_MESSAGE(parse_lsn(wrong) == 0, wrong);
}
