#include "actors/sources/postgres/replication_stream.hpp"

#include <array>
#include <chrono>
#include <cstring>
#include <utility>

#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "actors/sources/postgres/pg_error.hpp"

namespace sluice::postgres {

namespace {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// The server's wal_sender_timeout is 60 s by default, and 1 s at the least that
// anybody would set.
constexpr auto status_interval = 500ms;
// What is confirmed is told at most so often.
constexpr auto confirm_interval = 100ms;
// Rows before the queue and the clock are looked at again.
constexpr auto most_at_once = 256;
constexpr auto many = 16;
constexpr auto nap = 50us;
constexpr std::int64_t epoch_2000_us = 946'684'800'000'000;

std::uint64_t number_at(std::string_view bytes, std::size_t at) {
  auto result = std::uint64_t{0};
  for (std::size_t i = 0; i < 8; ++i)
    result = result << 8 | static_cast<unsigned char>(bytes[at + i]);
  return result;
}

void put_number(char* to, std::uint64_t x) {
  for (int shift = 56; shift >= 0; shift -= 8)
    *to++ = static_cast<char>(x >> static_cast<unsigned>(shift) & 0xff);
}

std::int64_t microseconds_since_2000() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count()
         - epoch_2000_us;
}

} // namespace

status replication_stream::begin(connection& to, const request& what) {
  auto sql = "START_REPLICATION SLOT " + quoted_name(what.slot) + " LOGICAL "
             + to_string_lsn(what.from)
             + " (proto_version '1', publication_names "
             + quoted_text(quoted_name(what.publication))
             + (what.binary ? ", binary 'true')" : ")");
  if (auto begun = to.run(sql); !begun)
    return tl::unexpected{std::move(begun.error())};
  return {};
}

std::unique_ptr<replication_stream>
replication_stream::listen_to(connection to, const request& what,
                              std::size_t queue_bytes) {
  PQsetnonblocking(to.handle(), 1);
  auto result = std::unique_ptr<replication_stream>{
    new replication_stream{std::move(to), queue_bytes}};
  auto* stream = result.get();
  stream->queue_.confirm(what.confirmed);
  stream->thread_ = std::thread{[stream] { stream->listen(); }};
  return result;
}

replication_stream::replication_stream(connection to, std::size_t queue_bytes)
  : to_{std::move(to)}, queue_{queue_bytes}, wake_{eventfd(
                                               0, EFD_NONBLOCK | EFD_CLOEXEC)} {
  // nop
}

replication_stream::~replication_stream() {
  stop();
  close(wake_);
}

void replication_stream::stop() {
  queue_.stop();
  wake();
  if (thread_.joinable())
    thread_.join();
}

void replication_stream::wake() const noexcept {
  auto one = std::uint64_t{1};
  [[maybe_unused]] auto written = write(wake_, &one, sizeof one);
}

expected<std::string> replication_stream::take(std::chrono::milliseconds wait) {
  auto was_full = queue_.full();
  auto result = queue_.take(wait);
  if (was_full)
    wake();
  return result;
}

void replication_stream::confirm(lsn flushed) {
  if (queue_.confirm(flushed))
    wake();
}

// -- the thread ---------------------------------------------------------------

void replication_stream::listen() {
  next_status_ = clock::now();
  while (!queue_.stopping()) {
    auto now = clock::now();
    if (queue_.confirmed() > told_)
      next_status_ = std::min(next_status_, now + confirm_interval);
    if ((reply_wanted_ || now >= next_status_) && !send_status())
      return;
    if (queue_.full())
      wait(false);
    else if (!receive())
      return;
  }
  // The server frees the slot at once when it is told.
  PQsetnonblocking(to_.handle(), 0);
  if (PQputCopyEnd(to_.handle(), nullptr) == 1)
    PQflush(to_.handle());
}

