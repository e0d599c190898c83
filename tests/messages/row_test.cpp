#include "messages/row.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <random>

#include <doctest/doctest.h>

using namespace sluice;

namespace {

using values = std::vector<value_view>;

row_header header_of(std::uint64_t table, std::uint64_t ts,
                     row_op op = row_op::insert, std::uint64_t schema = 1) {
  return {{table}, {{ts}, {ts}, 0}, op, false, {schema}, 0};
}

// Two tables, all operations, three end marks.
block_ptr sample() {
  auto builder = row_block_builder{};
  auto keys = std::vector<bool>{true, false, false};
  auto row = values{value_view::of_integer(7), value_view::of_text("seven"),
                    value_view::of_real(7.5)};
  auto old_row = values{value_view::of_integer(6), value_view::unchanged(), {}};
  builder.add(header_of(1, 1, row_op::snapshot_begin), {}, {}, {});
  builder.add(header_of(1, 2), keys, {}, row);
  builder.end();
  builder.add(header_of(2, 3, row_op::update), keys, old_row, row);
  builder.add(header_of(1, 4, row_op::erase, 2), keys, old_row, {});
  builder.end();
  builder.add(header_of(1, 5, row_op::truncate, 2), {}, {}, {});
  builder.end();
  builder.add(header_of(1, 6, row_op::insert, 2), keys, {}, row);
  return builder.finish();
}

expected<block_ptr> parse(const block_ptr& block) {
  return row_block::parse(std::string{block->bytes()}, block->ends());
}

// Touches every byte that a reader would.
std::size_t read_all(const row_block& block) {
  std::size_t result = 0;
  auto decoded = values{};
  for (std::size_t i = 0; i < block.rows(); ++i) {
    auto row = block.row(i);
    result += to_string(row).size();
    for (auto image : {row.before(), row.after()}) {
      if (!image)
        continue;
      image.decode(decoded);
      REQUIRE(decoded.size() == row.columns());
      for (std::uint16_t k = 0; k < image.size(); ++k) {
        REQUIRE(image[k] == decoded[k]);
        for (auto c : decoded[k].bytes)
          result += static_cast<unsigned char>(c);
      }
    }
    for (std::uint16_t k = 0; k < row.columns(); ++k)
      result += row.in_key(k) ? 1 : 0;
  }
  for (const auto& run : block.runs())
    result += run.count;
  return result;
}

} // namespace

TEST_CASE("every kind of value comes back as it went in") {
  auto nan_bits = std::uint64_t{0x7FF8DEADBEEF0001};
  auto zeros = std::string(300, '\0');
  auto all = values{
    value_view::of_integer(std::numeric_limits<std::int64_t>::min()),
    value_view::of_integer(std::numeric_limits<std::int64_t>::max()),
    value_view::of_integer(-1),
    value_view::of_real(std::bit_cast<double>(nan_bits)),
    value_view::of_real(-0.0),
    value_view::of_real(0.0),
    value_view::of_real(std::numeric_limits<double>::denorm_min()),
    value_view::of_real(-std::numeric_limits<double>::infinity()),
    value_view::of_text(""),
    {},
    value_view::unchanged(),
    value_view::of_blob(""),
    value_view::of_blob(zeros),
    value_view::of_text("\xFF\xFE not UTF-8"),
    value_view::of_text("gr\xC3\xBC\xC3\x9F")};
  auto builder = row_block_builder{};
  builder.add(header_of(1, 1, row_op::update),
              std::vector<bool>(all.size(), true), all, all);
  auto block = parse(builder.finish());
  REQUIRE(block.has_value());
  for (auto image : {(*block)->row(0).before(), (*block)->row(0).after()}) {
    REQUIRE(image.size() == all.size());
    for (std::uint16_t i = 0; i < image.size(); ++i) {
      CAPTURE(i);
      CHECK(image[i] == all[i]);
      CHECK(image[i].type == all[i].type);
    }
  }
  CHECK(value_view::of_real(0.0) != value_view::of_real(-0.0));
  CHECK(value_view::of_text("") != value_view{});
  CHECK(value_view::of_text("") != value_view::of_blob(""));
}

TEST_CASE("a header comes back as it went in") {
  auto top = std::numeric_limits<std::uint64_t>::max();
  for (auto op : {row_op::truncate, row_op::snapshot_begin})
    for (auto copied : {false, true}) {
      auto header = row_header{
        {top}, row_cursor::end_of(timestamp::max()), op, copied, {0xFFFFFFFF},
        top};
      auto builder = row_block_builder{};
      builder.add(header, {}, {}, {});
      auto block = parse(builder.finish());
      REQUIRE(block.has_value());
      CHECK((*block)->row(0).header() == header);
      CHECK_FALSE((*block)->row(0).before());
      CHECK_FALSE((*block)->row(0).after());
    }
}

