#include <string>
#include <vector>

#include "messages/row.hpp"
#include "tests/fuzz/fuzz_input.hpp"

// Any bytes as a block: they are malformed, or every accessor may be called
// and a block that is built of what they say has the same bytes.
//
//   1 byte: number of end marks; 2 bytes each; the rest: records

using namespace sluice;
using fuzz::must;

namespace {

std::vector<value_view> values_of(image_view image) {
  auto result = std::vector<value_view>{};
  if (!image)
    return result;
  image.decode(result);
  must(result.size() == image.size());
  for (std::uint16_t i = 0; i < image.size(); ++i)
    must(image[i] == result[i]);
  return result;
}

// The bits behind the last column of a key's bitmap say nothing.
bool has_spare_bits(row_view x) {
  constexpr auto key_at = std::size_t{56};
  auto spare = x.columns() % 8;
  if (spare == 0)
    return false;
  auto last = static_cast<unsigned char>(x.bytes()[key_at + x.columns() / 8]);
  return last >> spare != 0;
}

void rebuild(row_view x) {
  auto key = std::vector<bool>{};
  for (std::uint16_t i = 0; i < x.columns(); ++i)
    key.push_back(x.in_key(i));
  auto builder = row_block_builder{};
  builder.add(x.header(), key, values_of(x.before()), values_of(x.after()));
  auto again = builder.finish();
  must(has_spare_bits(x) || again->bytes() == x.bytes());
}

void read_all(const row_block& block) {
  auto size = std::size_t{0};
  for (std::size_t i = 0; i < block.rows(); ++i) {
    auto x = block.row(i);
    must(block.bytes().substr(size, x.size_bytes()) == x.bytes());
    size += x.size_bytes();
    must(!to_string(x).empty());
    rebuild(x);
  }
  must(size == block.bytes().size());
  auto grouped = std::size_t{0};
  for (const auto& run : block.runs()) {
    must(run.first == grouped && run.count > 0);
    for (; grouped < run.first + run.count; ++grouped)
      must(block.grouped(grouped).table() == run.table
           && block.grouped(grouped).schema() == run.schema);
  }
  must(grouped == block.rows());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  auto in = fuzz::input{data, size};
  auto ends = std::vector<std::uint32_t>{};
  for (auto n = in.roll(8); n > 0; --n)
    ends.push_back(in.take<std::uint16_t>());
  if (auto block = row_block::parse(std::string{in.rest()}, ends))
    read_all(**block);
  return 0;
}
