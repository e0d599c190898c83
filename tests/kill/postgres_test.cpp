// PostgreSQL goes on while whoever replicates it is killed, and now and then
// goes down itself. Triggers on both sides note each change of each row: the
// notes must be equal. A table that comes meanwhile is let in, however often
// its copy is cut off.

#include <atomic>

#include "tests/kill/rig.hpp"
#include "tests/support/throwaway_postgres.hpp"

using namespace sluice::kill_test;
using sluice::postgres::connection;
using sluice::test::throwaway_postgres;

namespace {

constexpr auto tables =
  "CREATE TABLE witness (n bigserial PRIMARY KEY, key text, op text);"
  "CREATE TABLE kept (id int PRIMARY KEY, n int, text text);"
  "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
  "  IF TG_OP = 'INSERT' THEN"
  "    INSERT INTO public.witness (key, op) VALUES (NEW.id, 'i');"
  "  ELSIF TG_OP = 'DELETE' THEN"
  "    INSERT INTO public.witness (key, op) VALUES (OLD.id, 'd');"
  "  ELSE"
  "    INSERT INTO public.witness (key, op) VALUES (OLD.id, 'u');"
  "    IF NEW.id <> OLD.id THEN"
  "      INSERT INTO public.witness (key, op) VALUES (NEW.id, 'm');"
  "    END IF;"
  "  END IF; RETURN NULL; END $$;"
  "CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON kept"
  "  FOR EACH ROW EXECUTE FUNCTION note();";

constexpr auto late_table =
  "CREATE TABLE late (id int PRIMARY KEY, n int); INSERT INTO late"
  " SELECT i, 0 FROM generate_series(1, 20000) i;";

constexpr auto replica_triggers =
  "CREATE TABLE witness (n INTEGER PRIMARY KEY, key, op);"
  "CREATE TRIGGER w_i AFTER INSERT ON \"public.kept\" BEGIN INSERT INTO"
  " witness (key, op) VALUES (NEW.id, 'i'); END;"
  "CREATE TRIGGER w_d AFTER DELETE ON \"public.kept\" BEGIN INSERT INTO"
  " witness (key, op) VALUES (OLD.id, 'd'); END;"
  "CREATE TRIGGER w_u AFTER UPDATE ON \"public.kept\" BEGIN INSERT INTO"
  " witness (key, op) VALUES (OLD.id, 'u'); INSERT INTO witness (key, op)"
  " SELECT NEW.id, 'm' WHERE NEW.id <> OLD.id; END;";

// Two writers, whose transactions meet on some rows.
class traffic {
public:
  traffic(std::string to, std::uint64_t seed) {
    for (std::uint64_t i = 0; i < 2; ++i)
      writers_.emplace_back(
        [this, to, seed, i] { write(to, std::mt19937_64{seed + i}); });
  }
  ~traffic() {
    stop_ = true;
    for (auto& x : writers_)
      x.join();
  }
  traffic(const traffic&) = delete;
  traffic& operator=(const traffic&) = delete;

private:
  void write(const std::string& to, std::mt19937_64 random) const {
    while (!stop_) {
      auto db = connection::open(to, connection::kind::plain);
      while (db && !stop_ && db->run(transaction(random)))
        std::this_thread::sleep_for(500us);
      std::this_thread::sleep_for(5ms); // the server comes back
    }
  }
  static std::string transaction(std::mt19937_64& random) {
    auto result = std::string{"BEGIN;"};
    for (auto n = 1 + random() % 4; n > 0; --n) {
      auto id = random() % 500;
      auto roll = random() % 10;
      if (roll < 5)
        result += fmt::format("INSERT INTO public.kept VALUES ({}, {}, '{}')"
                              " ON CONFLICT (id) DO UPDATE SET n ="
                              " excluded.n;",
                              id, random() % 1000, std::string(roll * 40, 'x'));
      else if (roll < 8)
        result += fmt::format("DELETE FROM public.kept WHERE id = {};", id);
      else
        result += fmt::format("UPDATE public.kept SET id = id + 1000 WHERE id"
                              " = {} AND NOT EXISTS (SELECT FROM public.kept"
                              " WHERE id = {});",
                              id, id + 1000);
    }
    auto late = 1 + random() % 20'000;
    result += fmt::format("DO $$ BEGIN"
                          " IF to_regclass('public.late') IS NOT NULL THEN"
                          " UPDATE public.late SET n = n + 1 WHERE id ="
                          " {}; DELETE FROM public.late WHERE id = {}; END IF;"
                          " END $$;",
                          late, late / 2);
    // Some roll back, and some meet and fail: that is an end, too.
    return result + (random() % 10 == 0 ? "ROLLBACK" : "COMMIT");
  }

