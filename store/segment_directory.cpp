#include "store/segment_directory.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>

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

expected<store_uuid> store_identity(const std::shared_ptr<file_ops>& ops,
                                    const std::string& directory, bool is_new) {
  auto path = directory + "/store";
  if (ops->access(path.c_str()) == 0) {
    auto file = open_file::open(ops, path, O_RDONLY);
    if (!file)
      return tl::unexpected{std::move(file.error())};
    auto size = (*file)->size();
    auto bytes = size ? (*file)->read(0, std::min<std::uint64_t>(*size, 4096))
                      : tl::unexpected{size.error()};
    if (!bytes)
      return tl::unexpected{std::move(bytes.error())};
    auto result = decode_store_file(*bytes);
    if (!result)
      return fail(result.error().code, path + ": " + result.error().detail);
    return result;
  }
  if (errno != ENOENT)
    return system_failure("look up", path);
  if (!is_new)
    return fail(errc::log_corrupt, path + " is missing, segments are there");
  auto uuid = store_uuid{};
  if (ops->random(uuid.data(), uuid.size()) != 0)
    return system_failure("draw the identity", path);
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

} // namespace sluice
