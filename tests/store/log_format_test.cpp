// docs/log_format.md says what the code does.

#include <fstream>
#include <sstream>

#include "store/segment_format.hpp"
#include "store/segment_id.hpp"
#include "store/window_format.hpp"
#include "tests/store/log_fixture.hpp"
#include "tests/support/checkout.hpp"

using namespace log_test;

namespace {

// The bytes between the nth ```hex and ``` at their offsets, zeros between
// them.
std::string bytes_of_example(int nth) {
  auto path = sluice::test::checkout_file("docs/log_format.md");
  auto file = std::ifstream{path};
  REQUIRE_MESSAGE(file.good(), "cannot open ", path);
  auto result = std::string{};
  auto line = std::string{};
  while (nth > 0 && std::getline(file, line))
    nth -= line == "```hex" ? 1 : 0;
  while (std::getline(file, line) && line != "```") {
    auto words = std::istringstream{line};
    auto word = std::string{};
    words >> word;
    result.resize(std::stoul(word, nullptr, 16), '\0');
    while (words >> word)
      result += static_cast<char>(std::stoul(word, nullptr, 16));
  }
  return result;
}

} // namespace

TEST_CASE("the example in docs log_format is what it says") {
  auto bytes = bytes_of_example(1);
  auto view = std::string_view{bytes};
  auto header = decode_file_header(view.substr(0, 4096));
  REQUIRE(header.has_value());
  CHECK(header->version == 1);
  CHECK(header->segment == 2);
  CHECK(header->first == block_index{41});
  CHECK(header->uuid[15] == 15);

  auto place = batch_place{header->uuid, 2, 4096};
  auto mark = decode_batch_header(view.substr(4096), place);
  REQUIRE(mark.has_value());
  CHECK(mark->kind == batch_kind::mark);
  CHECK(mark->last == block_index{40});
  CHECK(mark->durable_before == block_index{38});
  CHECK(mark->previous_sum == sum_of_file_header(view));
  auto payload = view.substr(4096 + 96, mark->payload_size);
  REQUIRE(payload_is_intact(*mark, place, {payload}));
  auto listing = manifest{};
  listing.state = {{40}, cursor(2), {2}};
  listing.segments = {{1, {1}, {40}}};
  CHECK(decode_manifest(payload) == listing);

  place.offset += mark->extent();
  auto rows = decode_batch_header(view.substr(place.offset), place);
  REQUIRE(rows.has_value());
  CHECK(rows->kind == batch_kind::rows);
  CHECK(rows->first == block_index{41});
  CHECK(rows->last == block_index{41});
  CHECK(rows->resolved == timestamp{3});
  CHECK(rows->durable_before == block_index{40});
  CHECK(rows->previous_sum == mark->header_sum);
  payload = view.substr(place.offset + 96, rows->payload_size);
  REQUIRE(payload_is_intact(*rows, place, {payload}));
  auto block = decode_rows(*rows, std::string{payload});
  REQUIRE(block.has_value());
  REQUIRE((*block)->rows() == 1);
  CHECK((*block)->closed());
  CHECK((*block)->row(0).op() == row_op::erase);
  CHECK((*block)->row(0).table() == table_id{7});
  CHECK((*block)->row(0).cursor() == cursor(3));
  CHECK((*block)->row(0).before()[0] == value_view::of_integer(9));
  CHECK(place.offset + rows->extent() == bytes.size());
}

TEST_CASE("the rewritten example in docs log_format is what it says") {
  auto bytes = bytes_of_example(2);
  auto view = std::string_view{bytes};
  auto header = decode_file_header(view.substr(0, 4096));
  REQUIRE(header.has_value());
  CHECK(header->version == 2);
  CHECK(header->segment == rewritten_segment(2, 1));
  CHECK(header->first == block_index{41});
  CHECK(header->last == block_index{50});
  CHECK(header->begun == std::chrono::seconds{1'700'000'000});

  auto place = batch_place{header->uuid, header->segment, 4096};
  auto window = decode_batch_header(view.substr(4096), place);
  REQUIRE(window.has_value());
  CHECK(window->kind == batch_kind::window);
  CHECK(window->first == block_index{41});
  CHECK(window->last == block_index{50});
  CHECK(window->resolved == timestamp{6});
  CHECK(window->previous_sum == sum_of_file_header(view));
  CHECK(place.offset + window->extent() == bytes.size());
  auto payload = view.substr(4096 + 96, window->payload_size);
  REQUIRE(payload_is_intact(*window, place, {payload}));

  auto size = size_of_directory(payload, payload.size());
  REQUIRE(size.has_value());
  auto front = payload.substr(0, *size);
  auto directory = decode_directory(front, place, payload.size());
  REQUIRE(directory.has_value());
  REQUIRE(directory->size() == 2);
  CHECK((*directory)[0].table == table_id{5});
  CHECK((*directory)[1].table == table_id{7});
  CHECK((*directory)[1].rows == 2);
  auto block = decode_window(*window, place, front,
                             std::string{payload.substr(*size)});
  REQUIRE(block.has_value());
  REQUIRE((*block)->rows() == 3);
  CHECK((*block)->ends() == std::vector<std::uint32_t>{1, 2, 3});
  auto keys = std::vector<std::int64_t>{};
  for (std::size_t i = 0; i < 3; ++i)
    keys.push_back((*block)->row(i).before()[0].integer);
  CHECK(keys == std::vector<std::int64_t>{9, 1, 10}); // in commit order
}

TEST_CASE("a manifest comes back as it went in") {
  auto x = manifest{};
  CHECK(decode_manifest(encode(x)) == x);
  x.state = {{7}, row_cursor::end_of(timestamp::max()), {9}};
  for (std::uint64_t i = 1; i < 100; ++i)
    x.segments.push_back({i, {10 * i}, {10 * i + 5}});
  auto bytes = encode(x);
  CHECK(decode_manifest(bytes) == x);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_manifest(bytes.substr(0, size)).has_value());
}
