#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "store/segment_format.hpp"
#include "store/segment_id.hpp"
#include "store/spool_format.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace fuzz {

inline constexpr auto uuid = sluice::store_uuid{'f', 'u', 'z', 'z'};

/// Files of a log out of few bytes: their headers, 4 KiB each, are made here.
///
///   1 byte: 1 = the first file's header is damaged, 2 = the second's,
///           4 = checksums are put right, else 8 = recovered as a log,
///           16 = there is a spool file
///   1 byte: size of the first file behind its header, in 64 bytes; with no
///           more bytes than that there is only one file
///   1 byte: the second file's first block
///   1 byte, if there is a spool file: its size, in 64 bytes
///   the rest: the spool file, both files behind their headers
struct segment_input {
  static constexpr auto spool_number = sluice::spool_segment(2);

  std::vector<std::string> files;
  std::string spool; // empty: there is none
  bool recovered = false;

  segment_input(const std::uint8_t* data, std::size_t size) {
    auto in = input{data, size};
    auto flags = in.take<std::uint8_t>();
    auto split = in.take<std::uint8_t>() * sluice::batch_alignment;
    auto second = in.take<std::uint8_t>();
    mended_ = (flags & 4) != 0;
    recovered = !mended_ && (flags & 8) != 0;
    auto spooled = (flags & 16) == 0
                     ? 0
                     : in.take<std::uint8_t>() * sluice::batch_alignment;
    auto rest = in.rest();
    spool = rest.substr(0, spooled);
    rest.remove_prefix(spool.size());
    if (mended_)
      mend(spool, spool_number, 0, 0);
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
      mend(file, number, sum, sluice::file_header_size);
    files.push_back(std::move(file));
  }

  template <class T>
  static T load(const std::string& from, std::size_t at) {
    T result;
    std::memcpy(&result, from.data() + at, sizeof(T));
    return result;
  }

  void mend(std::string& file, std::uint64_t number, std::uint64_t previous,
            std::size_t at) const {
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
      x.previous_sum = number == spool_number ? 0 : previous;
      if (x.kind == sluice::batch_kind::spool_reference)
        mend_reference(file, at + sluice::batch_header_size,
                       load<std::uint32_t>(file, at + 12));
      auto payload = std::string_view{file}.substr(
        at + sluice::batch_header_size, load<std::uint32_t>(file, at + 12));
      auto place = sluice::batch_place{uuid, number, at};
      auto header = encode(x, place, {payload});
      file.replace(at, header.size(), header);
      previous = x.header_sum;
      at += x.extent();
    }
  }

  // Each chunk has the checksum that its reference says.
  void mend_reference(std::string& file, std::size_t from,
                      std::uint32_t size) const {
    auto payload = std::string_view{file}.substr(from, size);
    auto x = sluice::decode_reference(payload);
    if (!x)
      return;
    for (auto& chunk : x->chunks)
      if (chunk.offset + sluice::batch_header_size <= spool.size()
          && chunk.offset < spool.size())
        chunk.header_sum = load<std::uint64_t>(
          spool, chunk.offset + sluice::batch_header_size - 8);
    x->spool = spool_number;
    file.replace(from, payload.size(), encode(*x));
  }

  bool mended_ = false;
};

} // namespace fuzz
