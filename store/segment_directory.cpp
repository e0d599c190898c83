#include "store/segment_directory.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace sluice {

namespace fs = std::filesystem;

// -- directory_lock -----------------------------------------------------------

directory_lock::directory_lock(std::shared_ptr<open_file> file)
  : file_{std::move(file)} {
  // nop
}

expected<std::unique_ptr<directory_lock>>
directory_lock::take(const std::shared_ptr<file_ops>& ops,
                     const std::string& directory) {
  auto problem = std::error_code{};
  auto made = fs::create_directories(directory, problem);
  if (problem)
    return directory_failure(directory, problem);
  if (made) {
    auto parent = fs::absolute(directory, problem).parent_path();
    if (auto done = sync_directory(ops, parent.string()); !done)
      return tl::unexpected{std::move(done.error())};
  }
  auto file = open_file::open(ops, directory + "/lock", O_RDWR | O_CREAT);
  if (!file)
    return tl::unexpected{std::move(file.error())};
  if (::flock((*file)->descriptor(), LOCK_EX | LOCK_NB) != 0) {
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

expected<std::vector<std::uint64_t>>
list_segments(const std::shared_ptr<file_ops>& ops,
              const std::string& directory) {
  auto result = std::vector<std::uint64_t>{};
  auto problem = std::error_code{};
  auto end = fs::directory_iterator{};
  for (auto i = fs::directory_iterator{directory, problem};
       !problem && i != end; i.increment(problem)) {
    auto path = i->path();
    if (path.extension() == ".new") {
      ops->unlink(path.c_str());
      continue;
    }
    auto stem = path.stem().string();
    std::uint64_t number = 0;
    auto [rest, failure] = std::from_chars(stem.data(),
                                           stem.data() + stem.size(), number);
    if (path.extension() == ".seg" && failure == std::errc{}
        && rest == stem.data() + stem.size() && stem.size() == 20)
      result.push_back(number);
  }
  if (problem)
    return fail(errc::log_io, directory + ": " + problem.message());
  std::sort(result.begin(), result.end());
  return result;
}

namespace {

store_uuid random_uuid() {
  auto random = std::random_device{};
  auto result = store_uuid{};
  for (auto& x : result)
    x = static_cast<unsigned char>(random());
  return result;
}

} // namespace

expected<store_uuid> store_identity(const std::shared_ptr<file_ops>& ops,
                                    const std::string& directory, bool is_new) {
  auto path = directory + "/store";
  if (fs::exists(path)) {
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
  if (!is_new)
    return fail(errc::log_corrupt, path + " is missing, segments are there");
  auto uuid = random_uuid();
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
