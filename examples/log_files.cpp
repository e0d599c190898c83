#include "log_files.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>

#include "store/read_only_ops.hpp"
#include "store/segment_directory.hpp"
#include "store/spool_scan.hpp"

namespace log_files {

namespace fs = std::filesystem;
using namespace sluice;

// -- where they are -----------------------------------------------------------

namespace {

bool is_log(const fs::path& x) {
  auto problem = std::error_code{};
  if (fs::exists(x / "store", problem))
    return true;
  auto i = fs::directory_iterator{x, problem};
  return !problem && std::any_of(begin(i), end(i), [](const auto& entry) {
    return entry.path().extension() == ".seg";
  });
}

std::vector<fs::path> directories_in(const fs::path& x) {
  auto result = std::vector<fs::path>{};
  auto problem = std::error_code{};
  for (const auto& entry : fs::directory_iterator{x, problem})
    if (entry.is_directory(problem))
      result.push_back(entry.path());
  std::sort(result.begin(), result.end());
  return result;
}

// <state>/log/<source>/<partition>
log_place place_of(const fs::path& log) {
  auto whole = fs::absolute(log).lexically_normal();
  if (!whole.has_filename())
    whole = whole.parent_path();
  auto state = whole.parent_path().parent_path().parent_path();
  auto problem = std::error_code{};
  if (!fs::exists(state / "meta.db", problem))
    return {log.string(), {}, {}};
  return {log.string(), whole.parent_path().filename().string(),
          state.string()};
}

} // namespace

expected<std::vector<log_place>> find(const std::string& directory) {
  if (is_log(directory))
    return std::vector{place_of(directory)};
  auto result = std::vector<log_place>{};
  for (const auto& source : directories_in(fs::path{directory} / "log"))
    for (const auto& partition : directories_in(source))
      if (is_log(partition))
        result.push_back(place_of(partition));
  if (result.empty())
    return fail(errc::invalid_option, directory + ": has no log",
                "Name the directory of a service, or that of one log.");
  return result;
}

// -- verify -------------------------------------------------------------------

namespace {

// Where what was never synced, and cannot be read, begins.
std::optional<std::uint64_t> torn_at(const scanned_segment& file,
                                     block_index durable) {
  for (const auto& x : file.batches)
    if (has_rows(x.header.kind) && !x.sound && x.header.last > durable)
      return x.offset;
  return file.unread_at_end;
}

void add_torn(const scanned_segment& file, block_index durable, findings& to) {
  auto at = torn_at(file, durable);
  auto where = file.path + ": byte " + std::to_string(at.value_or(0)) + ':';
  auto is_lost = std::any_of(
    to.lost.begin(), to.lost.end(),
    [&](const lost_blocks& x) { return x.why.starts_with(where); });
  if (at && !is_lost)
    to.torn.push_back({file.path, *at, file.size - *at});
}

void add_parts(const kept_segment& segment, findings& to) {
  for (const auto& part : segment.parts) {
    if (part.batch == nullptr) {
      to.lost.push_back({part.why, to.last, {}});
      continue;
    }
    if (part.batch->reference != nullptr)
      to.named.insert(part.batch->reference->spool);
    if (!has_rows(part.batch->header.kind))
      continue;
    const auto& x = part.batch->summary;
    for (auto i = to.lost.rbegin(); i != to.lost.rend() && !i->before; ++i)
      i->before = x.first;
    ++to.blocks;
    to.rows += x.rows;
    to.last = x.last;
  }
}

// What a start deletes; where blocks are lost it deletes none.
status add_spools(const std::string& directory, findings& to) {
  auto ops = std::make_shared<read_only_ops>();
  auto spools = list_spools(ops, directory);
  if (!spools)
    return tl::unexpected{std::move(spools.error())};
  for (auto spool : *spools) {
    auto path = segment_path(directory, spool);
    auto problem = std::error_code{};
    if (to.lost.empty() && !to.named.contains(spool))
      to.spools.push_back({path, fs::file_size(path, problem)});
  }
  return {};
}

expected<std::vector<scanned_segment>>
scan_files(const std::shared_ptr<file_ops>& ops, const std::string& directory) {
  auto numbers = list_segments(ops, directory);
  if (!numbers)
    return tl::unexpected{std::move(numbers.error())};
  auto uuid = store_identity(ops, directory, *numbers);
  if (!uuid)
    return tl::unexpected{std::move(uuid.error())};
  return scan_segments(ops, directory, *numbers, *uuid);
}

} // namespace

expected<findings> examine(const log_place& at) {
  // Whether it opens is the engine's to say, and it keeps others out.
  auto log = open(at);
  if (!log)
    return tl::unexpected{std::move(log.error())};
  auto files = scan_files(std::make_shared<read_only_ops>(), at.directory);
  if (!files)
    return tl::unexpected{std::move(files.error())};
  auto verdict = judge(*files, at.directory);
  if (!verdict)
    return tl::unexpected{std::move(verdict.error())};
  auto result = findings{};
  for (const auto& segment : verdict->kept)
    add_parts(segment, result);
  for (const auto& file : *files)
    add_torn(file, verdict->durable, result);
  if (auto done = add_spools(at.directory, result); !done)
    return tl::unexpected{std::move(done.error())};
  result.segments = verdict->kept.size();
  return result;
}

// -- reading ------------------------------------------------------------------

namespace {

// Schemas of a copy of meta.db: to open it is to write beside it.
std::optional<table_history> read_schemas(const log_place& at) {
  auto name = (fs::temp_directory_path() / "sluice-log-XXXXXX").string();
  if (at.state.empty() || ::mkdtemp(name.data()) == nullptr)
    return {};
  auto problem = std::error_code{};
  for (const auto* file : {"meta.db", "meta.db-wal"})
    fs::copy_file(fs::path{at.state} / file, fs::path{name} / file, problem);
  auto result = table_history::open(name, at.source);
  fs::remove_all(name, problem); // it is in memory, and open files stay
  if (!result)
    return {};
  return std::move(*result);
}

} // namespace

expected<opened_log> open(const log_place& at) {
  auto engine = segment_log::open(
    {at.directory, 64ULL << 20, 0, std::make_shared<read_only_ops>()});
  if (!engine)
    return tl::unexpected{std::move(engine.error())};
  return opened_log{std::move(*engine), read_schemas(at)};
}

std::string opened_log::name_of(table_id table) const {
  auto number = std::to_string(table.value);
  if (schemas)
    if (auto schema = schemas->at(table, timestamp::max()))
      return (*schema)->name + " (" + number + ")";
  return number;
}

expected<table_id> opened_log::table_of(const std::string& name) const {
  if (name.empty())
    return all_tables;
  auto number = std::uint64_t{0};
  auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(),
                                        number);
  if (problem == std::errc{} && end == name.data() + name.size())
    return table_id{number};
  if (schemas)
    for (const auto& event : schemas->all())
      if (event.schema.name == name)
        return event.schema.table;
  return fail(errc::unknown_table, "\"" + name + "\" is not in meta.db",
              "Correct the name, or give the table's number.");
}

expected<schema_ptr> opened_log::schema_of(row_view row) const {
  if (schemas)
    return schemas->version(row.table(), row.schema());
  return fail(errc::unknown_table,
              "no schema of table " + std::to_string(row.table().value)
                + ": there is no meta.db",
              "Name the service's directory, or use dump.");
}

} // namespace log_files
