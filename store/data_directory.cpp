#include "store/data_directory.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

#include "store/meta_db.hpp"

namespace sluice {

namespace fs = std::filesystem;

namespace {

constexpr auto other_directory = "Give it another directory, or an empty one.";

// What may be there before meta.db is: our lock, and what a new file system
// has. Anything else says whose the directory is not.
bool may_be_in_a_new_one(const std::string& name) {
  return name == "lock" || name == "lost+found";
}

// A directory without meta.db must be new, or it is somebody else's.
status check_new(const std::string& directory) {
  auto problem = std::error_code{};
  auto end = fs::directory_iterator{};
  for (auto i = fs::directory_iterator{directory, problem};
       !problem && i != end; i.increment(problem)) {
    auto name = i->path().filename().string();
    if (may_be_in_a_new_one(name))
      continue;
    if (name == "log" && fs::is_directory(i->path(), problem))
      return fail(errc::log_corrupt,
                  directory + ": has a log, and meta.db is missing");
    return fail(errc::invalid_option,
                directory + ": not ours, it has \"" + name
                  + "\" and no meta.db",
                other_directory);
  }
  if (problem)
    return directory_failure(directory, problem);
  return {};
}

// Before anything is made in it.
status check_owner(const std::string& directory) {
  auto problem = std::error_code{};
  if (!fs::exists(directory + "/meta.db", problem))
    return check_new(directory);
  // With our lock in it, it was looked at, and may be in use.
  if (fs::exists(directory + "/lock", problem))
    return {};
  return check_meta_db(directory);
}

} // namespace

expected<std::unique_ptr<directory_lock>>
lock_data_directory(const std::string& directory) {
  auto problem = std::error_code{};
  auto what = fs::status(directory, problem);
  if (what.type() == fs::file_type::none)
    return directory_failure(directory, problem);
  if (fs::exists(what) && !fs::is_directory(what))
    return fail(errc::invalid_option, directory + ": is not a directory",
                "Give it a directory, or move that file away.");
  if (fs::exists(what))
    if (auto ours = check_owner(directory); !ours)
      return tl::unexpected{std::move(ours.error())};
  return directory_lock::take(std::make_shared<file_ops>(), directory);
}

bool give_up_reserves(const std::string& directory) {
  auto result = false;
  auto problem = std::error_code{};
  auto end = fs::recursive_directory_iterator{};
  for (auto i = fs::recursive_directory_iterator{directory + "/log", problem};
       !problem && i != end; i.increment(problem)) {
    if (i->path().filename() != "reserve" || !i->is_regular_file(problem)
        || i->file_size(problem) == 0)
      continue;
    fs::resize_file(i->path(), 0, problem);
    result = result || !problem;
  }
  return result;
}

} // namespace sluice
