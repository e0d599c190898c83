#include "actors/sinks/json_lines/change_encoder.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <rapidjson/writer.h>

#include "actors/sinks/json_lines/json_text.hpp"
#include "actors/sinks/sqlite/decoded_row.hpp"

namespace sluice {

namespace {

using values = std::vector<value_view>;

// What Debezium writes for a value that the source did not say.
constexpr auto unavailable = std::string_view{"__debezium_unavailable_value"};

// RapidJSON's own buffer reserves six times the size of every text.
struct text_stream {
  using Ch = char;
  void Put(char x) { text->push_back(x); }
  void Flush() { /* nop */
  }
  std::string* text;
};

// Names of a table that is known to fit JSON.
struct table_shape {
  schema_version version;
  std::string table;
  std::vector<std::string> columns;
  table_key key;
};

// What the two lines of a change of the key have in common.
struct change {
  const table_shape& shape;
  row_view row;
  change_encoder::time_point now;
};

std::string_view snapshot(row_view row) {
  if (row.op() == row_op::snapshot_begin)
    return "first";
  return row.copied() ? "true" : "false";
}

} // namespace

struct change_encoder::impl {
  envelope_source source;
  std::unordered_map<table_id, table_shape> shapes;
  decoded_row decoded;
  std::string scratch;
  text_stream stream{&scratch};
  rapidjson::Writer<text_stream> writer{stream};

  expected<const table_shape*> shape_of(const table_schema& schema);
  status check_columns(const table_shape& shape, row_view row) const;

  void line(const change& x, std::string_view op, const values* before,
            const values* after);
  void image(std::string_view name, const table_shape& shape,
             const values* image, const values* older);
  void value(const value_view& x);
  void real(double x);
  void base64(std::string_view bytes);
  void origin(const change& x);

