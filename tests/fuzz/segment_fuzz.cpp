#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>

#include "store/segment_files.hpp"
#include "store/segment_log.hpp"
#include "store/spool_scan.hpp"
#include "tests/fuzz/segment_input.hpp"
#include "tests/support/simulated_disk.hpp"

// Any bytes as the one or two files of a log, see segment_input.hpp: they are
// read as docs/log_format.md has it, and what comes out is what is in them.

using namespace sluice;
using fuzz::must;
using sluice::test::simulated_disk;

namespace {

void put(simulated_disk& disk, const std::string& path,
         const std::string& bytes) {
  auto fd = disk.open(path.c_str(), O_RDWR | O_CREAT, 0666);
  auto part = iovec{const_cast<char*>(bytes.data()), bytes.size()};
  must(disk.pwritev(fd, &part, 1, 0) == static_cast<ssize_t>(bytes.size()));
  disk.close(fd);
}

// One of the blocks that a reference stands for.
void check_spooled(const found_batch& x, const std::string& spool) {
  const auto& at = x.spooled;
  must(at.segment == fuzz::segment_input::spool_number);
  must(at.offset + at.size <= spool.size());
  must(x.header.first == x.header.last && x.summary.rows > 0);
  must(x.summary.first.commit_ts == x.reference->commit_ts);
  must(x.summary.last.start_ts == x.reference->start_ts);
}

// What a whole batch holds is what the index is told of it.
void check_batch(const found_batch& x, const std::string& file) {
  must(x.offset % batch_alignment == 0 && x.offset >= file_header_size);
  if (!x.sound || x.header.kind != batch_kind::rows)
    return;
  must(x.offset + batch_header_size + x.header.payload_size <= file.size());
  auto block = decode_rows(
    x.header, file.substr(x.offset + batch_header_size, x.header.payload_size));
  must(block.has_value() && (*block)->rows() == x.summary.rows);
  must((*block)->closed() == x.summary.closed());
  auto bytes = std::uint64_t{0};
  for (const auto& share : x.summary.tables)
    bytes += share.bytes;
  must(bytes == (*block)->bytes().size());
}

void check_scan(const scanned_segment& x, const std::string& file) {
  must(x.size == file.size());
  auto end = std::uint64_t{0};
  for (const auto& batch : x.batches) {
    must(batch.offset >= end);
    must(
      !batch.unread_before
      || (*batch.unread_before >= end && *batch.unread_before < batch.offset));
    end = batch.offset + batch_alignment;
    check_batch(batch, file);
  }
}

// Blocks of a file that counts are there, or lost, one after the other.
void check_verdict(const recovery_verdict& x, std::uint64_t size,
                   const std::string& spool) {
  must(x.bytes_cut <= size);
  for (const auto& kept : x.kept) {
    auto due = kept.range.first;
    for (const auto& part : kept.parts)
      if (part.batch == nullptr) {
        must(due <= part.lost_to && part.lost_to <= x.durable);
        due = part.lost_to.next();
      } else {
        must(part.batch->sound);
        if (!has_rows(part.batch->header.kind))
          continue;
        must(part.batch->header.first == due);
        due = part.batch->header.last.next();
        if (part.batch->reference != nullptr)
          check_spooled(*part.batch, spool);
      }
    must(due.previous() == kept.range.last);
  }
}

void judge_files(const fuzz::segment_input& in) {
  auto disk = std::make_shared<simulated_disk>();
  auto scanned = std::vector<scanned_segment>{};
  auto size = std::uint64_t{0};
  if (!in.spool.empty())
    put(*disk, segment_path("", in.spool_number), in.spool);
  for (std::size_t i = 0; i < in.files.size(); ++i) {
    auto path = segment_path("", i + 1);
    put(*disk, path, in.files[i]);
    auto file = open_file::open(disk, path, O_RDONLY);
    auto found = scan_segment(**file, i + 1, fuzz::uuid);
    if (!found)
      return;
    check_scan(*found, in.files[i]);
    must(expand_references(*found, disk, "", fuzz::uuid).has_value());
    size += found->size;
    scanned.push_back(std::move(*found));
  }
  if (auto verdict = judge(scanned, "d"))
    check_verdict(*verdict, size, in.spool);
}

struct rows_read {
  block_index last;
  row_cursor appended_to;
  std::vector<std::string> rows;
  errc failure = errc::none;
  friend bool operator==(const rows_read&, const rows_read&) = default;
};

rows_read read(segment_log& log) {
  auto result = rows_read{log.last(), log.appended_to(), {}, errc::none};
  auto after = row_cursor{};
  for (auto done = block_index{}; done < log.last();) {
    auto plan = plan_scan(log, {all_tables, after, log.last(), 1000});
    for (const auto& piece : plan.pieces) {
      auto block = log.disk()->read(piece.location);
      must(block.has_value());
      for (std::size_t i = 0; i < (*block)->rows(); ++i) {
        must((*block)->row(i).cursor() > after || after == row_cursor{});
        after = (*block)->row(i).cursor();
        result.rows.emplace_back((*block)->row(i).bytes());
      }
    }
    result.failure = plan.failure.code;
    if (plan.failure)
      break;
    must(plan.complete_to > done || !plan.pieces.empty());
    done = plan.complete_to;
  }
  return result;
}

// Nobody wrote these sums but a log: what it recovers was appended, and the
// next start finds the same. Slow, so not each time.
void recover(const fuzz::segment_input& in) {
  auto disk = std::make_shared<simulated_disk>();
  disk->mkdir("/d", 0777);
  put(*disk, "/d/store", encode_store_file(fuzz::uuid));
  for (std::size_t i = 0; i < in.files.size(); ++i)
    put(*disk, segment_path("/d", i + 1), in.files[i]);
  if (!in.spool.empty())
    put(*disk, segment_path("/d", in.spool_number), in.spool);
  auto first = rows_read{};
  for (auto round = 0; round < 2; ++round) {
    auto log = segment_log::open({"/d", 1U << 20, 0, disk});
    if (!log) {
      must(round == 0 && log.error().code != errc::log_io);
      return;
    }
    auto found = read(**log);
    must(round == 0 || found == first);
    first = std::move(found);
  }
  for (const auto& row : first.rows) {
    auto before = row; // as it was before its transaction committed
    must(set_commit(before, {}, {}).has_value());
    must(
      in.spool.find(before) != std::string::npos
      || std::any_of(in.files.begin(), in.files.end(), [&](const auto& file) {
           return file.find(row) != std::string::npos;
         }));
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  auto in = fuzz::segment_input{data, size};
  if (in.recovered)
    recover(in);
  else
    judge_files(in);
  return 0;
}
