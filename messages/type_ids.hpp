#pragma once

#include <type_traits>

#include <caf/type_id.hpp>

#include "messages/caf_compat.hpp"
#include "messages/interfaces.hpp"

/// The one CAF id block: every type that stands for itself in a message.
/// Append only: the order is part of the protocol between nodes.
CAF_BEGIN_TYPE_ID_BLOCK(sluice, caf::first_custom_type_id)

CAF_ADD_TYPE_ID(sluice, (sluice::error))
CAF_ADD_TYPE_ID(sluice, (sluice::column))
CAF_ADD_TYPE_ID(sluice, (sluice::table_schema))
CAF_ADD_TYPE_ID(sluice, (sluice::ddl_event))
CAF_ADD_TYPE_ID(sluice, (sluice::declare_schemas))
CAF_ADD_TYPE_ID(sluice, (sluice::schemas_declared))
CAF_ADD_TYPE_ID(sluice, (sluice::schema_resolved))
CAF_ADD_TYPE_ID(sluice, (sluice::watch_schemas))
CAF_ADD_TYPE_ID(sluice, (sluice::ddl_notice))
CAF_ADD_TYPE_ID(sluice, (sluice::schema_query))
CAF_ADD_TYPE_ID(sluice, (sluice::schema_answer))
CAF_ADD_TYPE_ID(sluice, (sluice::feed_rules))
CAF_ADD_TYPE_ID(sluice, (sluice::feed_record))
CAF_ADD_TYPE_ID(sluice, (sluice::table_position))
CAF_ADD_TYPE_ID(sluice, (sluice::feed_floor))
CAF_ADD_TYPE_ID(sluice, (sluice::table_info))
CAF_ADD_TYPE_ID(sluice, (sluice::table_noted))
CAF_ADD_TYPE_ID(sluice, (sluice::subscribe_feed))
CAF_ADD_TYPE_ID(sluice, (sluice::add_tables))
CAF_ADD_TYPE_ID(sluice, (sluice::unsubscribe_feed))
CAF_ADD_TYPE_ID(sluice, (sluice::feed_status_query))
CAF_ADD_TYPE_ID(sluice, (sluice::unflushed_table))
CAF_ADD_TYPE_ID(sluice, (sluice::feed_status))
CAF_ADD_TYPE_ID(sluice, (sluice::feed_total))
CAF_ADD_TYPE_ID(sluice, (sluice::credit))
CAF_ADD_TYPE_ID(sluice, (sluice::registration))
CAF_ADD_TYPE_ID(sluice, (sluice::register_dispatchers))
CAF_ADD_TYPE_ID(sluice, (sluice::ready))
CAF_ADD_TYPE_ID(sluice, (sluice::refused))
CAF_ADD_TYPE_ID(sluice, (sluice::unknown_registration))
CAF_ADD_TYPE_ID(sluice, (sluice::remove_dispatchers))
CAF_ADD_TYPE_ID(sluice, (sluice::reset_entry))
CAF_ADD_TYPE_ID(sluice, (sluice::reset_streams))
CAF_ADD_TYPE_ID(sluice, (sluice::reset_record))
CAF_ADD_TYPE_ID(sluice, (sluice::reset_log_query))
CAF_ADD_TYPE_ID(sluice, (sluice::reset_log))
CAF_ADD_TYPE_ID(sluice, (sluice::channel_mark))
CAF_ADD_TYPE_ID(sluice, (sluice::handshake))
CAF_ADD_TYPE_ID(sluice, (sluice::delivery_item))
CAF_ADD_TYPE_ID(sluice, (sluice::delivery))
CAF_ADD_TYPE_ID(sluice, (sluice::schema_change))
CAF_ADD_TYPE_ID(sluice, (sluice::cohort_rows))
CAF_ADD_TYPE_ID(sluice, (sluice::cohort_change))
CAF_ADD_TYPE_ID(sluice, (sluice::cohort_place))
CAF_ADD_TYPE_ID(sluice, (sluice::watermark))
CAF_ADD_TYPE_ID(sluice, (sluice::digest_request))
CAF_ADD_TYPE_ID(sluice, (sluice::digest_entry))
CAF_ADD_TYPE_ID(sluice, (sluice::digest))
CAF_ADD_TYPE_ID(sluice, (sluice::syncpoint))
CAF_ADD_TYPE_ID(sluice, (sluice::expedite))
CAF_ADD_TYPE_ID(sluice, (sluice::stream_checkpoint))
CAF_ADD_TYPE_ID(sluice, (sluice::feed_checkpoint))
CAF_ADD_TYPE_ID(sluice, (sluice::heartbeat))
CAF_ADD_TYPE_ID(sluice, (sluice::attach_source))
CAF_ADD_TYPE_ID(sluice, (sluice::source_attached))
CAF_ADD_TYPE_ID(sluice, (sluice::append_rows))
CAF_ADD_TYPE_ID(sluice, (sluice::rows_appended))
CAF_ADD_TYPE_ID(sluice, (sluice::append_failed))
CAF_ADD_TYPE_ID(sluice, (sluice::source_confirmed))
CAF_ADD_TYPE_ID(sluice, (sluice::attach_shard))
CAF_ADD_TYPE_ID(sluice, (sluice::indexed_block))
CAF_ADD_TYPE_ID(sluice, (sluice::progress))
CAF_ADD_TYPE_ID(sluice, (sluice::progress_taken))
CAF_ADD_TYPE_ID(sluice, (sluice::scan_entry))
CAF_ADD_TYPE_ID(sluice, (sluice::scan_request))
CAF_ADD_TYPE_ID(sluice, (sluice::scan_rows))
CAF_ADD_TYPE_ID(sluice, (sluice::scan_result))
CAF_ADD_TYPE_ID(sluice, (sluice::scan_answer))
CAF_ADD_TYPE_ID(sluice, (sluice::table_floor))
CAF_ADD_TYPE_ID(sluice, (sluice::floor_report))
CAF_ADD_TYPE_ID(sluice, (sluice::open_sink))
CAF_ADD_TYPE_ID(sluice, (sluice::sink_opened))
CAF_ADD_TYPE_ID(sluice, (sluice::write_item))
CAF_ADD_TYPE_ID(sluice, (sluice::write_rows))
CAF_ADD_TYPE_ID(sluice, (sluice::store_watermark))
CAF_ADD_TYPE_ID(sluice, (sluice::rows_released))
CAF_ADD_TYPE_ID(sluice, (sluice::rows_durable))
CAF_ADD_TYPE_ID(sluice, (sluice::sink_failed))
CAF_ADD_TYPE_ID(sluice, (sluice::block_location))
CAF_ADD_TYPE_ID(sluice, (sluice::sync_order))
CAF_ADD_TYPE_ID(sluice, (sluice::read_blocks))
CAF_ADD_TYPE_ID(sluice, (sluice::blocks_read))
CAF_ADD_TYPE_ID(sluice, (sluice::sync_log))
CAF_ADD_TYPE_ID(sluice, (sluice::log_synced))
CAF_ADD_TYPE_ID(sluice, (sluice::remove_segments))
CAF_ADD_TYPE_ID(sluice, (sluice::store_floor))
CAF_ADD_TYPE_ID(sluice, (sluice::tick))
CAF_ADD_TYPE_ID(sluice, (sluice::start_source))
CAF_ADD_TYPE_ID(sluice, (sluice::stop_source))
CAF_ADD_TYPE_ID(sluice, (sluice::source_status_query))
CAF_ADD_TYPE_ID(sluice, (sluice::source_status))
CAF_ADD_TYPE_ID(sluice, (sluice::feeds_loaded))
CAF_ADD_TYPE_ID(sluice, (sluice::feed_removed))
CAF_ADD_TYPE_ID(sluice, (sluice::store_status_query))
CAF_ADD_TYPE_ID(sluice, (sluice::store_status))
CAF_ADD_TYPE_ID(sluice, (sluice::serve_partition))
CAF_ADD_TYPE_ID(sluice, (sluice::watch_tables))
CAF_ADD_TYPE_ID(sluice, (sluice::serve_feeds))
CAF_ADD_TYPE_ID(sluice, (sluice::dispatcher_shard_actor))
CAF_ADD_TYPE_ID(sluice, (sluice::sink_actor))
CAF_ADD_TYPE_ID(sluice, (sluice::collector_shard_actor))
CAF_ADD_TYPE_ID(sluice, (sluice::schema_store_actor))
CAF_ADD_TYPE_ID(sluice, (sluice::acknowledge))
CAF_ADD_TYPE_ID(sluice, (sluice::note_lost))
CAF_ADD_TYPE_ID(sluice, (sluice::lost_noted))
CAF_ADD_TYPE_ID(sluice, (sluice::feed_span))
CAF_ADD_TYPE_ID(sluice, (sluice::feed_grant))
CAF_ADD_TYPE_ID(sluice, (sluice::known_tables))
CAF_ADD_TYPE_ID(sluice, (sluice::rewrite_order))
CAF_ADD_TYPE_ID(sluice, (sluice::log_rewritten))
CAF_ADD_TYPE_ID(sluice, (sluice::segments_removed))
CAF_ADD_TYPE_ID(sluice, (sluice::rewriter_actor))
CAF_ADD_TYPE_ID(sluice, (sluice::late_feed))
CAF_ADD_TYPE_ID(sluice, (sluice::channel_promise))

