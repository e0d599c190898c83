// Three consumers follow a bank, each at its own position: AUDIT appends a line
// per change to a file, CACHE keeps the balances in SQLite, TOTALS keeps sums
// in a file that it replaces. For some seconds their process is killed with
// SIGKILL at random moments and started again; then what each has is compared
// with the bank itself.
//
//   crash_replay [--seconds N] [--seed N] [--directory PATH]
//
// The proof goes to stdout, what happens meanwhile to stderr. Exit status: 0
// if all is equal, 1 if not, 2 after an error.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/service.hpp"
#include "actors/sources/generator/bank.hpp"
#include "actors/sources/generator/generator.hpp"
#include "crash_consumers.hpp"
#include "progress.hpp"

namespace {

using namespace std::chrono_literals;

constexpr auto rows_per_second = std::uint64_t{20'000};

struct settings {
  std::uint64_t seconds = 60;
  std::uint64_t seed = std::random_device{}();
  std::string directory;
  bool child = false;
  bool last = false; ///< A child that goes on until everybody has everything.

  [[nodiscard]] sluice::generator_options bank() const {
    auto x = sluice::generator_options{};
    x.transactions = seconds * rows_per_second / 2; // two changes each
    x.rows_per_second = last ? 0 : rows_per_second;
    return x;
  }
};

// -- the process that is killed -----------------------------------------------

int failed(const sluice::error& x) {
  fmt::print(stderr, "crash_replay: {}\n", to_string(x));
  return 2;
}

template <class Consumer>
sluice::status follow(sluice::service& service, const char* name,
                      const settings& how) {
  if (auto ok = service.create_feed(name); !ok)
    return ok;
  auto consumer = std::make_shared<Consumer>(how.directory);
  return service.subscribe(
    name,
    [consumer](const sluice::change_batch& batch,
               const sluice::acknowledger& acknowledger) -> sluice::status {
      consumer->take(batch); // what it throws makes the batch come again
      acknowledger.ack();
      return {};
    });
}

int run_child(const settings& how) {
  auto options = sluice::service_options{};
  options.directory = how.directory + "/state";
  options.segment_bytes = 1 << 20; // files come and go meanwhile
  auto service = sluice::service::open(options);
  if (!service)
    return failed(service.error());
  auto ok = follow<audit>(*service, "audit", how);
  if (ok)
    ok = follow<cache>(*service, "cache", how);
  if (ok)
    ok = follow<totals>(*service, "totals", how);
  if (ok)
    ok = service->add_source("bank", sluice::make_generator(how.bank()));
  if (!ok)
    return failed(ok.error());
  for (auto all = false; !all; std::this_thread::sleep_for(5ms)) {
    auto source = service->source();
    if (!source || source->failure)
      return failed(source ? source->failure : source.error());
    all = how.last && source->idle;
    for (const auto* name : {"audit", "cache", "totals"}) {
      auto feed = service->status_of(name);
      if (!feed || feed->failure)
        return failed(feed ? feed->failure : feed.error());
      all = all && feed->tables > 0 && feed->resolved >= source->resolved
            && feed->unflushed.empty();
    }
  }
  return service->stop().empty() ? 0 : 1;
}

// -- the process that kills ---------------------------------------------------

pid_t start_child(const settings& how) {
  auto seconds = std::to_string(how.seconds);
  auto pid = ::fork();
  if (pid != 0)
    return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL); // it must not outlive us
  ::execl("/proc/self/exe", "crash_replay", how.last ? "--last" : "--child",
          "--seconds", seconds.c_str(), "--directory", how.directory.c_str(),
          nullptr);
  ::_exit(127);
}

/// @returns How often it killed; -1 if a child ended by itself.
int kill_for_a_while(const settings& how) {
  using clock = std::chrono::steady_clock;
  auto random = std::mt19937_64{how.seed};
  auto bar = progress_bar{"changes"};
  auto kills = 0;
  auto until = clock::now() + std::chrono::seconds{how.seconds};
  auto read = [&] {
    auto at = place{};
    std::ifstream{how.directory + "/totals.txt"} >> at;
    auto bank = how.bank();
    return progress_bar::reading{at.changes,
                                 bank.accounts + 2 * bank.transactions,
                                 {},
                                 fmt::format("{} kills", kills)};
  };
  while (clock::now() < until) {
    auto child = start_child(how);
    // One in five hits the start itself; others let the log delete old files,
    // which it does once a second.
    auto early = std::uniform_int_distribution{1, 5}(random) == 1;
    std::this_thread::sleep_for(
      std::chrono::milliseconds{std::uniform_int_distribution{
        early ? 1 : 50, early ? 50 : 1'800}(random)});
    auto status = 0;
    if (::waitpid(child, &status, WNOHANG) != 0)
      return -1;
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status))
      return -1;
    ++kills;
    bar.show(read());
  }
  bar.finish(read());
  return kills;
}

bool say(const char* who, bool equal, const std::string& what) {
  fmt::print("{:<7} {}: {}\n", who, what, equal ? "equal" : "NOT equal");
  return equal;
}

/// What each of them has against what the bank says.
bool prove(const settings& how) {
  auto truth = place{};
  auto balances = std::map<std::int64_t, std::int64_t>{};
  auto lines = std::ifstream{how.directory + "/audit.log"};
  auto wrong = std::uint64_t{0};
  for (auto bank = sluice::bank{how.bank()}; !bank.finished();) {
    const auto& transaction = bank.next();
    for (std::size_t i = 0; i < transaction.changes.size(); ++i) {
      const auto& change = transaction.changes[i];
      auto x = entry{{transaction.commit_ts, transaction.start_ts, i},
                     change.id,
                     change.inserted ? 0 : change.before.balance,
                     change.after.balance};
      truth.add(x);
      balances[x.id] = x.after;
      auto line = std::string{};
      wrong += !std::getline(lines, line) || line + '\n' != x.line() ? 1 : 0;
    }
  }
  auto more = lines.peek() != std::char_traits<char>::eof();

  auto db = cache::open(how.directory);
  auto kept = std::map<std::int64_t, std::int64_t>{};
  auto sum = std::int64_t{0};
  auto query = plain_sqlite::statement{db.get(), "SELECT * FROM balances"};
  while (query.step())
    sum += kept[query.integer(0)] = query.integer(1);
  auto in_totals = place{};
  std::ifstream{how.directory + "/totals.txt"} >> in_totals;

  auto each = fmt::format("{} changes, each once and in order", truth.changes);
  auto equal = say("audit", wrong == 0 && !more, each);
  equal &= say(
    "cache", kept == balances && cache::read_place(db) == truth,
    fmt::format("{}; {} balances of {} in all", each, kept.size(), sum));
  equal &= say("totals", in_totals == truth,
               fmt::format("{}; {} transferred", each, in_totals.moved));
  return equal;
}

int run_parent(settings how) {
  fmt::print(stderr, "kills for {} s, seed {}\n", how.seconds, how.seed);
  auto kills = kill_for_a_while(how);
  how.last = true;
  auto status = 0;
  ::waitpid(start_child(how), &status, 0);
  if (kills < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fmt::print(stderr, "crash_replay: a child ended by itself\n");
    return 2;
  }
  fmt::print(stderr, "killed {} times\n", kills);
  return prove(how) ? 0 : 1;
}

std::string make_temporary_directory() {
  auto result =
    (std::filesystem::temp_directory_path() / "crash_replay_XXXXXX").string();
  if (::mkdtemp(result.data()) == nullptr)
    throw std::runtime_error{result + " cannot be made; set TMPDIR"};
  return result;
}

} // namespace

int main(int argc, char** argv) {
  auto how = settings{};
  auto app = CLI::App{"Kills a process with three consumers, again and again, "
                      "and compares what they have with the source."};
  app.add_option("--seconds", how.seconds, "How long it is killed, default 60")
    ->check(CLI::Range(1, 86'400));
  app.add_option("--seed", how.seed, "Of the moments of the kills");
  app.add_option("--directory", how.directory,
                 "A new one, kept at the end; default: a temporary one");
  app.add_flag("--child", how.child, "INTERNAL: the process to kill");
  app.add_flag("--last", how.last, "INTERNAL: the one that goes on to the end");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& x) {
    return app.exit(x) == 0 ? 0 : 2;
  }
  try {
    if (how.child || how.last)
      return run_child(how);
    auto temporary = how.directory.empty();
    if (temporary)
      how.directory = make_temporary_directory();
    else if (std::filesystem::exists(how.directory))
      throw std::runtime_error{how.directory + " exists; name a new directory"};
    std::filesystem::create_directories(how.directory);
    auto result = run_parent(how);
    if (result == 1)
      fmt::print(stderr, "crash_replay: {} has what differs\n", how.directory);
    else if (temporary)
      std::filesystem::remove_all(how.directory);
    return result;
  } catch (const std::exception& x) {
    fmt::print(stderr, "crash_replay: {}\n", x.what());
    return 2;
  }
}
