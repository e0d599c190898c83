#include "store/segment_directory.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>

#include "store/segment_files.hpp"
#include "store/segment_id.hpp"

namespace sluice {

// -- directory_lock -----------------------------------------------------------

directory_lock::directory_lock(std::shared_ptr<open_file> file)
  : file_{std::move(file)} {
  // nop
}

namespace {

// Of the path as it is written: no look at the machine.
std::string parent_of(const std::string& path) {
  auto end = path.find_last_not_of('/');
  auto slash = end == std::string::npos ? 0 : path.rfind('/', end);
  if (slash == std::string::npos)
    return ".";
  return path.substr(0, std::max<std::size_t>(slash, 1));
}

status make_directory(const std::shared_ptr<file_ops>& ops,
                      const std::string& path) {
  auto made = ops->mkdir(path.c_str(), 0777) == 0;
  if (!made && errno == ENOENT && parent_of(path) != path) {
    if (auto above = make_directory(ops, parent_of(path)); !above)
      return above;
    made = ops->mkdir(path.c_str(), 0777) == 0;
  }
  return made || errno == EEXIST ? status{} : system_failure({}, path);
}

// Makes the name of a directory durable, and those of the ones above it.
status sync_names_above(const std::shared_ptr<file_ops>& ops,
                        const std::string& path) {
  auto at = parent_of(path);
  auto done = sync_directory(ops, at);
  while (done && parent_of(at) != at) {
    at = parent_of(at);
    done = sync_directory(ops, at);
  }
  // Not ours to read, or nothing that can be synced: not made by us either.
  if (!done && (errno == EACCES || errno == EINVAL))
    return {};
  return done;
}

} // namespace

expected<std::unique_ptr<directory_lock>>
directory_lock::take(const std::shared_ptr<file_ops>& ops,
                     const std::string& directory) {
  if (auto made = make_directory(ops, directory); !made)
    return tl::unexpected{std::move(made.error())};
  auto path = directory + "/lock";
  // Whoever made the directory may have been killed before its name was
  // durable. With a lock in it, it is.
  if (ops->access(path.c_str()) != 0)
    if (auto done = sync_names_above(ops, directory); !done)
      return tl::unexpected{std::move(done.error())};
  auto file = open_file::open(ops, path, O_RDWR | O_CREAT);
  if (!file)
    return tl::unexpected{std::move(file.error())};
  if (ops->lock((*file)->descriptor()) != 0) {
    if (errno == EWOULDBLOCK)
      return fail(errc::log_locked,
                  directory + ": another process, or service, has it open");
    return system_failure("lock", (*file)->path());
  }
  return std::unique_ptr<directory_lock>(new directory_lock(std::move(*file)));
}

tl::unexpected<error> directory_failure(const std::string& directory,
                                        std::error_code problem) {
  errno = problem.value();
  return system_failure({}, directory);
}

// -- files --------------------------------------------------------------------

namespace {

constexpr auto digits = std::size_t{20};

// What is in [from, to) of a name, if that is a number.
std::optional<std::uint64_t> number_at(std::string_view name, std::size_t from,
                                       std::size_t to) {
  auto result = std::uint64_t{0};
  if (from >= to || to > name.size())
    return {};
  auto [end, problem] = std::from_chars(name.data() + from, name.data() + to,
                                        result);
  if (problem != std::errc{} || end != name.data() + to)
    return {};
  return result;
}

// Of a name as segment_path makes it.
std::optional<std::uint64_t> segment_number(std::string_view name) {
  if (name.size() < digits + 4 || !name.ends_with(".seg")
      || name[digits] != '.')
    return {};
  auto number = number_at(name, 0, digits);
  if (name.size() == digits + 4 || !number)
    return number;
  auto nth = number_at(name, digits + 1, name.size() - 4);
  if (!nth)
    return {};
  return rewritten_segment(*number, *nth);
}

std::optional<std::uint64_t> spool_number(std::string_view name) {
  auto number = number_at(name, 0, digits);
  if (!number || name.substr(digits) != ".spool")
    return {};
  return spool_segment(*number);
}

} // namespace

expected<std::vector<std::uint64_t>>
list_segments(const std::shared_ptr<file_ops>& ops,
              const std::string& directory) {
  auto names = std::vector<std::string>{};
  if (ops->list(directory.c_str(), names) != 0)
    return system_failure("list", directory);
  auto result = std::vector<std::uint64_t>{};
  std::sort(names.begin(), names.end());
  for (const auto& name : names)
    if (name.ends_with(".new"))
      ops->unlink((directory + '/' + name).c_str());
    else if (auto number = segment_number(name))
      result.push_back(*number);
  std::sort(result.begin(), result.end(), older_segment{});
  return result;
}

expected<std::vector<std::uint64_t>>
list_spools(const std::shared_ptr<file_ops>& ops,
            const std::string& directory) {
  auto names = std::vector<std::string>{};
  if (ops->list(directory.c_str(), names) != 0)
    return system_failure("list", directory);
  auto result = std::vector<std::uint64_t>{};
  for (const auto& name : names)
    if (auto number = spool_number(name))
      result.push_back(*number);
  std::sort(result.begin(), result.end());
  return result;
}

namespace {

expected<std::string> front_of(const std::shared_ptr<file_ops>& ops,
                               const std::string& path) {
  auto file = open_file::open(ops, path, O_RDONLY);
  if (!file)
    return tl::unexpected{std::move(file.error())};
  auto size = (*file)->size();
  if (!size)
    return tl::unexpected{std::move(size.error())};
  return (*file)->read(0, std::min<std::uint64_t>(*size, file_header_size));
}

// Each segment says whose it is: all of them the same, or nobody knows.
expected<std::optional<store_uuid>>
identity_in(const std::shared_ptr<file_ops>& ops, const std::string& directory,
            const std::vector<std::uint64_t>& segments) {
  auto result = std::optional<store_uuid>{};
  for (auto segment : segments) {
    auto bytes = front_of(ops, segment_path(directory, segment));
    if (!bytes)
      return tl::unexpected{std::move(bytes.error())};
    auto header = decode_file_header(*bytes);
    if (!header || header->segment != segment)
      continue;
    if (result.value_or(header->uuid) != header->uuid)
      return std::optional<store_uuid>{};
    result = header->uuid;
  }
  return result;
}

expected<store_uuid> write_identity(const std::shared_ptr<file_ops>& ops,
                                    const std::string& directory,
                                    const store_uuid& uuid) {
  auto path = directory + "/store";
  auto file = open_file::open(ops, path + ".new", O_RDWR | O_CREAT | O_TRUNC);
  if (!file)
    return tl::unexpected{std::move(file.error())};
  auto bytes = encode_store_file(uuid);
  auto done = (*file)->write({bytes}, 0);
  if (done)
    done = (*file)->sync_all();
  if (done && ops->rename((path + ".new").c_str(), path.c_str()) != 0)
    done = system_failure("rename", path);
  if (done)
    done = sync_directory(ops, directory);
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return uuid;
}

} // namespace

expected<store_uuid>
store_identity(const std::shared_ptr<file_ops>& ops,
               const std::string& directory,
               const std::vector<std::uint64_t>& segments) {
  auto path = directory + "/store";
  auto there = ops->access(path.c_str()) == 0;
  if (!there && errno != ENOENT)
    return system_failure("look up", path);
  auto why = path + " is missing, segments are there";
  if (there) {
    auto bytes = front_of(ops, path);
    if (!bytes)
      return tl::unexpected{std::move(bytes.error())};
    auto result = decode_store_file(*bytes);
    if (result)
      return result;
    why = path + ": " + result.error().detail;
    if (result.error().code != errc::log_corrupt)
      return fail(result.error().code, why);
  } else if (segments.empty()) {
    auto uuid = store_uuid{};
    if (ops->random(uuid.data(), uuid.size()) != 0)
      return system_failure("draw the identity", path);
    return write_identity(ops, directory, uuid);
  }
  auto found = identity_in(ops, directory, segments);
  if (!found)
    return tl::unexpected{std::move(found.error())};
  if (!*found)
    return fail(errc::log_corrupt, why);
  return write_identity(ops, directory, **found);
}

} // namespace sluice
