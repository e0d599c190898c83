#include "store/checkpoint_store_impl.hpp"

namespace sluice {

// -- impl ---------------------------------------------------------------------

expected<std::uint64_t>
checkpoint_store::impl::next_number(std::string_view kind,
                                    std::string_view name) {
  std::uint64_t result = 0;
  auto done = db->run(
    "INSERT INTO numbers(kind, name, value) VALUES (?1, ?2, 1) "
    "ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value",
    [&](auto& x) { x.bind_text(1, kind).bind_text(2, name); },
    [&](auto& row) { result = row.unsigned_integer(0); });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

expected<std::uint64_t>
checkpoint_store::impl::latest_number(std::string_view kind,
                                      std::string_view name) {
  std::uint64_t result = 0;
  auto done = db->run(
    "SELECT value FROM numbers WHERE kind = ?1 AND name = ?2",
    [&](auto& x) { x.bind_text(1, kind).bind_text(2, name); },
    [&](auto& row) { result = row.unsigned_integer(0); });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

expected<std::optional<feed_record>>
checkpoint_store::impl::find_feed(std::string_view name) {
  auto result = std::optional<feed_record>{};
  auto done = db->run(
    "SELECT id FROM feeds WHERE name = ?1",
    [&](auto& x) { x.bind_text(1, name); },
    [&](auto& row) {
      result = feed_record{{row.unsigned_integer(0)}, std::string{name}, {}};
    });
  if (done && result)
    done = load_rules(*result);
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

status checkpoint_store::impl::load_rules(feed_record& feed) {
  feed.rules = {{}, {}};
  auto known = false;
  auto done = db->run(
    "SELECT ordering, confirm FROM feeds WHERE id = ?1",
    [&](auto& x) { x.bind_unsigned(1, feed.id.value); },
    [&](auto& row) {
      feed.rules.order = static_cast<feed_order>(row.integer(0));
      known = feed.rules.order == feed_order::table
              || feed.rules.order == feed_order::transaction;
      feed.rules.confirm = static_cast<confirm_level>(row.integer(1));
      known = known
              && (feed.rules.confirm == confirm_level::log
                  || feed.rules.confirm == confirm_level::sinks);
    });
  if (done && !known)
    return fail(errc::log_corrupt,
                db->path() + ": feed \"" + feed.name
                  + "\" has no order or no level of confirming");
  if (!done)
    return done;
  return db->run(
    "SELECT excluded, pattern FROM feed_patterns WHERE feed = ?1 "
    "ORDER BY excluded, place",
    [&](auto& x) { x.bind_unsigned(1, feed.id.value); },
    [&](auto& row) {
      auto& to = row.integer(0) == 0 ? feed.rules.include : feed.rules.exclude;
      to.emplace_back(row.text(1));
    });
}

status checkpoint_store::impl::store_rules(const feed_record& feed) {
  for (auto excluded : {0, 1}) {
    const auto& list = excluded == 0 ? feed.rules.include : feed.rules.exclude;
    for (std::size_t i = 0; i < list.size(); ++i) {
      auto done = db->run("INSERT INTO feed_patterns VALUES (?1, ?2, ?3, ?4)",
                          [&](auto& x) {
                            x.bind_unsigned(1, feed.id.value)
                              .bind_integer(2, excluded)
                              .bind_unsigned(3, i)
                              .bind_text(4, list[i]);
                          });
      if (!done)
        return done;
    }
  }
  return {};
}

status checkpoint_store::impl::insert_feed(feed_record& feed) {
  auto done = db->run(
    "INSERT INTO feeds(name, ordering, confirm) VALUES (?1, ?2, ?3)",
    [&](auto& x) {
      x.bind_text(1, feed.name)
        .bind_integer(2, static_cast<std::int64_t>(feed.rules.order))
        .bind_integer(3, static_cast<std::int64_t>(feed.rules.confirm));
    });
  if (!done)
    return done;
  feed.id = {static_cast<std::uint64_t>(db->last_insert_id())};
  return store_rules(feed);
}

status checkpoint_store::impl::store_confirm(const feed_record& feed) {
  return db->run("UPDATE feeds SET confirm = ?2 WHERE id = ?1", [&](auto& x) {
    x.bind_unsigned(1, feed.id.value)
      .bind_integer(2, static_cast<std::int64_t>(feed.rules.confirm));
  });
}

expected<bool> checkpoint_store::impl::feed_exists(feed_id feed) {
  auto result = false;
  auto done = db->run(
    "SELECT 1 FROM feeds WHERE id = ?1",
    [&](auto& x) { x.bind_unsigned(1, feed.value); },
    [&](auto&) { result = true; });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

/// @pre In a transaction.
expected<table_id> checkpoint_store::impl::table_of(std::string_view source,
                                                    std::string_view name) {
  auto bind = [&](auto& x) { x.bind_text(1, source).bind_text(2, name); };
  auto result = table_id{};
  auto done = db->run("SELECT id FROM tables WHERE source = ?1 AND name = ?2",
                      bind,
                      [&](auto& row) { result = {row.unsigned_integer(0)}; });
  if (done && !result) {
    done = db->run("INSERT INTO tables(source, name) VALUES (?1, ?2)", bind);
    result = {static_cast<std::uint64_t>(db->last_insert_id())};
  }
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

// -- checkpoint_store ---------------------------------------------------------

checkpoint_store::checkpoint_store(std::unique_ptr<impl> x)
  : impl_{std::move(x)} {
  // nop
}

checkpoint_store::checkpoint_store(checkpoint_store&&) noexcept = default;
checkpoint_store&
checkpoint_store::operator=(checkpoint_store&&) noexcept = default;
checkpoint_store::~checkpoint_store() = default;

expected<checkpoint_store>
checkpoint_store::open(const std::string& directory) {
  auto db = open_meta_db(directory);
  if (!db)
    return tl::unexpected{std::move(db.error())};
  auto result = std::make_unique<impl>();
  result->db = std::move(*db);
  return checkpoint_store{std::move(result)};
}

// -- feeds --------------------------------------------------------------------

expected<feed_record> checkpoint_store::create_feed(std::string_view name,
                                                    const feed_rules& rules) {
  auto guard = sqlite_transaction::begin(*impl_->db);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  auto found = impl_->find_feed(name);
  if (!found)
    return tl::unexpected{std::move(found.error())};
  if (*found && (*found)->rules == rules)
    return **found;
  if (*found && !(*found)->rules.same_rows(rules))
    return fail(errc::duplicate_name,
                "feed \"" + std::string{name}
                  + "\" exists with other tables or another order",
                "Use its rules, another name, or remove it first.");
  auto result = feed_record{{}, std::string{name}, rules};
  auto done = status{};
  if (*found) {
    result.id = (*found)->id;
    done = impl_->store_confirm(result);
  } else {
    done = impl_->insert_feed(result);
  }
  if (done)
    done = guard->commit();
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

status checkpoint_store::remove_feed(std::string_view name) {
  auto guard = sqlite_transaction::begin(*impl_->db);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  auto found = impl_->find_feed(name);
  if (!found)
    return tl::unexpected{std::move(found.error())};
  if (!*found)
    return fail(errc::unknown_feed, '"' + std::string{name} + '"');
  for (const auto* sql : {"DELETE FROM feeds WHERE id = ?1",
                          "DELETE FROM feed_patterns WHERE feed = ?1",
                          "DELETE FROM floors WHERE feed = ?1",
                          "DELETE FROM floor_exceptions WHERE feed = ?1",
                          "DELETE FROM positions WHERE feed = ?1",
                          "DELETE FROM watermarks WHERE feed = ?1"}) {
    auto id = (*found)->id.value;
    auto done = impl_->db->run(sql, [id](auto& x) { x.bind_unsigned(1, id); });
    if (!done)
      return done;
  }
  // numbers stay: a feed of the same name must not get an old incarnation.
  return guard->commit();
}

expected<std::vector<feed_record>> checkpoint_store::feeds() {
  auto guard = sqlite_transaction::begin(*impl_->db,
                                         sqlite_transaction::mode::deferred);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  auto result = std::vector<feed_record>{};
  auto done = impl_->db->run(
    "SELECT id, name FROM feeds ORDER BY id", nothing_bound, [&](auto& row) {
      result.push_back(
        {{row.unsigned_integer(0)}, std::string{row.text(1)}, {}});
    });
  for (auto& feed : result)
    if (done)
      done = impl_->load_rules(feed);
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

// -- numbers and notes --------------------------------------------------------

expected<std::vector<table_id>>
checkpoint_store::tables_of(std::string_view source,
                            const std::vector<std::string>& names) {
  auto guard = sqlite_transaction::begin(*impl_->db);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  auto result = std::vector<table_id>{};
  result.reserve(names.size());
  for (const auto& name : names) {
    auto id = impl_->table_of(source, name);
    if (!id)
      return tl::unexpected{std::move(id.error())};
    result.push_back(*id);
  }
  if (auto done = guard->commit(); !done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

expected<std::vector<table_record>> checkpoint_store::tables() {
  auto result = std::vector<table_record>{};
  auto done = impl_->db->run("SELECT id, source, name FROM tables ORDER BY id",
                             nothing_bound, [&](auto& row) {
                               result.push_back({{row.unsigned_integer(0)},
                                                 std::string{row.text(1)},
                                                 std::string{row.text(2)}});
                             });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

expected<generation>
checkpoint_store::next_generation(std::string_view source) {
  return impl_->next_number("generation", source).map([](auto x) {
    return generation{x};
  });
}

expected<incarnation>
checkpoint_store::next_incarnation(std::string_view name) {
  return impl_->next_number("incarnation", name).map([](auto x) {
    return incarnation{x};
  });
}

expected<std::optional<std::string>>
checkpoint_store::note(std::string_view source, std::string_view key) {
  auto result = std::optional<std::string>{};
  auto done = impl_->db->run(
    "SELECT value FROM notes WHERE source = ?1 AND key = ?2",
    [&](auto& x) { x.bind_text(1, source).bind_text(2, key); },
    [&](auto& row) { result = std::string{row.blob(0)}; });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

status checkpoint_store::set_note(std::string_view source, std::string_view key,
                                  std::string_view value) {
  return impl_->db->run(
    "INSERT OR REPLACE INTO notes VALUES (?1, ?2, ?3)", [&](auto& x) {
      x.bind_text(1, source).bind_text(2, key).bind_blob(3, value);
    });
}

status checkpoint_store::set_notes(std::string_view source,
                                   const std::vector<key_value>& notes) {
  auto guard = sqlite_transaction::begin(*impl_->db);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  for (const auto& x : notes)
    if (auto done = set_note(source, x.key, x.value); !done)
      return done;
  return guard->commit();
}

} // namespace sluice