// Takes what is there. @returns Whether to go on.
bool replication_stream::receive() {
  char* buffer = nullptr;
  auto size = 0;
  auto taken = 0;
  while (taken < most_at_once
         && (size = PQgetCopyData(to_.handle(), &buffer, 1)) > 0) {
    handle({buffer, static_cast<std::size_t>(size)});
    PQfreemem(buffer);
    ++taken;
  }
  if (size > 0)
    return true;
  if (size == 0) {
    since_wait_ += taken;
    if (taken == 0)
      wait_for_more();
    if (PQconsumeInput(to_.handle()) == 1)
      return true;
  }
  // Only the result has the server's own text.
  auto failure = error{errc::source_unavailable, to_.last_error(), {}};
  if (size == -1)
    if (auto* last = PQgetResult(to_.handle()); last != nullptr) {
      if (const auto* text = PQresultErrorMessage(last); *text != '\0')
        failure.detail = one_line(text);
      if (const auto* state = PQresultErrorField(last, PG_DIAG_SQLSTATE))
        failure.code = code_of(state);
      PQclear(last);
    }
  if (failure.detail.empty())
    failure.detail = "the server ended the replication";
  if (failure.code != errc::source_unavailable)
    failure.remedy = "To copy all tables again, start once with copy_again"
                     " (--copy-again).";
  failure.detail = to_.where() + ": " + failure.detail;
  queue_.end(std::move(failure));
  return false;
}

void replication_stream::handle(std::string_view frame) {
  constexpr auto rows_head = std::size_t{25};
  constexpr auto keepalive = std::size_t{18};
  if (frame[0] == 'w' && frame.size() > rows_head) {
    auto at = number_at(frame, 1);
    received_ = std::max({received_, at, number_at(frame, 9)});
    queue_.put(at, frame.substr(rows_head));
  } else if (frame[0] == 'k' && frame.size() >= keepalive) {
    auto end = number_at(frame, 1);
    received_ = std::max(received_, end);
    queue_.put_resolved(end);
    reply_wanted_ = reply_wanted_ || frame[17] != 0;
  }
}

bool replication_stream::send_status() {
  auto flushed = queue_.confirmed();
  auto words = std::array<char, 34>{};
  words[0] = 'r';
  put_number(&words[1], std::max(received_, flushed));
  put_number(&words[9], flushed);
  put_number(&words[17], flushed);
  put_number(&words[25], static_cast<std::uint64_t>(microseconds_since_2000()));
  words[33] = 1; // Tell us where you are, also when nothing happens.
  auto sent = PQputCopyData(to_.handle(), words.data(),
                            static_cast<int>(words.size()));
  if (sent < 0 || PQflush(to_.handle()) < 0) {
    queue_.end(
      {errc::source_unavailable, to_.where() + ": " + to_.last_error(), {}});
    return false;
  }
  reply_wanted_ = false;
  told_ = flushed;
  next_status_ = clock::now() + status_interval;
  return true;
}

// The server sends each row by itself, and to wake us costs it as much as to
// decode one: under load it is left alone for a moment.
void replication_stream::wait_for_more() {
  if (std::exchange(since_wait_, 0) >= many)
    std::this_thread::sleep_for(nap);
  else
    wait(true);
}

void replication_stream::wait(bool for_input) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
    next_status_ - clock::now());
  auto unsent = PQflush(to_.handle()) == 1;
  auto what = static_cast<short>((for_input ? POLLIN : 0)
                                 | (unsent ? POLLOUT : 0));
  auto fds = std::array<pollfd, 2>{
    {{what == 0 ? -1 : PQsocket(to_.handle()), what, 0}, {wake_, POLLIN, 0}}};
  poll(fds.data(), fds.size(),
       static_cast<int>(std::max<std::int64_t>(left.count(), 0)) + 1);
  auto count = std::uint64_t{0};
  [[maybe_unused]] auto cleared = read(wake_, &count, sizeof count);
}

} // namespace sluice::postgres
