#include "actors/sources/postgres/frame_queue.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::postgres {

namespace {

// An entry: its place, the payload's length, the payload. Length 0 is a place
// that is resolved: no payload is empty.
struct entry_head {
  lsn at;
  std::uint64_t size;
};

void append(std::string& to, const entry_head& head) {
  auto bytes = std::string(sizeof head, '\0');
  std::memcpy(bytes.data(), &head, sizeof head);
  to += bytes;
}

} // namespace

void frame_queue::put(lsn at, std::string_view payload) {
  if (payload.empty())
    return;
  auto lock = std::lock_guard{mutex_};
  heard_of_ = std::max(heard_of_, at);
  append(entries_, {at, payload.size()});
  entries_ += payload;
  last_resolved_ = std::string::npos;
  if (!std::exchange(has_payload_, true))
    arrived_.notify_one();
}

void frame_queue::put_resolved(lsn at) {
  auto lock = std::lock_guard{mutex_};
  heard_of_ = std::max(heard_of_, at);
  if (last_resolved_ != std::string::npos)
    entries_.resize(last_resolved_);
  last_resolved_ = entries_.size();
  append(entries_, {at, 0});
}

void frame_queue::end(error why) {
  auto lock = std::lock_guard{mutex_};
  ended_ = std::move(why);
  arrived_.notify_one();
}

bool frame_queue::full() const {
  auto lock = std::lock_guard{mutex_};
  return entries_.size() >= bytes_max_;
}

expected<std::string> frame_queue::take(std::chrono::milliseconds wait) {
  auto lock = std::unique_lock{mutex_};
  arrived_.wait_for(lock, wait, [this] { return has_payload_ || ended_; });
  has_payload_ = false;
  last_resolved_ = std::string::npos;
  if (entries_.empty() && ended_)
    return tl::unexpected<error>{ended_};
  return std::exchange(entries_, {});
}

bool frame_queue::confirm(lsn flushed) {
  auto lock = std::lock_guard{mutex_};
  if (flushed <= confirmed_)
    return false;
  confirmed_ = flushed;
  return true;
}

std::uint64_t frame_queue::retained_bytes() const {
  auto lock = std::lock_guard{mutex_};
  return heard_of_ - std::min(heard_of_, confirmed_);
}

void frame_queue::stop() {
  auto lock = std::lock_guard{mutex_};
  stopping_ = true;
}

lsn frame_queue::confirmed() const {
  auto lock = std::lock_guard{mutex_};
  return confirmed_;
}

bool frame_queue::stopping() const {
  auto lock = std::lock_guard{mutex_};
  return stopping_;
}

frame_queue::frame frame_queue::next(std::string_view& entries) noexcept {
  auto head = entry_head{};
  std::memcpy(&head, entries.data(), sizeof head);
  auto result = frame{head.at, entries.substr(sizeof head, head.size)};
  entries.remove_prefix(sizeof head + head.size);
  return result;
}

} // namespace sluice::postgres
