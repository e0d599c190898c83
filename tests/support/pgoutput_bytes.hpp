#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "actors/sources/postgres/pgoutput.hpp"

/// Messages of pgoutput as bytes, after section 55.9 of PostgreSQL's manual and
/// not after the decoder.
namespace sluice::test {

/// Numbers in network order, strings as the protocol has them.
class pgoutput_bytes {
public:
  explicit pgoutput_bytes(char kind) : bytes_{kind} {
    // nop
  }
  pgoutput_bytes& int8(unsigned x) { return number(x, 1); }
  pgoutput_bytes& int16(std::size_t x) { return number(x, 2); }
  pgoutput_bytes& int32(std::uint64_t x) { return number(x, 4); }
  pgoutput_bytes& int64(std::uint64_t x) { return number(x, 8); }
  pgoutput_bytes& tag(char x) {
    return number(static_cast<unsigned char>(x), 1);
  }
  pgoutput_bytes& string(std::string_view x) {
    bytes_ += x;
    return tag('\0');
  }
  pgoutput_bytes& sized(std::string_view x) {
    int32(x.size());
    bytes_ += x;
    return *this;
  }
  pgoutput_bytes& tuple(const postgres::tuple& x) {
    int16(x.size());
    for (const auto& value : x) {
      tag("nutb"[static_cast<int>(value.kind)]);
      if (value.kind >= postgres::value_kind::text)
        sized(value.bytes);
    }
    return *this;
  }

  operator std::string() const { return bytes_; }

private:
  pgoutput_bytes& number(std::uint64_t x, int size) {
    for (int i = size - 1; i >= 0; --i)
      bytes_ += static_cast<char>(x >> (8 * i));
    return *this;
  }

  std::string bytes_;
};

/// What a server would send.
struct pgoutput_encoder {
  using bytes = pgoutput_bytes;

  static std::uint64_t time(std::int64_t unix_us) {
    return static_cast<std::uint64_t>(unix_us) - 946'684'800'000'000U;
  }
  static std::string_view schema(std::string_view x) {
    return x == "pg_catalog" ? "" : x;
  }

  std::string operator()(const postgres::begin_message& x) const {
    return bytes{'B'}.int64(x.final_lsn).int64(time(x.commit_us)).int32(x.xid);
  }
  std::string operator()(const postgres::commit_message& x) const {
    return bytes{'C'}
      .int8(0)
      .int64(x.commit_lsn)
      .int64(x.end_lsn)
      .int64(time(x.commit_us));
  }
  std::string operator()(const postgres::origin_message& x) const {
    return bytes{'O'}.int64(x.commit_lsn).string(x.name);
  }
  std::string operator()(const postgres::relation_message& x) const {
    auto result = bytes{'R'};
    result.int32(x.id).string(schema(x.schema)).string(x.name).tag(x.identity);
    result.int16(x.columns.size());
    for (const auto& column : x.columns)
      result.int8(column.in_identity ? 1 : 0)
        .string(column.name)
        .int32(column.type)
        .int32(static_cast<std::uint32_t>(column.modifier));
    return result;
  }
  std::string operator()(const postgres::type_message& x) const {
    return bytes{'Y'}.int32(x.id).string(schema(x.schema)).string(x.name);
  }
  std::string operator()(const postgres::insert_message& x) const {
    return bytes{'I'}.int32(x.relation).tag('N').tuple(x.after);
  }
  std::string operator()(const postgres::update_message& x) const {
    auto result = bytes{'U'};
    result.int32(x.relation);
    if (x.kind != postgres::old_row::none)
      result.tag(x.kind == postgres::old_row::key ? 'K' : 'O').tuple(x.before);
    return result.tag('N').tuple(x.after);
  }
  std::string operator()(const postgres::delete_message& x) const {
    return bytes{'D'}
      .int32(x.relation)
      .tag(x.kind == postgres::old_row::key ? 'K' : 'O')
      .tuple(x.before);
  }
  std::string operator()(const postgres::truncate_message& x) const {
    auto result = bytes{'T'};
    result.int32(x.relations.size());
    result.int8((x.cascade ? 1U : 0U) | (x.restart_identity ? 2U : 0U));
    for (auto id : x.relations)
      result.int32(id);
    return result;
  }
  std::string operator()(const postgres::logical_message& x) const {
    return bytes{'M'}
      .int8(x.transactional ? 1 : 0)
      .int64(x.at)
      .string(x.prefix)
      .sized(x.content);
  }
};

[[nodiscard]] inline std::string encoded(const postgres::message& x) {
  return std::visit(pgoutput_encoder{}, x);
}

} // namespace sluice::test
