#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/sinks/callback.hpp"
#include "actors/sinks/sink_connector.hpp"
#include "actors/sources/source_connector.hpp"
#include "messages/append.hpp"
#include "messages/control.hpp"
#include "messages/errc.hpp"
#include "messages/feed.hpp"
#include "messages/reset.hpp"
#include "messages/retention.hpp"

namespace caf {
class actor_system;
} // namespace caf

namespace sluice {

struct service_actors;
struct sink_handle;

/// When the log announces a row to the feeds.
enum class durability_level : std::uint8_t {
  /// Once the operating system has it: survives a kill of the process. After
  /// a power cut the source sends again what was not synced.
  written,
  /// Once a sync has covered it: survives a power cut.
  synced,
};

/// docs/settings.md has the table.
struct service_options {
  /// Where log, positions and schemas are kept; created if missing. Empty:
  /// all in memory, gone at the end.
  std::string directory;
  durability_level durability = durability_level::written;
  /// Bytes for all rows in memory: credit, the log's recent blocks, windows.
  std::uint64_t memory_budget = 256 << 20;
  /// Bytes per feed that are on their way or held by its sink; less if there
  /// are so many feeds that their part of the budget does not suffice.
  std::uint64_t credit_bytes = 16 << 20;
  std::uint64_t segment_bytes = 64 << 20;
  /// Rows that no feed needs any more stay while they are younger than `age`
  /// and among the newest `bytes`: for feeds that are created later, and for
  /// targets that are restored from a backup. By default none do.
  retention_budget retention;
  /// Level of zstd for segments that are rewritten, 1 to 19; 0: none.
  int compression = 0;
  /// Rows for which the disk has no room wait, or their source starts over
  /// until there is some. Either way they go on by themselves.
  full_disk when_full = full_disk::wait;
  /// Kept on the disk, per partition, for what gives room back when it is
  /// full. None: `segment_bytes`; 0: nothing is kept.
  std::optional<std::uint64_t> reserve_bytes;
  std::size_t partitions = 1;
  /// Of the service's own actor system; what blocks has threads beside them.
  std::size_t threads = 2;
  std::chrono::milliseconds sync_interval{50};
  std::chrono::milliseconds heartbeat_interval{200};

  /// @error invalid_option, naming the setting and what it may be.
  [[nodiscard]] status validate() const;
};

/// A change feed, embedded: one source, its log, any number of feeds. The
/// only one that knows the whole path. Several services in one process do not
/// know of each other, if each has its own directory.
///
/// Calls may come from any thread, one at a time. No global state, no signal
/// handlers, no output.
class service {
public:
  /// Opens the directory, or makes it. A service that was killed goes on
  /// where it stopped.
  /// @error invalid_option, also for a directory that holds somebody else's
  ///        files; log_locked, log_corrupt, log_format_newer, log_io, disk_full
  [[nodiscard]] static expected<service> open(service_options options);
  /// The same, with all actors in the application's actor system, which must
  /// outlive the service and whose config sluice::add_message_types of
  /// messages/type_ids.hpp was called for. `threads` has no effect.
  /// @error invalid_option: the system does not know the messages; as above
  [[nodiscard]] static expected<service> open(service_options options,
                                              caf::actor_system& system);

  service(service&&) noexcept;
  service& operator=(service&&) noexcept;
  /// Stops without flushing: what is not durable comes again. Waits for the
  /// service's own actors, as `stop` does.
  ~service();

  /// A feed lives until it is removed by name, over restarts: its position is
  /// kept, and the log keeps what it has not got. Creating it again with the
  /// same rules changes nothing but `confirm`, from now on. Create feeds before
  /// the source, so that they see everything.
  /// @error duplicate_name: other rules under that name; invalid_option: the
  ///        order of transactions with more than one partition
  [[nodiscard]] status create_feed(std::string_view name,
                                   const feed_rules& rules = {});
  /// Ends its subscription, too. What only it needed of the log may go.
  /// @error unknown_feed
  [[nodiscard]] status remove_feed(std::string_view name);
  [[nodiscard]] expected<std::vector<feed_record>> feeds();

  /// Starts reading. Tables with rows are copied first.
  /// @param name Identifies the upstream over restarts.
  /// @error invalid_option: there is a source already; as `open`
  [[nodiscard]] status add_source(std::string_view name,
                                  std::unique_ptr<source_connector> source);

  /// Delivers a feed to a target that stores its own position.
  /// @error unknown_feed; duplicate_name: it is delivered already; stopped
  [[nodiscard]] status subscribe(std::string_view feed,
                                 std::unique_ptr<sink_connector> sink);
  /// Delivers a feed to a function. It is called in a thread of its own;
  /// nothing is acknowledged but by the acknowledger. After a kill what was
  /// acknowledged shortly before may come again.
  [[nodiscard]] status subscribe(std::string_view feed,
                                 change_callback callback);
  /// Delivers a feed to an actor of the application's, in the same actor
  /// system. Include actors/service_actors.hpp. If the actor ends, so does the
  /// delivery: `status_of` says `stopped`.
  /// @error invalid_option: no actor, in another actor system, or the sink of
  ///        another feed; as above
  [[nodiscard]] status subscribe(std::string_view feed,
                                 const sink_handle& sink);
  /// The feed stays, with its position. Returns when the sink has let go, and
  /// a callback has returned: do not call it from inside one. To an actor of
  /// the application's nothing more is sent then.
  /// @error unknown_feed
  [[nodiscard]] status unsubscribe(std::string_view feed);

  /// How far a feed is, and why it stopped if it did.
  /// @error unknown_feed: not subscribed; timed_out; stopped
  [[nodiscard]] expected<feed_status> status_of(std::string_view feed);
  /// Also which feed keeps the upstream from forgetting, and how much that is.
  /// @error source_unavailable: no source; timed_out; stopped
  [[nodiscard]] expected<source_status> source();
  /// One per partition. @error as `source`
  [[nodiscard]] expected<std::vector<store_status>> log();
  /// Records of the last resets of all dispatchers. @error as `source`
  [[nodiscard]] expected<std::vector<reset_record>> resets();

  /// Stops in order: source, then log, then feeds. Waits until everything
  /// read is durable at the targets, but not longer than `deadline`; then for
  /// its own actors to end, that is for a callback to return.
  /// @returns The tables of which something is not flushed; it comes again
  ///          after the next open.
  [[nodiscard]] std::vector<unflushed_table>
  stop(std::chrono::milliseconds deadline = std::chrono::seconds{10});

  /// The typed handles, for people with actors of their own. Include
  /// actors/service_actors.hpp.
  [[nodiscard]] const service_actors& actors() const;

private:
  struct impl;
  static expected<service> start(service_options options,
                                 caf::actor_system* theirs);
  explicit service(std::unique_ptr<impl> x);
  std::unique_ptr<impl> impl_;
};

} // namespace sluice
