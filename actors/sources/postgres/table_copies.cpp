#include "actors/sources/postgres/table_copies.hpp"

#include <algorithm>
#include <utility>

#include <libpq-fe.h>

#include "actors/sources/postgres/pg_relation.hpp"

namespace sluice::postgres {

namespace {

constexpr std::size_t piece_bytes = 256U << 10U;

std::string select(const captured_table& x, bool partitioned) {
  auto columns = std::string{};
  for (const auto& c : x.columns)
    columns += (columns.empty() ? "" : ", ") + quoted_name(c.name);
  // Heirs of a plain table are tables of their own in a publication.
  return "COPY (SELECT " + columns + " FROM " + (partitioned ? "" : "ONLY ")
         + quoted_name(x.schema) + "." + quoted_name(x.name) + ") TO STDOUT";
}

char unescaped(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return c;
  }
}

} // namespace

void next_line(std::string_view& lines,
               std::vector<std::optional<std::string>>& fields) {
  auto count = std::size_t{0};
  auto begin_field = [&]() -> std::string& {
    if (fields.size() <= count)
      fields.emplace_back();
    auto& result = fields[count++];
    if (!result)
      result.emplace();
    result->clear();
    return *result;
  };
  auto* field = &begin_field();
  std::size_t i = 0;
  for (; i < lines.size() && lines[i] != '\n'; ++i) {
    auto c = lines[i];
    if (c == '\t') {
      field = &begin_field();
    } else if (c != '\\' || i + 1 == lines.size()) {
      *field += c;
    } else if (lines[++i] == 'N' && field->empty()) {
      fields[count - 1].reset(); // the whole field: a text's \ is doubled
    } else {
      *field += unescaped(lines[i]);
    }
  }
  fields.resize(count);
  lines.remove_prefix(std::min(i + 1, lines.size()));
}

table_copies::request table_copies::of(const postgres_source_options& options,
                                       std::vector<captured_table> tables,
                                       std::string snapshot) {
  auto result = request{};
  result.conninfo = options.conninfo;
  result.snapshot = std::move(snapshot);
  result.tables = std::move(tables);
  result.connections = options.copy_connections;
  result.queue_bytes = options.queue_bytes;
  result.patience = options.patience;
  return result;
}

expected<std::unique_ptr<table_copies>> table_copies::start(request what) {
  auto result = std::unique_ptr<table_copies>{
    new table_copies{std::move(what)}};
  auto& x = *result;
  auto wanted = std::clamp<std::size_t>(
    x.what_.connections, 1, std::max<std::size_t>(x.what_.tables.size(), 1));
  for (std::size_t i = 0; i < wanted; ++i) {
    auto opened = connection::open(x.what_.conninfo, connection::kind::plain,
                                   x.what_.patience);
    if (!opened)
      return tl::unexpected{std::move(opened.error())};
    x.connections_.push_back(std::make_unique<connection>(std::move(*opened)));
    if (auto done = x.import_snapshot(*x.connections_.back()); !done)
      return tl::unexpected{std::move(done.error())};
  }
  for (const auto& c : x.connections_)
    x.threads_.emplace_back([&x, from = c.get()] { x.copy_some(*from); });
  return result;
}

table_copies::~table_copies() {
  queue_.stop();
  for (const auto& c : connections_)
    c->cancel();
  for (auto& thread : threads_)
    thread.join();
}

status table_copies::import_snapshot(connection& to) const {
  for (const auto& sql :
       {std::string{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
        "SET TRANSACTION SNAPSHOT " + quoted_text(what_.snapshot)})
    if (auto done = to.run(sql); !done) {
      // It ends with who made it: the next try makes another one.
      done.error().code = errc::source_unavailable;
      return tl::unexpected{std::move(done.error())};
    }
  // What is copied must be what was looked at before.
  auto now = what_.tables;
  for (auto& x : now)
    x.columns.clear();
  if (auto read = read_columns(to, now); !read)
    return read;
  auto same_column = [](const auto& x, const auto& y) {
    return x.name == y.name && x.type == y.type && x.modifier == y.modifier
           && x.key_part == y.key_part;
  };
  for (std::size_t i = 0; i < now.size(); ++i)
    if (!std::equal(now[i].columns.begin(), now[i].columns.end(),
                    what_.tables[i].columns.begin(),
                    what_.tables[i].columns.end(), same_column))
      return fail(errc::source_unavailable,
                  to.where() + ": table " + now[i].qualified()
                    + " changed while its copy began",
                  "It is tried again.");
  return {};
}

// -- the threads --------------------------------------------------------------

void table_copies::copy_some(connection& from) {
  while (auto table = queue_.next_table())
    if (auto done = copy_one(from, *table); !done)
      return queue_.fail_with(std::move(done.error()));
  // Its rows may be taken much later: no lock has to last until then.
  auto ignored = from.run("COMMIT");
}

status table_copies::copy_one(connection& from, std::size_t table) {
  const auto& of = what_.tables[table];
  auto kind = from.run("SELECT relkind FROM pg_catalog.pg_class WHERE oid = "
                       + std::to_string(of.id));
  if (!kind)
    return tl::unexpected{std::move(kind.error())};
  auto partitioned = kind->rows() == 1 && kind->text(0, 0) == "p";
  if (auto begun = from.run(select(of, partitioned)); !begun)
    return tl::unexpected{std::move(begun.error())};
  auto next = copied_piece{table, {}, false};
  char* line = nullptr;
  for (auto size = 0; (size = PQgetCopyData(from.handle(), &line, 0)) >= 0;) {
    // Only now: the last piece must have a row, where there is one, for the
    // end of the copy stands behind it.
    auto full = next.lines.size() >= piece_bytes;
    auto go_on = !full || queue_.put(std::exchange(next, {table, {}, false}));
    next.lines.append(line, static_cast<std::size_t>(size));
    PQfreemem(line);
    if (!go_on)
      return {};
  }
  auto ended = status{};
  while (auto* last = PQgetResult(from.handle())) {
    if (PQresultStatus(last) != PGRES_COMMAND_OK)
      ended = fail(errc::source_unavailable, from.where() + ": copy of "
                                               + of.qualified() + ": "
                                               + PQresultErrorMessage(last));
    PQclear(last);
  }
  next.last = true;
  if (ended)
    queue_.put(std::move(next));
  return ended;
}

// -- SOURCE -------------------------------------------------------------------

expected<std::optional<copied_piece>>
table_copies::take(std::chrono::milliseconds wait) {
  auto result = queue_.take(wait);
  if (result && *result && (*result)->last)
    ++ended_;
  return result;
}

} // namespace sluice::postgres
