#include "actors/service_records.hpp"

#include <random>
#include <utility>

#include "actors/disk.hpp"

namespace sluice {

expected<service_records> service_records::open(const std::string& directory) {
  auto result = service_records{};
  if (!directory.empty()) {
    auto store = checkpoint_store::open(directory);
    if (!store)
      return tl::unexpected(store.error());
    result.durable_ = std::move(*store);
  }
  return result;
}

expected<feed_record> service_records::create_feed(std::string_view name,
                                                   const feed_rules& rules) {
  if (durable_)
    return durable_->create_feed(name, rules);
  for (auto& x : feeds_)
    if (x.name == name) {
      if (x.rules.same_rows(rules)) {
        x.rules.confirm = rules.confirm;
        return x;
      }
      return fail(errc::duplicate_name,
                  "feed \"" + std::string{name}
                    + "\" exists with other tables or another order",
                  "Use its rules, another name, or remove it first.");
    }
  feeds_made_ = {feeds_made_.next()};
  feeds_.push_back({feeds_made_, std::string{name}, rules});
  return feeds_.back();
}

status service_records::remove_feed(std::string_view name) {
  if (durable_)
    return durable_->remove_feed(name);
  std::erase_if(feeds_, [&](const auto& x) { return x.name == name; });
  return {};
}

expected<std::vector<feed_record>> service_records::feeds() {
  if (durable_)
    return durable_->feeds();
  return feeds_;
}

expected<std::string> service_records::directory_id() {
  if (!durable_)
    return std::string{};
  constexpr auto key = "sluice:directory";
  auto noted = durable_->note("", key);
  if (!noted)
    return tl::unexpected(noted.error());
  if (*noted)
    return **noted;
  auto random = std::random_device{};
  auto id = std::string{};
  while (id.size() < 32)
    id += "0123456789abcdef"[random() % 16];
  if (auto done = durable_->set_note("", key, id); !done)
    return tl::unexpected(done.error());
  return id;
}

expected<incarnation> service_records::next_incarnation(std::string_view name) {
  if (durable_)
    return durable_->next_incarnation(name);
  return incarnation{1};
}

status service_records::keep_partitions(const std::string& source,
                                        std::size_t partitions) {
  if (!durable_)
    return {};
  auto noted = durable_->note(source, "sluice:partitions");
  if (!noted)
    return tl::unexpected(noted.error());
  auto now = std::to_string(partitions);
  if (!*noted)
    return durable_->set_note(source, "sluice:partitions", now);
  if (**noted == now)
    return {};
  return fail(errc::invalid_option,
              "partitions is " + now + ", but the log was made with " + **noted,
              "Set it to " + **noted
                + ", or give the service another"
                  " directory.");
}

expected<feeds_loaded> service_records::known_to(partition_id partition) {
  auto result = feeds_loaded{};
  auto all = feeds();
  if (!all)
    return tl::unexpected(all.error());
  result.feeds = std::move(*all);
  if (!durable_)
    return result;
  auto floors = durable_->floors();
  if (!floors)
    return tl::unexpected(floors.error());
  auto tables = durable_->tables();
  if (!tables)
    return tl::unexpected(tables.error());
  auto lost = lost_rows(*durable_, partition);
  if (!lost)
    return tl::unexpected(lost.error());
  result.floors = std::move(*floors);
  result.lost = std::move(*lost);
  for (auto& x : *tables)
    result.tables.push_back({x.id, std::move(x.name), {}, {}});
  return result;
}

} // namespace sluice
