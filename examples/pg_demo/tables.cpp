#include "pg_demo/tables.hpp"

namespace pg_demo {

namespace {

constexpr auto types = R"(
CREATE TYPE mood AS ENUM ('sad', 'well', 'very "happy"');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TYPE place AS (x integer, label text);
CREATE TABLE every_type (
  id integer PRIMARY KEY,
  a_boolean boolean, a_smallint smallint, an_integer integer, a_bigint bigint,
  an_oid oid, a_real real, a_double double precision, a_numeric numeric,
  a_price numeric(12, 2), a_text text, a_varchar varchar(60), a_char char(8),
  a_bytea bytea, a_date date, a_time time, a_timetz timetz,
  a_timestamp timestamp, a_timestamptz timestamptz, an_interval interval,
  a_uuid uuid, a_json json, a_jsonb jsonb, some_integers integer[],
  some_texts text[][], some_moods mood[], a_mood mood, a_positive positive,
  a_place place, a_range int4range, a_period tstzrange, an_inet inet,
  some_bits bit varying(20), a_point point, an_xid xid
);
)";

// A row of every_type is a function of a random number.
constexpr auto every_type_row = R"(
CREATE FUNCTION every_type_row(id integer, r bigint) RETURNS every_type
LANGUAGE sql IMMUTABLE AS $$
SELECT ROW(
  id, r % 2 = 0, r % 65536 - 32768, r % 4294967296 - 2147483648,
  CASE WHEN r % 2 = 0 THEN r ELSE -r - 1 END, r % 4294967296,
  CASE r % 40 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' WHEN 2 THEN '-0'
    ELSE ((r % 1000003)::real / 7)::text END::real,
  CASE r % 41 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-0'
    ELSE (r::double precision / 3)::text END::double precision,
  CASE r % 42 WHEN 0 THEN 'NaN' ELSE r::numeric * 1e12 + 0.00000012340 END,
  (r % 1000000)::numeric / 100,
  CASE r % 10 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN '007' WHEN 3 THEN '\N'
    ELSE 'text ' || r || E'\t\n\\ "quoted" ''too'' \u00e4\u00f6 \u6f22' END,
  left(md5(r::text), (r % 33)::integer), left(md5(r::text), (r % 9)::integer),
  CASE r % 5 WHEN 0 THEN '' ELSE decode(md5(r::text), 'hex') || '\x0000' END,
  CASE r % 43 WHEN 0 THEN 'infinity' WHEN 1 THEN '0044-03-15 BC'
    ELSE (date '1900-01-01' + (r % 90000)::integer)::text END::date,
  time '00:00' + make_interval(secs => r % 86400 + 0.000001 * (r % 1000)),
  timetz '12:34:56.789+05:30',
  timestamp '1970-01-01' + make_interval(secs => r % 9999999999),
  timestamptz '1970-01-01 00:00Z' + make_interval(secs => r % 9999999999),
  make_interval(months => (r % 30)::integer, secs => -(r % 100000)),
  md5(r::text)::uuid, json_build_object('r', r, 'list', '[1,  null]'::json),
  jsonb_build_object('r', r, 'text', 'a"b', 'nothing', NULL),
  CASE r % 7 WHEN 0 THEN '{}' ELSE ARRAY[r % 100, NULL, -1] END::integer[],
  ARRAY[['a,b', '"q"'], ['', NULL]], ARRAY['sad', 'very "happy"']::mood[],
  (enum_range(NULL::mood))[1 + r % 3], 1 + r % 1000,
  CASE r % 6 WHEN 0 THEN NULL ELSE ROW(r % 10, 'a, "b"')::place END,
  CASE r % 8 WHEN 0 THEN 'empty' ELSE int4range((r % 9)::integer, 10) END,
  tstzrange(timestamptz '2024-02-29 00:00Z', NULL),
  inet '10.0.0.0/8' + r % 65536, (r % 1024)::integer::bit(10),
  point(r % 100, 0.5), (r % 1000)::text::xid
)::every_type $$;
INSERT INTO every_type SELECT x.* FROM generate_series(1, 3000) AS i,
  every_type_row(i, hashint8extended(i, 0) & 9223372036854775806) AS x;
INSERT INTO every_type (id) VALUES (0);
)";

// body stands outside the row, and is not sent when other columns change.
constexpr auto documents = R"(
CREATE FUNCTION long_text(r bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT repeat(md5(r::text) || ' ', 100 + (r % 200)::integer) $$;
CREATE TABLE documents (id integer PRIMARY KEY, title text, views integer,
  body text);
ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL;
INSERT INTO documents SELECT i, 'document ' || i, 0, long_text(i)
  FROM generate_series(1, 500) AS i;
)";

constexpr auto others = R"(
CREATE TABLE moving (a integer, b text, note text, PRIMARY KEY (a, b));
INSERT INTO moving SELECT i, 'b' || i % 10, 'new'
  FROM generate_series(1, 2000) AS i;
CREATE TABLE emptied (id integer PRIMARY KEY, n integer);
CREATE TABLE big (id integer PRIMARY KEY, code text, filler text);
INSERT INTO big SELECT i, md5(i::text), repeat(md5(i::text), 8)
  FROM generate_series(1, )";

} // namespace

void make_tables(plain_postgres::database& db) {
  db.run(types);
  db.run(every_type_row);
  db.run(documents);
  db.run(others + std::to_string(big_rows) + ") AS i");
  // pgbench makes it without a key: its updates could not be followed.
  db.run("ALTER TABLE pgbench_history ADD COLUMN id bigserial PRIMARY KEY");
  db.run("ANALYZE");
}

} // namespace pg_demo
