#include "actors/sources/postgres/slot_reader.hpp"

#include <thread>
#include <utility>

namespace sluice::postgres {

namespace {

using milliseconds = std::chrono::milliseconds;

constexpr auto short_wait = milliseconds{1};
constexpr auto gather_bytes = std::size_t{16U << 10U};

} // namespace

slot_reader::slot_reader(std::unique_ptr<replication_stream> from,
                         row_assembly rows, std::string where)
  : from_{std::move(from)}, rows_{std::move(rows)}, where_{std::move(where)} {
  // nop
}

// A row that comes when there are few is taken at once; when there are many,
// they are let gather.
expected<std::string> slot_reader::take(milliseconds wait) {
  auto nothing_yet = rows_.size_bytes() == 0;
  auto many = read_bytes_ >= gather_bytes;
  if (nothing_yet && many)
    std::this_thread::sleep_for(short_wait);
  return from_->take(nothing_yet && !many ? wait : milliseconds{0});
}

bool slot_reader::begins_at(lsn limit, const frame_queue::frame& x) {
  if (x.payload.empty() || x.payload[0] != 'B')
    return false;
  auto begin = message{};
  auto decoded = decode(x.payload, begin);
  return decoded && std::get<begin_message>(begin).final_lsn >= limit;
}

status slot_reader::read(std::size_t bytes_max, milliseconds wait, lsn limit) {
  constexpr auto none = std::numeric_limits<lsn>::max();
  reached_ = false;
  while (rows_.size_bytes() < bytes_max) {
    reached_ = !rows_.open() && rows_.place() >= limit;
    if (reached_)
      break;
    if (unread_.empty()) {
      auto taken = take(wait);
      if (!taken && rows_.size_bytes() == 0)
        return tl::unexpected{std::move(taken.error())};
      if (!taken || taken->empty())
        break;
      entries_ = std::move(*taken);
      unread_ = entries_;
    }
    auto rest = unread_;
    auto frame = frame_queue::next(rest);
    reached_ = limit != none && begins_at(limit, frame);
    if (reached_)
      break;
    unread_ = rest;
    if (auto done = rows_.take(frame); !done) {
      // Who decodes rows does not know where they come from.
      done.error().detail = where_ + ": " + done.error().detail;
      return done;
    }
  }
  read_bytes_ = rows_.size_bytes();
  return {};
}

} // namespace sluice::postgres
