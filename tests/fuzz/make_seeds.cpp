// Writes the seeds of the targets that read a log: real bytes of a small one.
//
//   make_seeds tests/fuzz/corpus

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>

#include "store/segment_files.hpp"
#include "store/segment_log.hpp"
#include "tests/fuzz/segment_input.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace sluice;
using sluice::test::simulated_disk;

namespace {

void write(const std::string& path, const std::string& bytes) {
  auto file = std::ofstream{path, std::ios::binary};
  file << bytes;
  if (!file.flush())
    std::perror(path.c_str());
}

row_header header(std::uint64_t table, std::uint64_t ts, row_op op) {
  return {{table}, {{ts}, {ts}, 0}, op, false, {1}, ts};
}

void add(row_block_builder& to, std::uint64_t table, std::uint64_t ts) {
  auto values = std::vector{value_view::of_integer(-1),
                            value_view::of_text("text"), value_view{}};
  to.add(header(table, ts, row_op::insert), {true, false, false}, {}, values);
}

block_ptr every_kind_of_row() {
  auto result = row_block_builder{};
  add(result, 1, 1);
  auto before = std::vector{value_view::of_real(1.5), value_view::unchanged()};
  auto after = std::vector{value_view::of_real(-0.0),
                           value_view::of_blob("\x01\xff")};
  result.end();
  result.add(header(2, 2, row_op::update), {true, false}, before, after);
  result.add(header(2, 3, row_op::erase), {true, false}, before, {});
  result.end();
  result.add(header(1, 4, row_op::truncate), {}, {}, {});
  result.add(header(1, 5, row_op::snapshot_begin), {}, {}, {});
  result.end();
  return result.finish();
}

std::string row_seed(const row_block& x) {
  auto result = std::string{static_cast<char>(x.ends().size())};
  for (auto end : x.ends()) {
    result.push_back(static_cast<char>(end));
    result.push_back('\0');
  }
  result += x.bytes();
  return result;
}

std::string read(simulated_disk& disk, const std::string& path) {
  auto fd = disk.open(path.c_str(), O_RDONLY, 0);
  auto size = fd < 0 ? 0 : disk.size(fd);
  auto result = std::string(static_cast<std::size_t>(size), '\0');
  if (size > 0 && disk.pread(fd, result.data(), result.size(), 0) != size)
    std::perror(path.c_str());
  disk.close(fd);
  return result;
}

std::shared_ptr<simulated_disk> new_disk() {
  auto disk = std::make_shared<simulated_disk>();
  disk->mkdir("/d", 0777);
  auto id = encode_store_file(fuzz::uuid);
  auto fd = disk->open("/d/store", O_RDWR | O_CREAT, 0666);
  auto part = iovec{id.data(), id.size()};
  if (disk->pwritev(fd, &part, 1, 0) < 0)
    std::perror("store");
  disk->close(fd);
  return disk;
}

// A segment and its spool file: a row each in two chunks, with one that is left
// out, and a sync with its mark.
std::vector<std::string> spooled_log() {
  auto disk = new_disk();
  auto log = segment_log::open({"/d", 1 << 20, 0, disk}).value();
  auto done = true;
  for (std::uint64_t i = 1; i <= 2; ++i) {
    auto block = row_block_builder{};
    auto value = value_view::of_integer(1);
    for (std::uint64_t n = 0; n < i; ++n)
      block.add({{i}, {{}, {}, 2 * i + n}, row_op::insert, false, {1}, 0},
                {true}, {}, {&value, 1});
    auto of = std::vector<rows_of_transaction>{{{5}, 1}};
    if (i == 2)
      of.push_back({{6}, 1});
    done = done && log->spool({5}, block.finish(), of);
  }
  log->leave_out({5}, {6});
  auto order = sync_order{};
  if (done && log->commit_spooled({5}, {{9}, {8}, {9}}))
    order = log->begin_sync();
  if (!order.segments.empty() && log->disk()->sync(order))
    log->synced(order);
  else
    std::fprintf(stderr, "spooling failed\n");
  return {read(*disk, segment_path("/d", 1)),
          read(*disk, segment_path("/d", fuzz::segment_input::spool_number))};
}

// Two files: block 1, a sync and its mark; blocks 2 and 3 in the next one, a
// transaction.
std::vector<std::string> small_log() {
  auto disk = new_disk();
  auto log = segment_log::open({"/d", 4096 + 500, 0, disk}).value();
  for (std::uint64_t ts = 1; ts <= 3; ++ts) {
    auto block = row_block_builder{};
    add(block, ts, ts);
    if (ts != 2)
      block.end();
    if (!log->append(block.finish(), {ts == 2 ? 0 : ts}))
      std::fprintf(stderr, "append failed\n");
    auto order = log->begin_sync();
    if (ts == 1 && log->disk()->sync(order))
      log->synced(order);
  }
  return {read(*disk, segment_path("/d", 1)),
          read(*disk, segment_path("/d", 2))};
}

void write_segments(const std::string& to) {
  auto files = small_log();
  auto body = [&](std::size_t i) {
    return files[i].substr(std::min(file_header_size, files[i].size()));
  };
  auto seed = [&](char flags, std::size_t split, const std::string& rest) {
    auto units = static_cast<char>(split / batch_alignment);
    // The first block of the second file, as its header has it.
    auto first = decode_file_header(files[1]);
    auto second = first ? static_cast<char>(first->first.value) : '\0';
    return std::string{flags, units, second} + rest;
  };
  auto size = body(0).size();
  write(to + "one_file", seed(8, size, body(0)));
  write(to + "two_files", seed(8, size, body(0) + body(1)));
  write(to + "mended", seed(4, size, body(0) + body(1)));
  write(to + "no_headers", seed(8 + 3, size, body(0) + body(1)));
  write(to + "torn", seed(0, size, body(0).substr(0, size - 50)));
}

void write_spooled(const std::string& to) {
  auto files = spooled_log();
  auto body = files[0].substr(std::min(file_header_size, files[0].size()));
  auto units = [](const std::string& x) {
    return static_cast<char>((x.size() + batch_alignment - 1)
                             / batch_alignment);
  };
  auto seed = [&](char flags, const std::string& spool) {
    return std::string{flags, units(body), '\0', units(spool)} + spool + body;
  };
  write(to + "spooled", seed(16 + 8, files[1]));
  write(to + "spooled_mended", seed(16 + 4, files[1]));
  write(to + "spooled_torn",
        seed(16 + 8, files[1].substr(0, files[1].size() - batch_alignment)));
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2)
    return 2;
  auto to = std::string{argv[1]};
  auto block = every_kind_of_row();
  write(to + "/row/every_kind", row_seed(*block));
  for (std::size_t i = 0; i < block->rows(); ++i)
    write(to + "/row/row_" + std::to_string(i + 1),
          std::string{'\0'} + std::string{block->row(i).bytes()});
  write_segments(to + "/segment/");
  write_spooled(to + "/segment/");
  write(to + "/manifest/reference",
        encode(spool_reference{
          spool_segment(2), {9}, {8}, 4, {{0, 80, 1, 7}, {192, 90, 1, 8}}}));
  auto state = log_state{{3}, {{5}, {5}, 0}, {4}};
  auto listing = manifest{state, {{1, {1}, {2}}, {3, {3}, {3}}}};
  write(to + "/manifest/state", encode(state));
  write(to + "/manifest/listing", encode(listing));
  write(to + "/manifest/store", encode_store_file(fuzz::uuid));
  // Not bytes of a log: steps of an index.
  write(to + "/index/steps", {5, 0, 0, -127, 4, 1, 5, -126, 6, 0, 1, 2, 3});
  return 0;
}