TEST_CASE("a row may have three hundred columns") {
  auto row = values{};
  auto keys = std::vector<bool>{};
  for (int i = 0; i < 300; ++i) {
    row.push_back(i % 3 == 0   ? value_view{}
                  : i % 3 == 1 ? value_view::unchanged()
                               : value_view::of_integer(i));
    keys.push_back(i % 7 == 0);
  }
  auto builder = row_block_builder{};
  builder.add(header_of(1, 1), keys, {}, row);
  auto block = parse(builder.finish());
  REQUIRE(block.has_value());
  auto view = (*block)->row(0);
  REQUIRE(view.columns() == 300);
  for (std::uint16_t i = 0; i < 300; ++i) {
    CHECK(view.after()[i] == row[i]);
    CHECK(view.in_key(i) == keys[i]);
  }
}

TEST_CASE("operations have the images that they should have") {
  auto block = sample();
  auto images = std::vector<std::pair<bool, bool>>{};
  for (std::size_t i = 0; i < block->rows(); ++i)
    images.emplace_back(static_cast<bool>(block->row(i).before()),
                        static_cast<bool>(block->row(i).after()));
  CHECK(images
        == std::vector<std::pair<bool, bool>>{{false, false},
                                              {false, true},
                                              {true, true},
                                              {true, false},
                                              {false, false},
                                              {false, true}});
}

TEST_CASE("runs group rows by table and schema and keep their order") {
  auto block = sample();
  REQUIRE(block->runs().size() == 3);
  std::uint32_t next = 0;
  std::uint64_t bytes = 0;
  for (const auto& run : block->runs()) {
    CHECK(run.first == next);
    auto previous = row_cursor{};
    for (auto i = run.first; i < run.first + run.count; ++i) {
      auto row = block->grouped(i);
      CHECK(row.table() == run.table);
      CHECK(row.schema() == run.schema);
      CHECK(row.cursor() > previous);
      previous = row.cursor();
    }
    CHECK(block->grouped(run.first).cursor() == run.first_cursor);
    CHECK(previous == run.last_cursor);
    next += run.count;
    bytes += run.bytes;
  }
  CHECK(next == block->rows());
  CHECK(bytes == block->bytes().size());
  CHECK(block->runs()[0].count == 2);
  CHECK(block->runs()[1].count == 3);
  CHECK(block->runs()[2].table == table_id{2});
}

TEST_CASE("end marks say what is complete") {
  auto block = sample();
  CHECK(block->ends() == std::vector<std::uint32_t>{2, 4, 5});
  CHECK_FALSE(block->closed());
  auto builder = row_block_builder{};
  builder.end(); // Before any row it says nothing.
  CHECK(builder.empty());
  builder.add(block->row(1));
  builder.end();
  builder.end();
  auto closed = builder.finish();
  CHECK(closed->ends() == std::vector<std::uint32_t>{1});
  CHECK(closed->closed());
  CHECK(builder.empty());
  CHECK(builder.finish()->closed());
}

TEST_CASE("a copied record is the same record") {
  auto block = sample();
  auto builder = row_block_builder{};
  for (std::size_t i = 0; i < block->rows(); ++i) {
    builder.add(block->row(i));
    for (auto end : block->ends())
      if (end == i + 1)
        builder.end();
  }
  CHECK(builder.size_bytes() == block->bytes().size());
  CHECK(*builder.finish() == *block);
}

TEST_CASE("parse gives back what was built") {
  auto block = sample();
  auto parsed = parse(block);
  REQUIRE(parsed.has_value());
  CHECK(**parsed == *block);
  CHECK((*parsed)->runs().size() == block->runs().size());
  CHECK(read_all(**parsed) == read_all(*block));
  CHECK(row_block::parse({}, {}).value()->empty());
}

TEST_CASE("parse refuses every truncation that is not between two records") {
  auto block = sample();
  auto bytes = std::string{block->bytes()};
  auto borders = std::vector<std::size_t>{0};
  for (std::size_t i = 0; i < block->rows(); ++i)
    borders.push_back(borders.back() + block->row(i).size_bytes());
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    CAPTURE(size);
    // On the heap and exactly as long, so that ASan sees each byte beyond.
    auto result = row_block::parse(bytes.substr(0, size), {});
    auto whole = std::count(borders.begin(), borders.end(), size) > 0;
    REQUIRE(result.has_value() == whole);
    if (!result)
      REQUIRE(result.error().code == errc::malformed);
  }
}

