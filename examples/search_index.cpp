// Full-text search over a table that another application writes: follows its
// database and keeps an index of our own.
//
//   search_index APP.db INDEX.db            follows until it is interrupted
//   search_index APP.db INDEX.db QUERY      catches up, answers, ends
//
// The application has a table documents(id INTEGER PRIMARY KEY, title, body).
// What was indexed by an earlier run is not read again.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "actors/service.hpp"
#include "actors/sources/sqlite/sqlite_source.hpp"
#include "plain_sqlite.hpp"

namespace {

volatile std::sig_atomic_t interrupted = 0;

/// Of SQLite's FTS5. Used by one thread at a time.
class search_index {
public:
  explicit search_index(const std::string& path)
    : db_{path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE} {
    db_.exec("CREATE VIRTUAL TABLE IF NOT EXISTS documents "
             "USING fts5(title, body)");
  }

  /// All of the batch or, when it throws, nothing. A batch may come again:
  /// the same change applied twice, in order, gives the same rows.
  void apply(const sluice::change_batch& batch) {
    db_.exec("BEGIN IMMEDIATE");
    try {
      for (const auto& change : batch)
        apply(change);
      db_.exec("COMMIT");
    } catch (...) {
      db_.exec("ROLLBACK");
      throw;
    }
  }

  void answer(const std::string& query) {
    auto found = plain_sqlite::statement{
      db_.get(), "SELECT rowid || ': ' || title FROM documents"
                 " WHERE documents MATCH ?1 ORDER BY rank, rowid"};
    found.bind(1, query);
    while (found.step())
      std::printf("%s\n", std::string{found.bytes(0)}.c_str());
  }

private:
  void apply(const sluice::change& x) {
    using sluice::row_op;
    if (x.op() == row_op::truncate || x.op() == row_op::snapshot_begin)
      return db_.exec("DELETE FROM documents"); // a copy begins anew
    // The key may have changed: the row goes, and comes back as it is now.
    for (const auto& key : {x.old_key(), x.key()})
      if (!key.empty()) // an insert has no old one
        db_.exec("DELETE FROM documents WHERE rowid = "
                 + std::to_string(key[0].integer));
    if (x.op() == row_op::erase)
      return;
    auto insert = plain_sqlite::statement{
      db_.get(), "INSERT INTO documents(rowid, title, body) VALUES (?1,?2,?3)"};
    insert.bind(1, x.key()[0].integer);
    insert.bind(2, std::string{x.value("title").value().bytes});
    insert.bind(3, std::string{x.value("body").value().bytes});
    insert.run();
  }

  plain_sqlite::database db_;
};

/// What a call gave; what went wrong ends the program.
template <class T>
T must(sluice::expected<T> x) {
  if (!x)
    throw std::runtime_error{to_string(x.error())};
  if constexpr (!std::is_void_v<T>)
    return std::move(*x);
}

int run(const std::string& app, const std::string& index, const char* query) {
  auto options = sluice::service_options{};
  options.directory = index + ".state"; // the log, and how far the index is
  using std::filesystem::exists;
  if (!exists(index) && exists(options.directory))
    throw std::runtime_error{index + " is gone; remove " + options.directory};
  auto mine = search_index{index}; // outlives the service, which uses it
  auto changes = std::size_t{0};
  auto service = must(sluice::service::open(options));
  must(service.create_feed("index", {{"documents"}, {}}));
  auto from = sluice::sqlite_source_options{};
  from.path = app;
  from.tables.include = {"documents"};
  from.set_wal = true;
  must(service.add_source("app", sluice::make_sqlite_source(from)));
  must(service.subscribe(
    "index",
    [&](const sluice::change_batch& batch,
        const sluice::acknowledger& acknowledger) -> sluice::status {
      mine.apply(batch);  // what it throws makes the batch come again
      acknowledger.ack(); // after the commit: now it may be forgotten
      changes += batch.size();
      return {};
    }));

  for (auto done = false; interrupted == 0 && !done;) {
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    auto source = must(service.source());
    auto feed = must(service.status_of("index"));
    for (const auto& failure : {source.failure, feed.failure})
      if (failure)
        throw std::runtime_error{to_string(failure)};
    done = query != nullptr && source.idle && feed.tables > 0
           && feed.resolved >= source.resolved && feed.unflushed.empty();
  }
  auto unflushed = service.stop(); // the callback's thread has ended
  std::printf("%zu changes indexed\n", changes);
  if (query != nullptr)
    mine.answer(query);
  return unflushed.empty() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::fprintf(stderr, "usage: search_index APP.db INDEX.db [QUERY]\n");
    return 2;
  }
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  try {
    return run(argv[1], argv[2], argc == 4 ? argv[3] : nullptr);
  } catch (const std::exception& x) {
    std::fprintf(stderr, "search_index: %s\n", x.what());
    return 2;
  }
}
