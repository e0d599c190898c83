#include "tests/support/postgres_server.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/sources/postgres/pg_connection.hpp"

namespace sluice::test {

namespace fs = std::filesystem;

namespace {

constexpr auto prefix = std::string_view{"sluice_postgres_"};

void must(bool done, const std::string& what) {
  if (!done)
    throw std::runtime_error{"throwaway PostgreSQL server: " + what};
}

// -- processes ----------------------------------------------------------------

struct account {
  ::uid_t user = ::geteuid();
  ::gid_t group = ::getegid();
};

// PostgreSQL's programs refuse to run as root.
account server_account() {
  auto result = account{};
  if (result.user != 0)
    return result;
  const auto* found = ::getpwnam("postgres");
  if (found == nullptr)
    found = ::getpwnam("nobody");
  must(found != nullptr, "no user postgres or nobody to run it");
  return {found->pw_uid, found->pw_gid};
}

struct command {
  std::vector<std::string> words;
  std::string directory; ///< Where it runs, and where `log` is.
  bool ends_with_us = false;
};

// In the child, where other threads may have held any lock: system calls only.
void become(const account& who, const command& what, char* const* words,
            const char* log, ::pid_t parent) {
  if (::geteuid() == 0
      && (::setgroups(0, nullptr) != 0 || ::setgid(who.group) != 0
          || ::setuid(who.user) != 0))
    ::_exit(126);
  // After setuid, which clears it. SIGQUIT: at once, without a checkpoint.
  if (what.ends_with_us
      && (::prctl(PR_SET_PDEATHSIG, SIGQUIT) != 0 || ::getppid() != parent))
    ::_exit(126);
  auto out = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (out < 0 || ::dup2(out, 1) < 0 || ::dup2(out, 2) < 0
      || ::chdir(what.directory.c_str()) != 0)
    ::_exit(126);
  ::execv(words[0], words);
  ::_exit(127);
}

::pid_t spawn(command what) {
  auto who = server_account();
  auto log = what.directory + "/log";
  auto words = std::vector<char*>{};
  for (auto& x : what.words)
    words.push_back(x.data());
  words.push_back(nullptr);
  auto parent = ::getpid();
  auto pid = ::fork();
  if (pid == 0)
    become(who, what, words.data(), log.c_str(), parent);
  must(pid > 0, "no process can be started");
  return pid;
}

bool succeeds(command what) {
  auto pid = spawn(std::move(what));
  auto how = 0;
  return ::waitpid(pid, &how, 0) == pid && WIFEXITED(how)
         && WEXITSTATUS(how) == 0;
}

// -- directories --------------------------------------------------------------

fs::path place() {
  const auto* wanted = std::getenv("TMPDIR");
  if (wanted != nullptr)
    return wanted;
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

// Of test programs that were killed: nobody holds their locks.
void remove_left_over() {
  auto problem = std::error_code{};
  for (const auto& x : fs::directory_iterator{place(), problem}) {
    if (x.path().filename().string().compare(0, prefix.size(), prefix) != 0)
      continue;
    auto lock = ::open((x.path() / "lock").c_str(), O_RDONLY | O_CLOEXEC);
    if (lock < 0)
      continue; // one that is being made
    if (::flock(lock, LOCK_EX | LOCK_NB) == 0)
      fs::remove_all(x.path(), problem);
    ::close(lock);
  }
}

struct locked_directory {
  std::string path;
  int lock = -1;
};

locked_directory make_directory() {
  auto name = (place() / prefix).string() + "XXXXXX";
  must(::mkdtemp(name.data()) != nullptr,
       place().string() + ": no directory can be made there");
  // Locked before it has its name.
  auto unnamed = name + "/lock_unnamed";
  auto lock = ::open(unnamed.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  must(lock >= 0 && ::flock(lock, LOCK_EX) == 0, unnamed + ": no lock");
  fs::rename(unnamed, name + "/lock");
  auto who = server_account();
  must(::chown(name.c_str(), who.user, who.group) == 0,
       name + ": its owner cannot be changed");
  return {name, lock};
}

void remove_directory(const std::string& path, int lock) {
  auto problem = std::error_code{};
  if (std::getenv("SLUICE_KEEP") == nullptr)
    fs::remove_all(path, problem);
  ::close(lock);
}

// A cluster that was never started, for servers to copy.
class cluster_template {
public:
  cluster_template() : directory_{make_directory()} {
    // 1 MiB of WAL instead of 16: less to copy.
    auto made = succeeds(
      {{postgres_server::programs() + "/initdb", "--pgdata=data",
        "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
        "--no-sync", "--wal-segsize=1"},
       directory_.path});
    must(made, "initdb failed, see " + directory_.path + "/log");
  }
  ~cluster_template() { remove_directory(directory_.path, directory_.lock); }
  cluster_template(const cluster_template&) = delete;
  cluster_template& operator=(const cluster_template&) = delete;

  [[nodiscard]] std::string data() const { return directory_.path + "/data"; }

private:
  locked_directory directory_;
};

std::string copy_template() {
  static const auto made = cluster_template{};
  return made.data();
}

postgres::connection connect(const std::string& conninfo) {
  auto opened = postgres::connection::open(conninfo,
                                           postgres::connection::kind::plain);
  must(opened.has_value(), opened ? "" : to_string(opened.error()));
  return std::move(*opened);
}

postgres::result run_in(postgres::connection& db, const std::string& sql) {
  auto done = db.run(sql);
  must(done.has_value(), done ? "" : sql + ": " + to_string(done.error()));
  return std::move(*done);
}

} // namespace

const std::string& postgres_server::programs() {
  static const auto found = [] {
    auto versions = std::vector<int>{};
    auto problem = std::error_code{};
    for (const auto& x : fs::directory_iterator{"/usr/lib/postgresql", problem})
      if (fs::exists(x.path() / "bin" / "initdb", problem))
        versions.push_back(std::atoi(x.path().filename().c_str()));
    if (versions.empty())
      return std::string{};
    auto newest = *std::max_element(versions.begin(), versions.end());
    return "/usr/lib/postgresql/" + std::to_string(newest) + "/bin";
  }();
  return found;
}

bool postgres_server::available() {
  return !programs().empty();
}

// Whole behind the colon: what fails below is cleaned up by the destructor.
postgres_server::postgres_server(std::vector<std::string> settings)
  : postgres_server{nothing_yet{}} {
  must(available(), "its programs are not in /usr/lib/postgresql");
  remove_left_over();
  auto from = copy_template();
  auto made = make_directory();
  directory_ = made.path;
  lock_ = made.lock;
  auto copied = succeeds({{"/bin/cp", "-a", from, "data"}, directory_});
  must(copied, directory_ + ": the cluster cannot be copied there");
  auto conf = std::ofstream{directory_ + "/data/postgresql.conf",
                            std::ios::app};
  conf << "listen_addresses = ''\n"
       << "port = 5432\n"
       << "unix_socket_directories = '" << directory_ << "'\n"
       << "fsync = off\n"
       << "wal_level = logical\n"
       << "max_wal_senders = 20\n"
       << "max_replication_slots = 20\n"
       << "max_wal_size = 1GB\n";
  for (const auto& x : settings)
    conf << x << '\n';
  conf.close();
  must(static_cast<bool>(conf), directory_ + ": cannot be written");
  start();
}

postgres_server::~postgres_server() {
  crash();
  remove_directory(directory_, lock_);
}

std::string postgres_server::conninfo(const std::string& database) const {
  return "host=" + directory_ + " port=5432 user=postgres dbname=" + database;
}

std::string postgres_server::make_database() {
  auto name = "test_" + std::to_string(++databases_);
  run("postgres", "CREATE DATABASE " + name);
  return name;
}

void postgres_server::run(const std::string& database, const std::string& sql) {
  auto db = connect(conninfo(database));
  // Tests write `t`, not `public.t`.
  run_in(db, "RESET search_path");
  run_in(db, sql);
}

std::string postgres_server::ask(const std::string& database,
                                 const std::string& sql) {
  auto db = connect(conninfo(database));
  run_in(db, "RESET search_path");
  auto rows = run_in(db, sql);
  must(rows.rows() > 0, sql + ": no row");
  return std::string{rows.text(0, 0)};
}

void postgres_server::start() {
  must(pid_ == 0, "it runs already");
  pid_ = spawn({{programs() + "/postgres", "-D", "data"}, directory_, true});
  constexpr auto patience = std::chrono::seconds{30};
  auto end = std::chrono::steady_clock::now() + patience;
  while (!postgres::connection::open(conninfo(),
                                     postgres::connection::kind::plain)) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = 0;
      must(false, "it ended at its start: " + log_end());
    }
    if (std::chrono::steady_clock::now() > end)
      must(false, "it does not start: " + log_end());
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
}

void postgres_server::stop() {
  end(SIGINT);
}

void postgres_server::crash() {
  end(SIGQUIT);
}

void postgres_server::end(int signal) {
  if (pid_ == 0)
    return;
  ::kill(pid_, signal);
  // It waits for what replicates; a client that reads no more holds it for
  // ever.
  constexpr auto patience = std::chrono::seconds{20};
  auto last = std::chrono::steady_clock::now() + patience;
  while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > last)
      ::kill(pid_, SIGQUIT);
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  pid_ = 0;
}

std::string postgres_server::log_end() const {
  auto file = std::ifstream{directory_ + "/log"};
  auto text = std::string{std::istreambuf_iterator<char>{file}, {}};
  constexpr auto most = std::size_t{2000};
  return text.substr(text.size() - std::min(text.size(), most));
}

} // namespace sluice::test
