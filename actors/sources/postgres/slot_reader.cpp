#include "actors/sources/postgres/slot_reader.hpp"

#include <thread>
#include <utility>

namespace sluice::postgres {

namespace {

using clock = std::chrono::steady_clock;
using milliseconds = std::chrono::milliseconds;

constexpr auto short_wait = milliseconds{1};
// What is left out makes no bytes, and may come without a pause.
constexpr auto read_time = milliseconds{20};
constexpr auto gather_bytes = std::size_t{16U << 10U};

} // namespace

slot_reader::slot_reader(std::unique_ptr<replication_stream> from,
                         const request& what)
  : from_{std::move(from)}, rows_{what.tables, what.resume, what.base},
    where_{what.where} {
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

status slot_reader::read(std::size_t bytes_max, milliseconds wait, lsn limit) {
  auto end = clock::now() + read_time;
  reached_ = rows_.reached(limit, unread_);
  while (!reached_ && rows_.size_bytes() < bytes_max) {
    if (unread_.empty()) {
      if (clock::now() >= end)
        break;
      auto taken = take(wait);
      if (!taken && rows_.size_bytes() == 0)
        return tl::unexpected{std::move(taken.error())};
      if (!taken || taken->empty())
        break;
      entries_ = std::move(*taken);
      unread_ = entries_;
    }
    if (auto done = rows_.take(unread_, bytes_max, limit); !done) {
      // Who decodes rows does not know where they come from.
      done.error().detail = where_ + ": " + done.error().detail;
      return done;
    }
    reached_ = rows_.reached(limit, unread_);
  }
  read_bytes_ = rows_.size_bytes();
  return {};
}

} // namespace sluice::postgres
