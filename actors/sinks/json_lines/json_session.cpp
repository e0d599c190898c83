#include "actors/sinks/json_lines/json_session.hpp"

#include <algorithm>
#include <utility>

#include "messages/block_ranges.hpp"

namespace sluice {

namespace {

// Lines are kept back until a commit, or until they are this many bytes.
constexpr auto pending_bytes_max = std::size_t{1} << 20;

} // namespace

json_session::json_session(std::unique_ptr<line_file> file,
                           std::unique_ptr<json_progress> progress,
                           change_encoder encoder,
                           const json_lines_options& options)
  : options_{options}, file_{std::move(file)}, progress_{std::move(progress)},
    encoder_{std::move(encoder)} {
  for (const auto& x : opened().positions)
    reached_.emplace(x.table, x);
}

expected<std::unique_ptr<json_session>>
json_session::open(const feed_record& feed, const json_lines_options& options) {
  auto file = line_file::open(options.path);
  if (!file)
    return tl::unexpected{std::move(file.error())};
  auto size = (*file)->size();
  if (!size)
    return tl::unexpected{std::move(size.error())};
  auto progress = json_progress::open(feed, options.path + ".state",
                                      options.sync, *size > 0);
  if (!progress)
    return tl::unexpected{std::move(progress.error())};
  auto ready = (*file)->go_on_at((*progress)->committed_bytes());
  if (ready && options.sync && (*progress)->is_new())
    ready = (*file)->sync_directory();
  if (!ready)
    return tl::unexpected{std::move(ready.error())};
  auto source = envelope_source{envelope_version(), options.connector,
                                options.name.empty() ? feed.name : options.name,
                                options.db};
  return std::unique_ptr<json_session>(
    new json_session(std::move(*file), std::move(*progress),
                     change_encoder{std::move(source)}, options));
}

row_cursor json_session::barrier_of(table_id table) const {
  auto result = row_cursor{};
  for (auto x : {table, all_tables})
    if (auto found = reached_.find(x); found != reached_.end())
      result = std::max(result, found->second.cursor);
  return result;
}

status json_session::write(const sink_rows& rows) {
  if (rows.count == 0)
    return {};
  auto table = rows.schema->table;
  auto end = rows.first + rows.count;
  auto now = options_.clock();
  auto known = rows_up_to(*rows.block, rows.first, rows.count,
                          barrier_of(table));
  for (auto i = rows.first + known; i < end; ++i) {
    auto row = rows.block->grouped(i);
    auto done = encoder_.append(*rows.schema, row, now, file_->pending());
    if (done && file_->pending().size() >= pending_bytes_max)
      done = file_->flush();
    if (!done)
      return done;
    auto& reached =
      reached_.try_emplace(table, table_position{table, {}, {}}).first->second;
    reached.cursor = row.cursor();
    written_.insert(table);
  }
  return {};
}

// First the lines, then what says that they count.
status json_session::commit(const std::vector<table_position>& positions,
                            std::optional<timestamp> low_watermark) {
  auto work = progress_->begin();
  if (!work)
    return tl::unexpected{std::move(work.error())};
  auto done = file_->check_place();
  if (done)
    done = file_->flush();
  if (done && options_.sync && file_->length() > progress_->committed_bytes())
    done = file_->sync();
  if (done)
    done = progress_->finish(*work, file_->length(), take_positions(positions),
                             low_watermark);
  if (done)
    written_.clear();
  return done;
}

std::vector<table_position>
json_session::take_positions(const std::vector<table_position>& positions) {
  auto result = std::vector<table_position>{};
  for (const auto& x : positions) {
    auto& reached = reached_.try_emplace(x.table, x).first->second;
    reached.checkpoint = x.checkpoint;
    // What was written here counts, whatever the caller knows of it.
    reached.cursor = std::max(reached.cursor, x.cursor);
    result.push_back(reached);
    written_.erase(x.table);
  }
  for (auto table : written_)
    result.push_back(reached_.at(table));
  return result;
}

} // namespace sluice
