#include "tests/support/simulated_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>

namespace sluice::test {

power_cut power_cut::draw(dice& luck) {
  constexpr auto shares = std::array<std::uint64_t, 5>{0, 10, 50, 90, 100};
  auto result = power_cut{};
  result.sectors_lost = shares[luck.roll(shares.size())];
  result.ordered_names = luck.percent(50);
  result.stale_bytes = luck.percent(30);
  return result;
}

simulated_disk::simulated_disk(std::uint64_t seed)
  : luck_{seed}, root_{std::make_shared<simulated_file>(true)} {
  // nop
}

simulated_disk::~simulated_disk() = default;

// -- what happens to it -------------------------------------------------------

void simulated_disk::crash(dice& luck, const power_cut& how) {
  auto guard = std::lock_guard{mutex_};
  ++counts_.crashes;
  end_process();
  lose_names(luck, how);
  crash_files(root_, luck, how);
}

void simulated_disk::kill() {
  auto guard = std::lock_guard{mutex_};
  ++counts_.kills;
  end_process();
}

void simulated_disk::end_process() {
  open_.clear();
  locks_.clear();
  stop_at_ = 0;
  stopped_ = false;
}

void simulated_disk::heal() {
  faults_ = {};
  planned_ = {};
}

void simulated_disk::lose_names(dice& luck, const power_cut& how) {
  auto kept = luck.roll(unsynced_names_.size() + 1);
  for (std::size_t i = 0; i < unsynced_names_.size(); ++i) {
    auto& x = unsynced_names_[i];
    auto survives = how.ordered_names ? i < kept : luck.percent(50);
    if (survives)
      x.apply_to(x.in->durable);
    else
      ++counts_.names_lost;
  }
  unsynced_names_.clear();
}

void simulated_disk::crash_files(const file_ptr& directory, dice& luck,
                                 const power_cut& how) {
  directory->now = directory->durable;
  for (const auto& [name, file] : directory->now) {
    if (file->is_directory()) {
      crash_files(file, luck, how);
      continue;
    }
    auto toll = file->crash(luck, how);
    counts_.sectors_lost += toll.lost;
    counts_.sectors_kept += toll.kept;
  }
}

// -- faults -------------------------------------------------------------------

// Whether the process lives and the call does not fail; sets errno otherwise.
bool simulated_disk::begins(std::optional<disk_call> kind) {
  ++calls_;
  errno = EIO;
  if (stopped_)
    return false;
  stopped_ = stop_at_ != 0 && --stop_at_ == 0;
  return !stopped_ && !(kind && fails(*kind));
}

bool simulated_disk::fails(disk_call kind) {
  auto& next = planned_[index(kind)];
  auto planned = next.in == 1;
  if (next.in > 1)
    --next.in;
  if (planned && --next.times == 0)
    next.in = 0;
  auto percent = faults_.fails[index(kind)];
  auto result = planned || (percent != 0 && luck_.percent(percent));
  counts_.failed[index(kind)] += result ? 1 : 0;
  return result;
}

// -- files --------------------------------------------------------------------

int simulated_disk::open(const char* path, int flags, mode_t) {
  auto guard = std::lock_guard{mutex_};
  if (!begins(disk_call::name))
    return -1;
  auto [in, name] = place_of(path);
  auto file = find(path);
  if (file == nullptr) {
    errno = ENOENT;
    if ((flags & O_CREAT) == 0 || in == nullptr)
      return -1;
    file = std::make_shared<simulated_file>(false);
    change({in, {}, std::string{name}, file});
  }
  if ((flags & O_TRUNC) != 0)
    file->truncate(0);
  open_.emplace(++last_fd_, std::move(file));
  return last_fd_;
}

int simulated_disk::close(int fd) {
  auto guard = std::lock_guard{mutex_};
  locks_.erase(fd);
  return open_.erase(fd) == 1 ? 0 : -1;
}

ssize_t simulated_disk::pwritev(int fd, const iovec* parts, int count,
                                off_t at) {
  auto guard = std::lock_guard{mutex_};
  auto size = std::size_t{0};
  for (auto i = 0; i < count; ++i)
    size += parts[i].iov_len;
  auto file = stopped_ ? nullptr : of(fd);
  auto done = begins(disk_call::write);
  if (file == nullptr)
    return -1;
  auto start = static_cast<std::size_t>(at);
  auto fits = fitting(*file, start, size);
  if (done && fits == 0 && size != 0) {
    ++counts_.refused_full;
    errno = ENOSPC;
    return -1;
  }
  auto left = fits;
  if (!done) {
    left = luck_.roll(fits + 1);
  } else if (fits > 1 && faults_.short_write != 0
             && luck_.percent(faults_.short_write)) {
    left = 1 + luck_.roll(fits - 1);
    ++counts_.short_writes;
  }
  auto result = left;
  for (auto i = 0; left > 0; ++i) {
    auto part = std::min(left, parts[i].iov_len);
    file->write(static_cast<const char*>(parts[i].iov_base), part, start);
    start += part;
    left -= part;
  }
  return done ? static_cast<ssize_t>(result) : -1;
}

ssize_t simulated_disk::pread(int fd, void* to, std::size_t size, off_t at) {
  auto guard = std::lock_guard{mutex_};
  auto file = of(fd);
  if (!begins(disk_call::read) || file == nullptr)
    return -1;
  auto start = std::min(static_cast<std::size_t>(at), file->size());
  size = std::min(size, file->size() - start);
  std::copy_n(file->data() + start, size, static_cast<char*>(to));
  return static_cast<ssize_t>(size);
}

int simulated_disk::fsync(int fd) {
  auto guard = std::lock_guard{mutex_};
  auto file = of(fd);
  auto lives = !stopped_ && file != nullptr;
  if (begins(disk_call::sync) && lives) {
    if (file->is_directory())
      commit_names(file);
    else
      file->sync();
    return 0;
  }
  // The names of a directory stay where they are: a journal goes on or ends.
  if (lives && !stopped_ && !file->is_directory())
    counts_.sectors_unsynced += file->fail_sync(luck_);
  errno = EIO;
  return -1;
}

int simulated_disk::ftruncate(int fd, off_t size) {
  auto guard = std::lock_guard{mutex_};
  auto file = of(fd);
  if (!begins(disk_call::write) || file == nullptr)
    return -1;
  file->truncate(static_cast<std::size_t>(size));
  return 0;
}

off_t simulated_disk::size(int fd) {
  auto guard = std::lock_guard{mutex_};
  auto file = of(fd);
  if (!begins({}) || file == nullptr)
    return -1;
  return static_cast<off_t>(file->size());
}

int simulated_disk::lock(int fd) {
  auto guard = std::lock_guard{mutex_};
  auto file = of(fd);
  if (!begins({}) || file == nullptr)
    return -1;
  for (auto other : locks_)
    if (other != fd && of(other) == file) {
      errno = EWOULDBLOCK;
      return -1;
    }
  locks_.insert(fd);
  return 0;
}

simulated_disk::file_ptr simulated_disk::of(int fd) const {
  auto found = open_.find(fd);
  return found == open_.end() ? nullptr : found->second;
}

// -- names --------------------------------------------------------------------

simulated_disk::place simulated_disk::place_of(std::string_view path) const {
  auto in = root_;
  auto name = std::string_view{};
  while (!path.empty()) {
    auto part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    if (part.empty() || part == ".")
      continue;
    if (!name.empty()) {
      auto found = in->now.find(name);
      if (found == in->now.end() || !found->second->is_directory())
        return {nullptr, {}};
      in = found->second;
    }
    name = part;
  }
  return {in, name};
}

simulated_disk::file_ptr simulated_disk::find(std::string_view path) const {
  auto [in, name] = place_of(path);
  if (in == nullptr || name.empty())
    return in;
  auto found = in->now.find(name);
  return found == in->now.end() ? nullptr : found->second;
}

void simulated_disk::name_change::apply_to(simulated_file::names& to) const {
  if (!removed.empty())
    to.erase(removed);
  if (!added.empty())
    to[added] = what;
}

void simulated_disk::change(name_change x) {
  x.apply_to(x.in->now);
  unsynced_names_.push_back(std::move(x));
}

void simulated_disk::commit_names(const file_ptr& directory) {
  std::erase_if(unsynced_names_, [&](const name_change& x) {
    if (x.in != directory)
      return false;
    x.apply_to(directory->durable);
    return true;
  });
}

int simulated_disk::access(const char* path) {
  auto guard = std::lock_guard{mutex_};
  if (!begins(disk_call::name))
    return -1;
  errno = ENOENT;
  return find(path) == nullptr ? -1 : 0;
}

int simulated_disk::mkdir(const char* path, mode_t) {
  auto guard = std::lock_guard{mutex_};
  if (!begins(disk_call::name))
    return -1;
  auto [in, name] = place_of(path);
  errno = in == nullptr ? ENOENT : EEXIST;
  if (in == nullptr || find(path) != nullptr)
    return -1;
  change({in, {}, std::string{name}, std::make_shared<simulated_file>(true)});
  return 0;
}

int simulated_disk::rename(const char* from, const char* to) {
  auto guard = std::lock_guard{mutex_};
  if (!begins(disk_call::name))
    return -1;
  auto old = place_of(from);
  auto next = place_of(to);
  auto file = find(from);
  // No log moves a file to another directory.
  errno = file == nullptr ? ENOENT : EXDEV;
  if (file == nullptr || old.directory != next.directory)
    return -1;
  change({old.directory, std::string{old.name}, std::string{next.name}, file});
  return 0;
}

int simulated_disk::unlink(const char* path) {
  auto guard = std::lock_guard{mutex_};
  if (!begins(disk_call::name))
    return -1;
  errno = ENOENT;
  if (find(path) == nullptr)
    return -1;
  auto [in, name] = place_of(path);
  change({in, std::string{name}, {}, nullptr});
  return 0;
}

int simulated_disk::list(const char* path, std::vector<std::string>& names) {
  auto guard = std::lock_guard{mutex_};
  if (!begins(disk_call::name))
    return -1;
  auto directory = find(path);
  errno = ENOENT;
  if (directory == nullptr)
    return -1;
  for (const auto& [name, file] : directory->now)
    names.push_back(name);
  return 0;
}

int simulated_disk::random(void* to, std::size_t size) {
  auto guard = std::lock_guard{mutex_};
  if (!begins({}))
    return -1;
  for (std::size_t i = 0; i < size; ++i)
    static_cast<unsigned char*>(to)[i] = static_cast<unsigned char>(
      luck_.next());
  return 0;
}

} // namespace sluice::test
