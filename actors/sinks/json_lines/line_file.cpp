#include "actors/sinks/json_lines/line_file.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace sluice {

namespace {

// Waiting may help: a disk that is full, a directory that is not there yet.
tl::unexpected<error> unavailable(error x) {
  x.code = errc::sink_unavailable;
  return tl::unexpected<error>{std::move(x)};
}

status passed(status x) {
  if (!x)
    return unavailable(std::move(x.error()));
  return x;
}

tl::unexpected<error> altered(const std::string& path,
                              const std::string& what) {
  return fail(errc::sink_conflict, path + ": " + what,
              "Put the file back as it was, or remove it together with " + path
                + ".state to begin anew.");
}

} // namespace

line_file::line_file(std::shared_ptr<file_ops> ops,
                     std::shared_ptr<open_file> file)
  : ops_{std::move(ops)}, file_{std::move(file)} {
  // nop
}

expected<std::unique_ptr<line_file>> line_file::open(const std::string& path) {
  auto ops = std::make_shared<file_ops>();
  // Without O_NONBLOCK a FIFO would wait for its reader.
  auto file = open_file::open(ops, path, O_RDWR | O_CREAT | O_NONBLOCK);
  if (!file)
    return unavailable(std::move(file.error()));
  struct ::stat info = {};
  if (::fstat((*file)->descriptor(), &info) != 0)
    return unavailable(system_failure("stat", path).value());
  if (!S_ISREG(info.st_mode))
    return fail(errc::invalid_option,
                path + ": not a regular file, so nothing can be taken back",
                "Name a regular file.");
  if (::flock((*file)->descriptor(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return fail(errc::sink_unavailable,
                  path + ": locked, another sink or process writes to it",
                  "Stop that one, or name another file.");
    return unavailable(system_failure("lock", path).value());
  }
  return std::unique_ptr<line_file>(
    new line_file(std::move(ops), std::move(*file)));
}

expected<std::uint64_t> line_file::size() const {
  auto result = file_->size();
  if (!result)
    return unavailable(std::move(result.error()));
  return result;
}

status line_file::go_on_at(std::uint64_t length) {
  auto there = size();
  if (!there)
    return tl::unexpected{std::move(there.error())};
  if (*there < length)
    return altered(file_->path(), "has " + std::to_string(*there)
                                    + " bytes, but " + std::to_string(length)
                                    + " were committed");
  if (length > 0) {
    auto last = file_->read(length - 1, 1);
    if (!last)
      return unavailable(std::move(last.error()));
    if (*last != "\n")
      return altered(file_->path(), "no line ends at byte "
                                      + std::to_string(length)
                                      + ", where the last commit did");
  }
  if (*there > length)
    if (auto cut = passed(file_->truncate(length)); !cut)
      return cut;
  length_ = length;
  pending_.clear();
  return {};
}

status line_file::flush() {
  if (pending_.empty())
    return {};
  if (auto done = passed(file_->write({pending_}, length_)); !done)
    return done;
  length_ += pending_.size();
  pending_.clear();
  return {};
}

status line_file::sync() {
  return passed(file_->sync_data());
}

status line_file::sync_directory() {
  auto problem = std::error_code{};
  auto parent = std::filesystem::absolute(file_->path(), problem).parent_path();
  return passed(sluice::sync_directory(ops_, parent.string()));
}

status line_file::check_place() const {
  struct ::stat ours = {};
  struct ::stat there = {};
  if (::fstat(file_->descriptor(), &ours) == 0
      && ::stat(file_->path().c_str(), &there) == 0
      && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
    return {};
  return fail(errc::sink_unavailable,
              file_->path() + ": the file was moved or replaced",
              "Nothing, if that was meant: the file there now is opened.");
}

} // namespace sluice
