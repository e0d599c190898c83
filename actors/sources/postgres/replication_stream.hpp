#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "actors/sources/postgres/frame_queue.hpp"
#include "actors/sources/postgres/pg_connection.hpp"

namespace sluice::postgres {

/// A slot that is being read: a thread listens to the walsender, answers it
/// and fills the queue. When the queue is full it reads no more, but goes on
/// to answer, so that the server does not take us for dead.
class replication_stream {
public:
  /// Where to begin, and what to read.
  struct request {
    std::string slot;
    std::string publication;
    lsn from = 0;        ///< Transactions that commit before are not sent.
    lsn confirmed = 0;   ///< The slot's: the server would go back, too.
    bool binary = false; ///< Values as types' send functions write them.
  };

  /// Asks the server to begin.
  /// @param to A replication connection.
  /// @error Its text; SQLSTATE 55006 when another connection reads the slot.
  [[nodiscard]] static status begin(connection& to, const request& what);
  /// @pre `begin` succeeded on this connection, which goes with the stream.
  [[nodiscard]] static std::unique_ptr<replication_stream>
  listen_to(connection to, const request& what, std::size_t queue_bytes);
  ~replication_stream();
  replication_stream(const replication_stream&) = delete;
  replication_stream& operator=(const replication_stream&) = delete;

  /// @see frame_queue::take
  [[nodiscard]] expected<std::string>
  take(std::chrono::milliseconds wait = std::chrono::milliseconds{0});
  /// The server may forget what is below.
  void confirm(lsn flushed);
  /// @see frame_queue::retained_bytes
  [[nodiscard]] std::uint64_t retained_bytes() const {
    return queue_.retained_bytes();
  }

private:
  replication_stream(connection to, std::size_t queue_bytes);

  void listen();
  bool receive();
  void handle(std::string_view frame);
  bool send_status();
  void wait_for_more();
  void wait(bool for_input);
  void wake() const noexcept;
  void stop();

  connection to_;
  frame_queue queue_;
  int wake_ = -1; // an eventfd: `stop`, `confirm` and `take` end a wait

  // Of the thread.
  lsn received_ = 0;
  lsn told_ = 0;
  bool reply_wanted_ = false;
  int since_wait_ = 0; // rows
  std::chrono::steady_clock::time_point next_status_;

  std::thread thread_; // last: it uses all the others
};

} // namespace sluice::postgres