CAF_END_TYPE_ID_BLOCK(sluice)

namespace caf {
class actor_system_config;
} // namespace caf

namespace sluice {

/// Makes the types known to an actor system that is about to start.
void add_message_types(caf::actor_system_config& config);

} // namespace sluice

/// The build fails for a message type that is not in the block: CAF itself
/// would notice only when the message has crossed a link, and drop it.
namespace sluice::type_id_check {

template <class T, class = void>
struct listed : std::false_type {};
template <class T>
struct listed<T, std::void_t<decltype(caf::type_id<T>::value)>>
  : std::true_type {};
template <>
struct listed<void> : std::true_type {};

template <class Signature>
struct signature_listed;
template <class... In, class... Out>
struct signature_listed<
  caf::typed_mpi<caf::detail::type_list<In...>, caf::output_tuple<Out...>>>
  : std::bool_constant<(listed<In>::value && ...)
                       && (listed<Out>::value && ...)> {};

template <class Signatures>
struct all_listed;
template <class... Signatures>
struct all_listed<caf::detail::type_list<Signatures...>>
  : std::bool_constant<(signature_listed<Signatures>::value && ...)> {};

template <class... Actors>
inline constexpr bool
  interfaces_listed = (all_listed<typename Actors::signatures>::value && ...);

static_assert(
  interfaces_listed<source_actor, event_store_actor, disk_actor, rewriter_actor,
                    schema_store_actor, dispatcher_shard_actor, broker_actor,
                    sink_actor, collector_shard_actor, collector_actor>,
  "a message type of an interface is missing in the id block above");

} // namespace sluice::type_id_check
