#include "store/spool_scan.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "store/segment_files.hpp"

namespace sluice {

expected<read_batch> read_chunk(const open_file& file, const store_uuid& uuid,
                                std::uint64_t spool, const spool_chunk& place) {
  auto damaged = [&] {
    return fail(errc::log_corrupt,
                fmt::format("{}: byte {}: a chunk", file.path(), place.offset));
  };
  auto size = file.size();
  if (!size)
    return tl::unexpected{std::move(size.error())};
  if (place.offset > *size || place.size() > *size - place.offset)
    return damaged();
  auto bytes = file.read(place.offset, place.size());
  if (!bytes)
    return tl::unexpected{std::move(bytes.error())};
  auto at = batch_place{uuid, spool, place.offset};
  auto header = decode_batch_header(*bytes, at);
  if (!header || header->kind != batch_kind::chunk
      || header->header_sum != place.header_sum
      || header->payload_size != place.payload_size
      || !payload_is_intact(
        *header, at, {std::string_view{*bytes}.substr(batch_header_size)}))
    return damaged();
  bytes->erase(0, batch_header_size);
  return read_batch{*header, std::move(*bytes)};
}

namespace {

// The blocks of one reference, read one after the other.
class expansion {
public:
  expansion(const found_batch& from, const open_file* file, std::uint64_t size,
            const store_uuid& uuid)
    : from_{from}, what_{*from.reference}, file_{file}, size_{size}, uuid_{
                                                                       uuid} {
    // nop
  }

  status run(std::vector<found_batch>& to) const {
    for (std::size_t i = 0; i < what_.chunks.size(); ++i) {
      auto x = block(i);
      if (auto done = check(i, x); !done)
        return done;
      to.push_back(std::move(x));
    }
    to.push_back(state());
    return {};
  }

private:
  [[nodiscard]] bool is_last(std::size_t i) const {
    return i + 1 == what_.chunks.size();
  }

  [[nodiscard]] found_batch block(std::size_t i) const {
    auto result = from_;
    result.header.first = {from_.header.first.value + i};
    result.header.last = result.header.first;
    result.header.resolved = is_last(i) ? from_.header.resolved : timestamp{};
    result.spooled = {
      what_.spool, what_.chunks[i].offset, what_.chunks[i].size(), {}};
    result.sound = false;
    if (i > 0)
      result.unread_before.reset();
    return result;
  }

  [[nodiscard]] status check(std::size_t i, found_batch& x) const {
    if (file_ == nullptr)
      return {};
    auto bytes = read_chunk(*file_, uuid_, what_.spool, what_.chunks[i]);
    if (!bytes && bytes.error().code != errc::log_corrupt)
      return tl::unexpected{std::move(bytes.error())};
    if (!bytes)
      return {};
    auto rows = decode_committed(bytes->header, std::move(bytes->payload),
                                 what_.commit(), is_last(i));
    if (!rows || (*rows)->rows() != what_.chunks[i].rows)
      return {};
    x.summary = summarize(**rows);
    x.sound = true;
    return {};
  }

  // It ended with the reference, whatever is lost of it.
  [[nodiscard]] found_batch state() const {
    auto result = from_;
    result.header.kind = batch_kind::mark;
    result.header.first = from_.header.last;
    result.unread_before.reset();
    result.spooled = {what_.spool, 0, size_, {}};
    result.state = log_state{from_.header.last,
                             {what_.commit_ts, what_.start_ts, what_.position},
                             from_.header.resolved};
    return result;
  }

  const found_batch& from_;
  const spool_reference& what_;
  const open_file* file_; // null: it is missing
  std::uint64_t size_;    // of the file
  const store_uuid& uuid_;
};

} // namespace

status expand_references(scanned_segment& segment,
                         const std::shared_ptr<file_ops>& ops,
                         const std::string& directory, const store_uuid& uuid) {
  auto result = std::vector<found_batch>{};
  for (auto& batch : segment.batches) {
    if (batch.reference == nullptr || !batch.sound) {
      result.push_back(std::move(batch));
      continue;
    }
    auto path = segment_path(directory, batch.reference->spool);
    auto file = std::shared_ptr<open_file>{};
    auto size = expected<std::uint64_t>{0};
    if (ops->access(path.c_str()) == 0 || errno != ENOENT) {
      auto opened = open_file::open(ops, path, O_RDONLY);
      if (!opened)
        return tl::unexpected{std::move(opened.error())};
      file = std::move(*opened);
      size = file->size();
    }
    if (!size)
      return tl::unexpected{std::move(size.error())};
    auto done = expansion{batch, file.get(), *size, uuid}.run(result);
    if (!done)
      return done;
  }
  segment.batches = std::move(result);
  return {};
}

expected<std::vector<scanned_segment>> scan_segments(
  const std::shared_ptr<file_ops>& ops, const std::string& directory,
  const std::vector<std::uint64_t>& numbers, const store_uuid& uuid) {
  auto result = std::vector<scanned_segment>{};
  for (auto number : numbers) {
    auto file = open_file::open(ops, segment_path(directory, number), O_RDONLY);
    if (!file)
      return tl::unexpected{std::move(file.error())};
    auto scanned = scan_segment(**file, number, uuid);
    if (!scanned)
      return tl::unexpected{std::move(scanned.error())};
    if (auto done = expand_references(*scanned, ops, directory, uuid); !done)
      return tl::unexpected{std::move(done.error())};
    result.push_back(std::move(*scanned));
  }
  return result;
}

} // namespace sluice
