#include "actors/disk.hpp"

#include <charconv>

#include <caf/typed_event_based_actor.hpp>

#include "messages/type_ids.hpp"

namespace sluice {

namespace {

using pointer = disk_actor::stateful_pointer<disk_data>;

std::string log_name(partition_id partition) {
  return "log:" + std::to_string(partition.value);
}

std::string lost_key(table_id table) {
  return "lost:" + std::to_string(table.value);
}

blocks_read read(disk_data& data, const read_blocks& message) {
  auto result = blocks_read{message.ticket, {}, {}};
  for (const auto& at : message.at) {
    auto block = data.log->read(at);
    result.failures.push_back(block ? error{} : block.error());
    result.blocks.push_back(block ? std::move(*block) : nullptr);
  }
  return result;
}

log_synced sync(disk_data& data, const sync_log& message) {
  auto done = data.log->sync(message.order);
  return {message.order, done ? error{} : done.error()};
}

// Null when this service keeps no notes.
expected<checkpoint_store*> notes(disk_data& data) {
  if (data.options.directory.empty())
    return nullptr;
  if (!data.notes) {
    auto opened = checkpoint_store::open(data.options.directory);
    if (!opened)
      return tl::unexpected{std::move(opened.error())};
    data.notes.emplace(std::move(*opened));
  }
  return &*data.notes;
}

// What is noted gives room back, so it gets what room is kept.
template <class Call>
status with_room(disk_data& data, Call call) {
  auto done = call();
  while (!done && done.error().code == errc::disk_full && data.log->make_room())
    done = call();
  return done;
}

// Notes the rows that are about to go.
status note(disk_data& data, const std::vector<table_floor>& lost) {
  auto store = notes(data);
  if (!store)
    return tl::unexpected{std::move(store.error())};
  if (*store == nullptr)
    return {};
  auto all = std::vector<checkpoint_store::key_value>{};
  for (const auto& x : lost)
    all.push_back({lost_key(x.table), std::to_string(x.floor.value)});
  return (*store)->set_notes(log_name(data.options.partition), all);
}

lost_noted note(disk_data& data, const note_lost& message) {
  auto done = with_room(data, [&] { return note(data, message.lost); });
  return {message.lost, done ? error{} : done.error(), message.rewrite};
}

// What fails is tried again with the next files.
segments_removed remove(disk_data& data, const remove_segments& message) {
  auto& undeleted = data.undeleted;
  undeleted.insert(undeleted.end(), message.segments.begin(),
                   message.segments.end());
  auto done = data.log->remove(undeleted);
  if (done)
    undeleted.clear();
  return {done ? error{} : done.error()};
}

// A floor that could not be stored is covered by the next one: floors rise.
void store(disk_data& data, const feed_floor& floor) {
  (void) with_room(data, [&]() -> status {
    auto store = notes(data);
    if (!store)
      return tl::unexpected{std::move(store.error())};
    return *store == nullptr ? status{} : (*store)->store_floor(floor);
  });
}

} // namespace

disk_actor::behavior_type disk(disk_actor::stateful_pointer<disk_data> self,
                               disk_options options,
                               std::shared_ptr<log_disk> log) {
  self->state.options = std::move(options);
  self->state.log = std::move(log);
  auto reply = [self](auto&& message) {
    auto to = caf::actor_cast<event_store_actor>(self->current_sender());
    if (to != nullptr)
      self->send(to, std::move(message));
  };
  return {
    [=](const read_blocks& message) { reply(read(self->state, message)); },
    [=](const sync_log& message) { reply(sync(self->state, message)); },
    [=](const note_lost& message) { reply(note(self->state, message)); },
    [=](const remove_segments& message) {
      reply(remove(self->state, message));
    },
    [=](const store_floor& message) { store(self->state, message.floor); },
  };
}

expected<std::vector<table_floor>> lost_rows(checkpoint_store& notes,
                                             partition_id partition) {
  auto tables = notes.tables();
  if (!tables)
    return tl::unexpected{std::move(tables.error())};
  auto result = std::vector<table_floor>{};
  for (const auto& table : *tables) {
    auto note = notes.note(log_name(partition), lost_key(table.id));
    if (!note)
      return tl::unexpected{std::move(note.error())};
    if (!*note)
      continue;
    auto lost = timestamp{};
    std::from_chars((*note)->data(), (*note)->data() + (*note)->size(),
                    lost.value);
    result.push_back({table.id, lost});
  }
  return result;
}

} // namespace sluice
