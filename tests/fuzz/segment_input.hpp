#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "store/segment_format.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace fuzz {

inline constexpr auto uuid = sluice::store_uuid{'f', 'u', 'z', 'z'};

/// Files of a log out of few bytes: their headers, 4 KiB each, are made here.
///
///   1 byte: 1 = the first file's header is damaged, 2 = the second's,
///           4 = checksums are put right, else 8 = recovered as a log
///   1 byte: size of the first file behind its header, in 64 bytes; with no
///           more bytes than that there is only one file
///   1 byte: the second file's first block
///   the rest: both files behind their headers
struct segment_input {
  std::vector<std::string> files;
  bool recovered = false;

  segment_input(const std::uint8_t* data, std::size_t size) {
    auto in = input{data, size};
    auto flags = in.take<std::uint8_t>();
    auto split = in.take<std::uint8_t>() * sluice::batch_alignment;
    auto second = in.take<std::uint8_t>();
    mended_ = (flags & 4) != 0;
    recovered = !mended_ && (flags & 8) != 0;
    auto rest = in.rest();
    add(rest.substr(0, split), 1, (flags & 1) != 0);
    if (rest.size() > split)
      add(rest.substr(split), second, (flags & 2) != 0);
  }

private:
  void add(std::string_view bytes, std::uint64_t first, bool damaged) {
    auto number = std::uint64_t{files.size() + 1};
    auto header = sluice::file_header{
      sluice::segment_format, uuid, number, {first}};
    auto file = encode(header);
    auto sum = sluice::sum_of_file_header(file);
    if (damaged)
      file[100] = 'x';
    file += bytes;
    if (mended_)
      mend(file, number, sum);
    files.push_back(std::move(file));
  }

  template <class T>
  static T load(const std::string& from, std::size_t at) {
    T result;
    std::memcpy(&result, from.data() + at, sizeof(T));
    return result;
  }

  static void mend(std::string& file, std::uint64_t number,
                   std::uint64_t previous) {
    auto at = sluice::file_header_size;
    while (at + sluice::batch_header_size <= file.size()) {
      if (file.compare(at, 4, "BTCH") != 0) {
        at += sluice::batch_alignment;
        continue;
      }
      auto x = sluice::batch_header{};
      x.kind = load<sluice::batch_kind>(file, at + 6);
      x.flags = load<std::uint32_t>(file, at + 8);
      x.rows = load<std::uint32_t>(file, at + 16);
      x.ends = load<std::uint32_t>(file, at + 20);
      x.first = {load<std::uint64_t>(file, at + 24)};
      x.last = {load<std::uint64_t>(file, at + 32)};
      x.resolved = {load<std::uint64_t>(file, at + 40)};
      x.durable_before = {load<std::uint64_t>(file, at + 48)};
      x.previous_sum = previous;
      auto payload = std::string_view{file}.substr(
        at + sluice::batch_header_size, load<std::uint32_t>(file, at + 12));
      auto place = sluice::batch_place{uuid, number, at};
      auto header = encode(x, place, {payload});
      file.replace(at, header.size(), header);
      previous = x.header_sum;
      at += x.extent();
    }
  }

  bool mended_ = false;
};

} // namespace fuzz
