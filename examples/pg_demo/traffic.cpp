#include "pg_demo/traffic.hpp"

#include <stdexcept>

#include <fmt/format.h>

#include "pg_demo/tables.hpp"

namespace pg_demo {

traffic::traffic(const std::string& conninfo, std::uint64_t seed)
  : dice_{seed}, thread_{[this, conninfo] {
      try {
        write(conninfo);
      } catch (const std::exception& x) {
        failure_ = x.what();
      }
    }} {
  // nop
}

traffic::~traffic() {
  stopping_ = true;
  if (thread_.joinable())
    thread_.join();
}

void traffic::stop() {
  stopping_ = true;
  if (thread_.joinable())
    thread_.join();
  if (failure_)
    throw std::runtime_error{"the writer: " + *failure_};
}

void traffic::write(const std::string& conninfo) {
  auto db = plain_postgres::database{conninfo};
  columns_ = db.ask("SELECT string_agg(attname, ', ' ORDER BY attnum) "
                    "FROM pg_attribute WHERE attrelid = 'every_type'::regclass "
                    "AND attnum > 1"); // without id
  while (!stopping_) {
    transact(db);
    ++transactions_;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

void traffic::transact(plain_postgres::database& db) {
  if (dice_.percent(2)) {
    try {
      // A copy that reads the table is in the way.
      db.run("SET lock_timeout = 50; TRUNCATE emptied");
    } catch (const plain_postgres::failure& x) {
      if (x.state != "55P03")
        throw;
    }
    return;
  }
  auto sql = "BEGIN; " + changes(6);
  if (dice_.percent(30))
    sql += "SAVEPOINT s; " + changes(4) + "ROLLBACK TO s; " + changes(3);
  if (dice_.percent(10))
    sql += "SAVEPOINT t; " + changes(4) + "RELEASE t; ";
  db.run(sql + (dice_.percent(92) ? "COMMIT" : "ROLLBACK"));
}

std::string traffic::changes(std::uint64_t count_max) {
  auto result = std::string{};
  for (auto i = dice_.roll(count_max) + 1; i > 0; --i)
    result += change() + "; ";
  return result;
}

std::string traffic::change() {
  auto what = dice_.roll(100);
  if (what < 30)
    return change_every_type();
  if (what < 55)
    return change_document();
  if (what < 70)
    return change_key();
  if (what < 80)
    return fmt::format("INSERT INTO emptied VALUES ({}, {}) ON CONFLICT (id) "
                       "DO UPDATE SET n = emptied.n + 1",
                       dice_.roll(1'000), dice_.roll(1'000));
  return change_big();
}

std::uint64_t traffic::number() {
  return dice_.next() >> 1U;
}

std::string traffic::change_every_type() {
  auto id = dice_.roll(4'000);
  auto what = dice_.roll(10);
  if (what < 2)
    return fmt::format("DELETE FROM every_type WHERE id = {}", id);
  if (what < 5)
    return fmt::format("INSERT INTO every_type SELECT x.* FROM "
                       "every_type_row({}, {}) AS x ON CONFLICT DO NOTHING",
                       id, number());
  if (what < 6)
    return fmt::format("UPDATE every_type SET a_text = NULL, a_mood = 'well', "
                       "a_jsonb = NULL WHERE id = {}",
                       id);
  return fmt::format("UPDATE every_type SET ({0}) = (SELECT {0} FROM "
                     "every_type_row({1}, {2})) WHERE id = {1}",
                     columns_, id, number());
}

std::string traffic::change_document() {
  auto id = dice_.roll(700);
  auto what = dice_.roll(20);
  if (what < 1)
    return fmt::format("DELETE FROM documents WHERE id = {}", id);
  if (what < 3)
    return fmt::format("INSERT INTO documents VALUES ({}, 'new', 0, "
                       "long_text({})) ON CONFLICT DO NOTHING",
                       id, number());
  if (what < 4)
    return fmt::format("UPDATE documents SET body = long_text({}) "
                       "WHERE id = {}",
                       number(), id);
  // The key changes, the body stays where it is.
  if (what < 6)
    return fmt::format("UPDATE documents SET id = {0} WHERE id = {1} AND NOT "
                       "EXISTS (SELECT 1 FROM documents WHERE id = {0})",
                       dice_.roll(700), id);
  return fmt::format("UPDATE documents SET views = views + 1, title = "
                     "'seen ' || {} WHERE id = {}",
                     dice_.roll(1'000), id);
}

std::string traffic::change_key() {
  auto a = dice_.roll(2'500);
  auto b = dice_.roll(10);
  switch (dice_.roll(4)) {
    case 0:
      return fmt::format("DELETE FROM moving WHERE a = {}", a);
    case 1:
      return fmt::format("INSERT INTO moving VALUES ({}, 'b{}', 'again') "
                         "ON CONFLICT DO NOTHING",
                         a, b);
    default:
      return fmt::format("UPDATE moving SET a = {0}, b = 'b{1}', note = 'moved "
                         "from ' || a WHERE ctid = (SELECT ctid FROM moving "
                         "WHERE a >= {2} LIMIT 1) AND NOT EXISTS (SELECT 1 "
                         "FROM moving WHERE a = {0} AND b = 'b{1}')",
                         dice_.roll(2'500), b, a);
  }
}

// Most go, all over the table, also from what is being copied.
std::string traffic::change_big() {
  auto id = dice_.roll(big_rows) + 1;
  auto what = dice_.roll(10);
  if (what < 5)
    return fmt::format("DELETE FROM big WHERE id BETWEEN {} AND {}", id,
                       id + dice_.roll(20));
  if (what < 8)
    return fmt::format("UPDATE big SET code = 'changed {}' WHERE id BETWEEN {} "
                       "AND {}",
                       number(), id, id + dice_.roll(5));
  return fmt::format("INSERT INTO big VALUES ({}, 'new', 'x')",
                     big_rows + ++inserted_);
}

} // namespace pg_demo
