#include <algorithm>
#include <cerrno>

#include "tests/support/simulated_disk.hpp"

/// The part of a simulated disk that is about how much it holds.
namespace sluice::test {

void simulated_disk::fill_up(std::uint64_t bytes) {
  auto guard = std::lock_guard{mutex_};
  room_for_ = used() + bytes;
}

std::uint64_t simulated_disk::bytes() const {
  auto guard = std::lock_guard{mutex_};
  return used();
}

int simulated_disk::allocate(int fd, off_t size) {
  auto guard = std::lock_guard{mutex_};
  auto file = of(fd);
  if (!begins(disk_call::write) || file == nullptr)
    return -1;
  auto wanted = static_cast<std::size_t>(size);
  auto more = wanted - std::min(wanted, file->size());
  if (fitting(*file, file->size(), more) < more) {
    ++counts_.refused_full;
    errno = ENOSPC;
    return -1;
  }
  if (more > 0)
    file->truncate(wanted);
  return 0;
}

off_t simulated_disk::room(int) {
  auto guard = std::lock_guard{mutex_};
  if (!begins({}) || !room_for_)
    return -1;
  auto there = used();
  return static_cast<off_t>(*room_for_ > there ? *room_for_ - there : 0);
}

// How much of a write there is room for.
std::size_t simulated_disk::fitting(const simulated_file& file, std::size_t at,
                                    std::size_t size) const {
  auto end = std::max(file.size(), at + size);
  if (!room_for_ || end == file.size())
    return size;
  auto there = used();
  auto room = *room_for_ > there ? *room_for_ - there : 0;
  auto too_much = end - file.size() > room ? end - file.size() - room : 0;
  return size - std::min(size, too_much);
}

std::uint64_t simulated_disk::used() const {
  auto counted = std::set<const simulated_file*>{};
  auto result = std::uint64_t{0};
  auto add = [&](auto& self, const file_ptr& x) -> void {
    if (!counted.insert(x.get()).second)
      return;
    result += x->size();
    for (const auto& [name, file] : x->now)
      self(self, file);
  };
  add(add, root_);
  for (const auto& [fd, file] : open_)
    add(add, file);
  return result;
}

} // namespace sluice::test
