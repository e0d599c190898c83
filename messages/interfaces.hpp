#pragma once

#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include "messages/append.hpp"
#include "messages/control.hpp"
#include "messages/credit.hpp"
#include "messages/delivery.hpp"
#include "messages/disk.hpp"
#include "messages/feed.hpp"
#include "messages/heartbeat.hpp"
#include "messages/registration.hpp"
#include "messages/reset.hpp"
#include "messages/scan.hpp"
#include "messages/schema.hpp"
#include "messages/sink.hpp"
#include "messages/watermark.hpp"

/// Every typed actor, in the order an event meets them. A handler without an
/// answer is one-way: what comes back is a message of its own, named in the
/// comment. The structs say what each field means.
namespace sluice {

/// SOURCE: reads one upstream database and appends its rows.
/// Detached: its connector blocks.
using source_actor = caf::typed_actor<
  // From SERVICE: begin.
  caf::reacts_to<start_source>,
  // From EVENT_STORE: where a partition stands; reading starts at the lowest.
  caf::reacts_to<source_attached>,
  // From EVENT_STORE: the window moves.
  caf::reacts_to<rows_appended>,
  // From EVENT_STORE: attach again and resume.
  caf::reacts_to<append_failed>,
  // From EVENT_STORE: may be forgotten upstream, once all partitions say so.
  caf::reacts_to<source_confirmed>,
  // From SCHEMA_STORE: rows of those versions may be appended.
  caf::reacts_to<schemas_declared>,
  // INTERNAL: read again.
  caf::reacts_to<tick>,
  // From SERVICE: read no further; answered when the log has everything read.
  caf::replies_to<stop_source>::with<source_status>,
  // From anybody.
  caf::replies_to<source_status_query>::with<source_status>>;

/// EVENT_STORE: keeps the rows of one partition until nobody needs them.
using event_store_actor = caf::typed_actor<
  // From SOURCE. Answered by source_attached.
  caf::reacts_to<attach_source>,
  // From SOURCE. Answered by rows_appended or append_failed (stale_source,
  // append_out_of_order, disk_full, log_io), on a full disk when there is room
  // again; later by source_confirmed.
  caf::reacts_to<append_rows>,
  // From DISPATCHER_SHARD: answered by progress, from then on by itself.
  caf::reacts_to<attach_shard>,
  // From DISPATCHER_SHARD: the next progress may be sent.
  caf::reacts_to<progress_taken>,
  // From DISPATCHER_SHARD. Answered by scan_answer; never empty for a range
  // that could not be read: out_of_range, log_corrupt, log_io say so.
  caf::reacts_to<scan_request>,
  // From DISPATCHER_SHARD: a feed's floors.
  caf::reacts_to<floor_report>,
  // From SERVICE: which feeds there are; floors may move.
  caf::reacts_to<feeds_loaded>,
  // From SERVICE.
  caf::reacts_to<feed_removed>,
  // From SOURCE: names of tables, before their first rows.
  caf::reacts_to<known_tables>,
  // From DISK: results of what blocks.
  caf::reacts_to<blocks_read>, caf::reacts_to<log_synced>,
  caf::reacts_to<lost_noted>, caf::reacts_to<segments_removed>,
  // From REWRITER.
  caf::reacts_to<log_rewritten>,
  // INTERNAL: time to sync, to release, to store floors, to append again.
  caf::reacts_to<tick>,
  // From anybody.
  caf::replies_to<store_status_query>::with<store_status>>;

/// DISK: an event store's helper for what blocks. Detached.
using disk_actor = caf::typed_actor<
  // From EVENT_STORE. Answered by blocks_read.
  caf::reacts_to<read_blocks>,
  // From EVENT_STORE. Answered by log_synced.
  caf::reacts_to<sync_log>,
  // From EVENT_STORE. Answered by lost_noted.
  caf::reacts_to<note_lost>,
  // From EVENT_STORE. Answered by segments_removed; what fails is tried again
  // with the next one.
  caf::reacts_to<remove_segments>,
  // From EVENT_STORE: not answered.
  caf::reacts_to<store_floor>>;

/// REWRITER: an event store's helper that leaves out what nobody needs of old
/// segments. Detached, beside DISK, which goes on to read and sync meanwhile.
using rewriter_actor = caf::typed_actor<
  // From EVENT_STORE. Answered by log_rewritten.
  caf::reacts_to<rewrite_order>,
  // INTERNAL: the next step.
  caf::reacts_to<tick>>;

/// SCHEMA_STORE: the tables of one upstream, by ts. Detached: it writes.
using schema_store_actor = caf::typed_actor<
  // From SOURCE. Answered by schemas_declared when all of it is durable and
  // every watcher has it.
  caf::reacts_to<declare_schemas>,
  // From SOURCE: passed on to the watchers.
  caf::reacts_to<schema_resolved>,
  // From DISPATCHER_SHARD: answered by schema_resolved, then by every
  // ddl_notice and schema_resolved.
  caf::reacts_to<watch_schemas>,
  // From COLLECTOR: answered by known_tables, of new tables again.
  caf::reacts_to<watch_tables>,
  // From COLLECTOR: it holds that table's feeds back.
  caf::reacts_to<table_noted>,
  // From DISPATCHER_SHARD. Answered by schema_answer (none, unknown_table,
  // table_deleted) as soon as the schema's resolved reaches query.at.
  caf::reacts_to<schema_query>>;

/// DISPATCHER_SHARD: owns the state of its dispatchers: one partition's
/// streams to one collector shard. The only sender of their events.
using dispatcher_shard_actor = caf::typed_actor<
  // From EVENT_STORE: the log grew. Answered by progress_taken.
  caf::reacts_to<progress>,
  // From EVENT_STORE: rows for those who are behind.
  caf::reacts_to<scan_answer>,
  // From SCHEMA_STORE.
  caf::reacts_to<ddl_notice>, caf::reacts_to<schema_resolved>,
  caf::reacts_to<schema_answer>,
  // From COLLECTOR_SHARD by way of BROKER. Answered by ready or refused. The
  // first of a new connection voids the one before it.
  caf::reacts_to<register_dispatchers>,
  // From COLLECTOR_SHARD. Answered by handshake, refused, or
  // unknown_registration.
  caf::reacts_to<reset_streams>,
  // From COLLECTOR_SHARD.
  caf::reacts_to<remove_dispatchers>,
  // From COLLECTOR_SHARD.
  caf::reacts_to<heartbeat>,
  // From COLLECTOR_SHARD: those who waited for credit go on.
  caf::reacts_to<credit>,
  // From COLLECTOR_SHARD. Answered by digest.
  caf::reacts_to<digest_request>,
  // INTERNAL: repeat what was not acknowledged.
  caf::reacts_to<tick>,
  // From anybody.
  caf::replies_to<reset_log_query>::with<reset_log>>;

/// BROKER: knows which dispatcher shard serves a partition; answers for what
/// nobody serves.
using broker_actor = caf::typed_actor<
  // From SERVICE.
  caf::reacts_to<serve_partition, dispatcher_shard_actor>,
  // From COLLECTOR_SHARD: passed on to the partition's shard. Answered by
  // refused(stopped) per entry when nobody serves the partition.
  caf::reacts_to<register_dispatchers>,
  // From COLLECTOR_SHARD, before it knows the shard: passed on.
  caf::reacts_to<remove_dispatchers>>;

/// SINK: makes the rows of one feed durable at its target, in the order
/// given. Detached: its connector blocks.
using sink_actor = caf::typed_actor<
  // From COLLECTOR_SHARD. Answered by sink_opened or sink_failed.
  caf::reacts_to<open_sink>,
  // From COLLECTOR_SHARD. Answered by rows_released and rows_durable, for
  // several at a time, or by sink_failed.
  caf::reacts_to<write_rows>,
  // From COLLECTOR_SHARD. Answered by rows_durable.
  caf::reacts_to<store_watermark>,
  // From the consumer's code, when it takes rows by callback.
  caf::reacts_to<acknowledge>,
  // INTERNAL: commit what was written.
  caf::reacts_to<tick>>;

/// COLLECTOR_SHARD: owns the streams of its feeds and their progress.
using collector_shard_actor = caf::typed_actor<
  // From COLLECTOR: deliver a feed to this sink.
  caf::reacts_to<subscribe_feed, sink_actor>,
  // From COLLECTOR. Answered by table_noted per table.
  caf::reacts_to<add_tables>,
  // From COLLECTOR.
  caf::reacts_to<unsubscribe_feed>,
  // From DISPATCHER_SHARD: the answers to REGISTER ...
  caf::reacts_to<ready>, caf::reacts_to<refused>,
  caf::reacts_to<unknown_registration>,
  // ... and what comes down the channel.
  caf::reacts_to<handshake>, caf::reacts_to<delivery>,
  caf::reacts_to<schema_change>, caf::reacts_to<watermark>,
  caf::reacts_to<digest>, caf::reacts_to<syncpoint>,
  // From SINK.
  caf::reacts_to<sink_opened>, caf::reacts_to<rows_released>,
  caf::reacts_to<rows_durable>, caf::reacts_to<sink_failed>,
  // INTERNAL: timers of registrations, resets, heartbeats, sinks.
  caf::reacts_to<tick>,
  // From anybody. Errors in the answer: unknown_feed.
  caf::replies_to<feed_status_query>::with<feed_status>>;

/// COLLECTOR: knows the tables and the feeds of its node and which collector
/// shard serves a feed.
using collector_actor = caf::typed_actor<
  // From SERVICE.
  caf::reacts_to<serve_feeds, collector_shard_actor>,
  // From SERVICE: a new upstream.
  caf::reacts_to<watch_tables, schema_store_actor>,
  // From SERVICE: start delivering.
  caf::reacts_to<subscribe_feed, sink_actor>,
  // From SERVICE.
  caf::reacts_to<unsubscribe_feed>,
  // From SCHEMA_STORE. Answered by table_noted per table, once every feed that
  // wants it holds it back.
  caf::reacts_to<known_tables>,
  // From COLLECTOR_SHARD: it does.
  caf::reacts_to<table_noted>,
  // From anybody: passed on to the feed's shard.
  caf::replies_to<feed_status_query>::with<feed_status>>;

} // namespace sluice