  void key(std::string_view x) {
    writer.Key(x.data(), static_cast<rapidjson::SizeType>(x.size()));
  }
  void string(std::string_view x) {
    writer.String(x.data(), static_cast<rapidjson::SizeType>(x.size()));
  }
  void member(std::string_view name, std::string_view x) {
    key(name);
    string(x);
  }
  void member(std::string_view name, std::uint64_t x) {
    key(name);
    writer.Uint64(x);
  }
};

change_encoder::change_encoder(envelope_source source)
  : impl_{std::make_unique<impl>()} {
  impl_->source = std::move(source);
}

change_encoder::change_encoder(change_encoder&&) noexcept = default;
change_encoder& change_encoder::operator=(change_encoder&&) noexcept = default;
change_encoder::~change_encoder() = default;

status change_encoder::append(const table_schema& schema, row_view row,
                              time_point now, std::string& to) {
  auto& x = *impl_;
  auto shape = x.shape_of(schema);
  if (!shape)
    return tl::unexpected{std::move(shape.error())};
  if (auto fits = x.check_columns(**shape, row); !fits)
    return fits;
  if (auto taken = x.decoded.assign(row, (*shape)->key); !taken)
    return taken;
  const auto* before = &x.decoded.before();
  const auto* after = &x.decoded.after();
  auto what = change{**shape, row, now};
  x.stream.text = &to;
  switch (row.op()) {
    case row_op::insert:
      x.line(what, row.copied() ? "r" : "c", nullptr, after);
      break;
    case row_op::update:
      if (x.decoded.moves()) {
        x.line(what, "d", before, nullptr);
        x.line(what, "c", nullptr, after);
      } else {
        x.line(what, "u", before, after);
      }
      break;
    case row_op::erase:
      x.line(what, "d", before, nullptr);
      break;
    case row_op::truncate:
    case row_op::snapshot_begin:
      x.line(what, "t", nullptr, nullptr);
      break;
  }
  return {};
}

expected<const table_shape*>
change_encoder::impl::shape_of(const table_schema& schema) {
  auto found = shapes.find(schema.table);
  if (found != shapes.end() && found->second.version == schema.version)
    return &found->second;
  auto shape = table_shape{schema.version, {}, {}, key_of(schema)};
  shape.table = shape.key.table;
  auto good = is_utf8(shape.table);
  for (const auto& x : schema.columns) {
    good = good && is_utf8(x.name);
    shape.columns.push_back(x.name);
  }
  if (!good)
    return fail(errc::invalid_option,
                to_string(schema.table)
                  + ": its name or that of a column is not UTF-8, so it cannot "
                    "be written as JSON",
                "Exclude it in the feed's rules.");
  return &shapes.insert_or_assign(schema.table, std::move(shape)).first->second;
}

status change_encoder::impl::check_columns(const table_shape& shape,
                                           row_view row) const {
  auto images = row.op() != row_op::truncate
                && row.op() != row_op::snapshot_begin;
  if (images && row.columns() != shape.columns.size())
    return fail(errc::malformed, "table \"" + shape.table + "\" has "
                                   + std::to_string(shape.columns.size())
                                   + " columns, the row at "
                                   + to_string(row.cursor()) + " has "
                                   + std::to_string(row.columns()));
  return {};
}

// `after` takes what it leaves unchanged from the image before it; of a change
// of the key that image is the line before.
void change_encoder::impl::line(const change& x, std::string_view op,
                                const values* before, const values* after) {
  writer.Reset(stream);
  writer.StartObject();
  image("before", x.shape, before, nullptr);
  image("after", x.shape, after, &decoded.before());
  origin(x);
  key("transaction");
  writer.Null();
  member("op", op);
  using namespace std::chrono;
  auto ns = static_cast<std::uint64_t>(
    duration_cast<nanoseconds>(x.now.time_since_epoch()).count());
  member("ts_ms", ns / 1'000'000);
  member("ts_us", ns / 1'000);
  member("ts_ns", ns);
  writer.EndObject();
  stream.Put('\n');
}

void change_encoder::impl::image(std::string_view name,
                                 const table_shape& shape, const values* image,
                                 const values* older) {
  key(name);
  if (image == nullptr) {
    writer.Null();
    return;
  }
  writer.StartObject();
  for (std::size_t i = 0; i < image->size(); ++i) {
    key(shape.columns[i]);
    auto known = (*image)[i].type != value_type::unchanged || older == nullptr
                 || older->size() <= i;
    value(known ? (*image)[i] : (*older)[i]);
  }
  writer.EndObject();
}

void change_encoder::impl::value(const value_view& x) {
  switch (x.type) {
    case value_type::null:
      writer.Null();
      break;
    case value_type::integer:
      writer.Int64(x.integer);
      break;
    case value_type::real:
      real(x.real);
      break;
    case value_type::text:
      if (is_utf8(x.bytes))
        string(x.bytes);
      else
        base64(x.bytes);
      break;
    case value_type::blob:
      base64(x.bytes);
      break;
    case value_type::unchanged:
      string(unavailable);
      break;
  }
}

void change_encoder::impl::real(double x) {
  // JSON has no number for these: the names that Debezium's JSON has.
  if (std::isnan(x))
    return string("NaN");
  if (std::isinf(x))
    return string(x > 0 ? "Infinity" : "-Infinity");
  // RapidJSON's digits lead back to `x`, but are not always the nearest ones.
  auto digits = std::array<char, 32>{};
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), x).ptr;
  scratch.assign(digits.data(), end);
  if (scratch.find_first_of(".e") == std::string::npos)
    scratch += ".0"; // stays a real
  writer.RawValue(scratch.data(), scratch.size(), rapidjson::kNumberType);
}

void change_encoder::impl::base64(std::string_view bytes) {
  scratch = '"';
  append_base64(scratch, bytes);
  scratch += '"';
  writer.StartObject();
  key("$base64");
  writer.RawValue(scratch.data(), scratch.size(), rapidjson::kStringType);
  writer.EndObject();
}

void change_encoder::impl::origin(const change& x) {
  auto us = x.row.recorded_us();
  auto cursor = x.row.cursor();
  key("source");
  writer.StartObject();
  member("version", source.version);
  member("connector", source.connector);
  member("name", source.name);
  member("ts_ms", us / 1'000);
  member("ts_us", us);
  member("ts_ns", us * 1'000);
  member("snapshot", snapshot(x.row));
  member("db", source.db);
  scratch = "[\"" + std::to_string(cursor.commit_ts.value) + "\",\""
            + std::to_string(cursor.start_ts.value) + "\",\""
            + std::to_string(cursor.position) + "\"]";
  member("sequence", scratch);
  member("table", x.shape.table);
  member("commit_ts", cursor.commit_ts.value);
  member("start_ts", cursor.start_ts.value);
  member("position", cursor.position);
  writer.EndObject();
}

std::string envelope_version() {
  return SLUICE_VERSION;
}

} // namespace sluice
