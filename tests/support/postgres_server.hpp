#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::test {

/// A PostgreSQL server of its own: made in a temporary directory, listening on
/// a socket in it only, ended and deleted with this object. wal_level is
/// logical, fsync off. As root it runs as user postgres or nobody. It ends with
/// the thread that started it, too, however that dies; the next one removes its
/// directory then. Where: TMPDIR, else /dev/shm, else /tmp.
///
/// What fails throws std::runtime_error with one line.
class postgres_server {
public:
  /// @param settings Lines of postgresql.conf, e.g. `wal_level = replica`.
  explicit postgres_server(std::vector<std::string> settings = {});
  ~postgres_server();
  postgres_server(const postgres_server&) = delete;
  postgres_server& operator=(const postgres_server&) = delete;

  /// Whether the machine has the server's programs.
  [[nodiscard]] static bool available();

  /// For libpq: of the superuser, in a database.
  [[nodiscard]] std::string
  conninfo(const std::string& database = "postgres") const;
  /// Makes a database with a new name. @returns Its name.
  [[nodiscard]] std::string make_database();
  /// Runs SQL as superuser.
  void run(const std::string& database, const std::string& sql);
  /// The first column of the first row.
  [[nodiscard]] std::string ask(const std::string& database,
                                const std::string& sql);

  /// As pg_ctl does it, with `-m immediate`: without a checkpoint.
  void crash();
  void stop();
  void start();
  /// Where its programs are, `/usr/lib/postgresql/15/bin`.
  [[nodiscard]] static const std::string& programs();
  [[nodiscard]] const std::string& directory() const { return directory_; }

private:
  struct nothing_yet {};
  explicit postgres_server(nothing_yet) noexcept {
    // nop
  }
  void end(int signal);
  [[nodiscard]] std::string log_end() const;

  std::string directory_;
  int lock_ = -1;
  int pid_ = 0; ///< 0: not running.
  std::uint64_t databases_ = 0;
};

} // namespace sluice::test