  std::atomic<bool> stop_ = false;
  std::vector<std::thread> writers_;
};

int wanted(const char* name, int otherwise) {
  const auto* given = std::getenv(name);
  return given != nullptr ? std::atoi(given) : otherwise;
}

std::map<std::string, std::string> made_by(throwaway_postgres& server,
                                           const std::string& database) {
  auto result = std::map<std::string, std::string>{};
  auto db = connection::open(server.conninfo(database),
                             connection::kind::plain);
  REQUIRE(db.has_value());
  auto rows = db->run("SELECT key, string_agg(op, '' ORDER BY n) FROM"
                      " public.witness GROUP BY key");
  REQUIRE(rows.has_value());
  for (int i = 0; i < rows->rows(); ++i)
    result[std::string{rows->text(i, 0)}] = rows->text(i, 1);
  return result;
}

std::map<std::string, std::string> applied_to(const std::string& replica) {
  auto db = look_into(replica);
  auto query = statement{db.get(), "SELECT key, op FROM witness ORDER BY n"};
  auto result = std::map<std::string, std::string>{};
  while (query.step())
    result[std::string{query.bytes(0)}] += query.bytes(1);
  return result;
}

} // namespace

TEST_CASE("SIGKILLs and a server that crashes: each change is applied once") {
  if (!throwaway_postgres::available()) {
    MESSAGE("SKIPPED: no PostgreSQL server here");
    return;
  }
  auto uut = rig{choose_seed()};
  CAPTURE(uut.seed);
  auto server = throwaway_postgres{};
  auto database = server.make_database();
  server.run(database, tables);
  uut.source = server.conninfo(database);
  uut.settings = {"--segment-bytes", "65536"};
  uut.tables = "public.kept,public.lat?";
  uut.finish();
  look_into(uut.replica).exec(replica_triggers);
  auto kills = wanted("SLUICE_PG_KILLS", 10);
  auto crashes = wanted("SLUICE_PG_CRASHES", 2);
  auto began = clock::now();
  {
    auto writers = traffic{uut.source, uut.seed};
    for (auto i = 0; i < kills; ++i) {
      uut.start();
      if (i == kills / 3)
        server.run(database, late_table);
      std::this_thread::sleep_for(uut.between(20, 700));
      if (i * crashes / kills != (i + 1) * crashes / kills) {
        server.crash();
        server.start();
        std::this_thread::sleep_for(uut.between(20, 700));
      }
      uut.kill();
    }
    std::this_thread::sleep_for(200ms);
  }
  uut.finish();
  auto made = made_by(server, database);
  auto applied = applied_to(uut.replica);
  auto changes = std::size_t{0};
  for (const auto& x : made)
    changes += x.second.size();
  CHECK(changes > 500);
  auto wrong = 0;
  for (const auto& x : made)
    if (applied[x.first] != x.second && ++wrong <= 5)
      FAIL_CHECK(x.first, ": made ", x.second, ", applied ", applied[x.first]);
  CHECK(applied.size() == made.size());
  constexpr auto sums = "SELECT count(*) || ' ' || sum(id) || ' ' || sum(n * id"
                        ") FROM ";
  auto db = look_into(uut.replica);
  auto late = statement{db.get(), sums + std::string{"\"public.late\""}};
  REQUIRE(late.step());
  CHECK(late.bytes(0) == server.ask(database, sums + std::string{"late"}));
  MESSAGE("seed ", uut.seed, ": ", kills, " kills, ", crashes, " crashes, ",
          changes, " changes of ", made.size(), " keys, ",
          (clock::now() - began) / 1ms, " ms");
}