TEST_CASE("parse survives every single flipped bit") {
  auto block = sample();
  auto bytes = std::string{block->bytes()};
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    CAPTURE(bit);
    auto flipped = bytes;
    flipped[bit / 8] = static_cast<char>(
      static_cast<unsigned char>(flipped[bit / 8]) ^ (1U << bit % 8));
    auto result = row_block::parse(flipped, {});
    refused += result ? 0 : 1;
    if (result)
      read_all(**result);
  }
  CHECK(refused > 0);
}

TEST_CASE("parse survives bytes at random") {
  auto seed = std::uint64_t{4711};
  CAPTURE(seed);
  auto random = std::mt19937_64{seed};
  auto bytes = std::string{sample()->bytes()};
  for (int round = 0; round < 20000; ++round) {
    CAPTURE(round);
    auto damaged = bytes;
    for (auto n = 1 + random() % 8; n > 0; --n)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    if (random() % 4 == 0)
      damaged.resize(random() % damaged.size());
    auto result = row_block::parse(damaged, {1});
    if (result)
      read_all(**result);
  }
}

TEST_CASE("parse refuses end marks that are not numbers of rows") {
  auto bytes = std::string{sample()->bytes()};
  auto all = std::vector<std::vector<std::uint32_t>>{
    {0}, {7}, {2, 2}, {3, 2}, {1, 2, 3, 0xFFFFFFFF}};
  for (const auto& ends : all)
    CHECK_FALSE(row_block::parse(bytes, ends).has_value());
  CHECK(row_block::parse(bytes, {1, 6}).has_value());
  CHECK_FALSE(row_block::parse({}, {1}).has_value());
}

TEST_CASE("parse refuses a record that promises more than there is") {
  auto builder = row_block_builder{};
  builder.add(header_of(1, 1), {true}, {}, values{value_view::of_text("abc")});
  auto block = builder.finish();
  auto bytes = std::string{block->bytes()};
  auto set = [&](std::size_t at, auto x) {
    auto changed = bytes;
    std::memcpy(changed.data() + at, &x, sizeof(x));
    return row_block::parse(changed, {}).has_value();
  };
  CHECK(set(0, static_cast<std::uint32_t>(bytes.size())));
  for (std::uint32_t size : {0U, 1U, 55U, 56U, 0xFFFFFFFFU})
    CHECK_FALSE(set(0, size)); // size of the record
  CHECK_FALSE(set(0, static_cast<std::uint32_t>(bytes.size() + 1)));
  for (auto columns : std::vector<std::uint16_t>{0, 2, 9, 0xFFFF})
    CHECK_FALSE(set(6, columns));
  for (std::uint32_t before : {1U, 100U, 0xFFFFFFFFU})
    CHECK_FALSE(set(52, before));
  for (std::uint32_t text : {4U, 0x7FFFFFFFU, 0xFFFFFFFFU})
    CHECK_FALSE(set(bytes.size() - 7, text));
  CHECK_FALSE(set(4, std::uint8_t{0}));
  CHECK_FALSE(set(4, std::uint8_t{6}));
  CHECK_FALSE(set(5, std::uint8_t{2}));
}

TEST_CASE("records get the times of a commit that came after them") {
  auto before = sample();
  auto records = std::string{before->bytes()};
  REQUIRE(set_commit(records, {90}, {80}).has_value());
  auto after = row_block::parse(records, before->ends());
  REQUIRE(after.has_value());
  REQUIRE((*after)->rows() == before->rows());
  for (std::size_t i = 0; i < before->rows(); ++i) {
    auto wanted = before->row(i).header();
    wanted.cursor.commit_ts = {90};
    wanted.cursor.start_ts = {80};
    CHECK((*after)->row(i).header() == wanted);
    CHECK((*after)->row(i).bytes().substr(40)
          == before->row(i).bytes().substr(40));
  }
  // What is no record is not written to.
  for (std::size_t size = 0; size < records.size(); ++size) {
    auto torn = records.substr(0, size);
    if (auto done = set_commit(torn, {1}, {2}); !done)
      CHECK(done.error().code == errc::malformed);
    CHECK(torn.size() == size);
  }
  records[0] = 55; // a size below that of a header
  CHECK_FALSE(set_commit(records, {1}, {2}).has_value());
}
