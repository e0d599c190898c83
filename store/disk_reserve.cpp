#include "store/disk_reserve.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>

namespace sluice {

namespace {

// Manifests and notes of many releases.
constexpr auto rest_bytes_max = std::uint64_t{256} << 10U;

} // namespace

disk_reserve::disk_reserve(std::shared_ptr<file_ops> ops,
                           const std::string& directory, std::uint64_t bytes)
  : ops_{std::move(ops)}, path_{directory + "/reserve"}, bytes_{bytes} {
  // nop
}

std::uint64_t disk_reserve::rest() const noexcept {
  return std::min(bytes_ / 4, rest_bytes_max);
}

void disk_reserve::look() {
  auto guard = std::lock_guard{mutex_};
  if (bytes_ == 0) {
    ops_->unlink(path_.c_str());
    state_ = state::useless;
    return;
  }
  auto file = open_file::open(ops_, path_, O_RDWR);
  auto size = file ? (*file)->size() : tl::unexpected{file.error()};
  if (!size)
    return;
  if (*size > bytes_ && (*file)->truncate(bytes_))
    size = bytes_;
  state_ = state::there;
  held_ = *size;
}

// Under another name until it is whole: a smaller one was given up.
void disk_reserve::make() {
  auto guard = std::lock_guard{mutex_};
  if (state_ != state::absent)
    return;
  auto path = path_ + ".new";
  auto file = open_file::open(ops_, path, O_RDWR | O_CREAT | O_TRUNC);
  auto done = file ? fill(**file) : tl::unexpected{file.error()};
  if (done && ops_->rename(path.c_str(), path_.c_str()) != 0)
    done = system_failure("rename", path);
  if (done) {
    state_ = state::there;
    held_ = bytes_;
    return;
  }
  ops_->unlink(path.c_str());
  if (done.error().code != errc::disk_full)
    state_ = state::useless;
}

status disk_reserve::restore() {
  auto guard = std::lock_guard{mutex_};
  if (state_ != state::there || held_ >= bytes_)
    return {};
  auto done = grow();
  if (!done && done.error().code != errc::disk_full) {
    state_ = state::useless;
    return {};
  }
  return done;
}

// Not by trying: others would find the disk full meanwhile.
status disk_reserve::fill(open_file& file) {
  if (file.has_room(bytes_ - held_))
    return file.allocate(bytes_);
  errno = ENOSPC;
  return system_failure("set room aside", file.path());
}

status disk_reserve::grow() {
  auto file = open_file::open(ops_, path_, O_RDWR | O_CREAT);
  if (!file)
    return tl::unexpected{std::move(file.error())};
  auto done = fill(**file);
  if (done)
    held_ = bytes_;
  else
    (void) (*file)->truncate(held_); // it may have got a part
  return done;
}

bool disk_reserve::give_up() {
  auto guard = std::lock_guard{mutex_};
  return shrink_to(rest());
}

bool disk_reserve::give_up_rest() {
  auto guard = std::lock_guard{mutex_};
  return shrink_to(0);
}

bool disk_reserve::shrink_to(std::uint64_t size) {
  if (state_ != state::there || held_ <= size)
    return false;
  auto file = open_file::open(ops_, path_, O_RDWR);
  if (!file || !(*file)->truncate(size))
    return false;
  held_ = size;
  return true;
}

std::uint64_t disk_reserve::missing() const {
  auto guard = std::lock_guard{mutex_};
  return state_ == state::there ? bytes_ - std::min(held_, bytes_) : 0;
}

} // namespace sluice
