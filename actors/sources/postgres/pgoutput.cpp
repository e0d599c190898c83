#include "actors/sources/postgres/pgoutput.hpp"

#include <charconv>
#include <cstdio>
#include <limits>
#include <optional>

namespace sluice::postgres {

namespace {

constexpr auto wrong_protocol =
  "A defect, or a server that speaks more than protocol version 1; report it "
  "with the server's version";

// Walks over a payload. What does not fit is noted, once, and everything read
// afterwards is 0 or empty: only the end needs to ask whether all went well.
class reader {
public:
  explicit reader(std::string_view payload) noexcept : payload_{payload} {
    // nop
  }

  template <class T>
  T number() {
    if (left() < sizeof(T)) {
      refuse("a number of " + std::to_string(sizeof(T)) + " bytes, "
             + std::to_string(left()) + " are left");
      return 0;
    }
    auto result = std::uint64_t{};
    for (std::size_t i = 0; i < sizeof(T); ++i)
      result = result << 8U | static_cast<unsigned char>(payload_[at_ + i]);
    at_ += sizeof(T);
    return static_cast<T>(result);
  }

  std::string_view bytes() {
    auto size = number<std::uint32_t>();
    if (size > left()) {
      refuse(std::to_string(size) + " bytes, " + std::to_string(left())
             + " are left");
      return {};
    }
    auto result = payload_.substr(at_, size);
    at_ += size;
    return result;
  }

  // Up to its NUL.
  std::string_view text() {
    auto end = payload_.find('\0', at_);
    if (end == std::string_view::npos) {
      refuse("a string without an end");
      return {};
    }
    auto result = payload_.substr(at_, end - at_);
    at_ = end + 1;
    return result;
  }

  // How many things follow, of which each takes `size_min` bytes or more.
  template <class T>
  std::size_t count(std::size_t size_min) {
    auto result = number<T>();
    if (result <= left() / size_min)
      return result;
    refuse(std::to_string(result) + " elements, " + std::to_string(left())
           + " bytes are left");
    return 0;
  }

  // One byte, one of `known`.
  char one_of(std::string_view known) {
    auto result = number<char>();
    if (!problem_ && known.find(result) == std::string_view::npos) {
      --at_;
      refuse("byte " + std::to_string(static_cast<unsigned char>(result))
             + " has no meaning here");
    }
    return result;
  }

  void refuse(std::string what) {
    if (!problem_) {
      problem_ = std::move(what);
      problem_at_ = at_;
    }
    at_ = payload_.size();
  }

  [[nodiscard]] std::size_t left() const noexcept {
    return payload_.size() - at_;
  }

  [[nodiscard]] status finish() {
    if (left() > 0)
      refuse("the message is over, " + std::to_string(left())
             + " bytes are left");
    if (!problem_)
      return {};
    return fail(errc::malformed,
                "pgoutput message " + kind() + ", offset "
                  + std::to_string(problem_at_) + ": " + *problem_,
                wrong_protocol);
  }

private:
  [[nodiscard]] std::string kind() const {
    if (payload_.empty())
      return "of 0 bytes";
    auto kind = payload_.front();
    if (kind > ' ' && kind <= '~')
      return {'\'', kind, '\''};
    return std::to_string(static_cast<unsigned char>(kind));
  }

  std::string_view payload_;
  std::size_t at_ = 0;
  std::optional<std::string> problem_;
  std::size_t problem_at_ = 0;
};

// PostgreSQL counts microseconds since 2000-01-01.
std::int64_t read_time(reader& from) {
  constexpr auto epoch = std::int64_t{946'684'800'000'000};
  auto time = from.number<std::int64_t>();
  if (time > std::numeric_limits<std::int64_t>::max() - epoch) {
    from.refuse("a time that no clock shows");
    return 0;
  }
  return time + epoch;
}

// Of a relation or a type; that of the catalog is left out.
void read_schema(reader& from, std::string& into) {
  auto name = from.text();
  into = name.empty() ? std::string_view{"pg_catalog"} : name;
}

void read_tuple(reader& from, tuple& into) {
  into.resize(from.count<std::uint16_t>(1));
  for (auto& x : into) {
    x = {};
    switch (from.one_of("nutb")) {
      case 'u':
        x.kind = value_kind::unchanged;
        break;
      case 't':
        x = {value_kind::text, from.bytes()};
        break;
      case 'b':
        x = {value_kind::binary, from.bytes()};
        break;
      default:
        break;
    }
  }
}

old_row kind_of(char tag) noexcept {
  return tag == 'K' ? old_row::key : old_row::full;
}

// -- one function per message, in the order of the manual ---------------------

void read(reader& from, begin_message& into) {
  into.final_lsn = from.number<lsn>();
  into.commit_us = read_time(from);
  into.xid = from.number<std::uint32_t>();
}

void read(reader& from, logical_message& into) {
  into.transactional = from.one_of({"\0\1", 2}) == 1;
  into.at = from.number<lsn>();
  into.prefix = from.text();
  into.content = from.bytes();
}

void read(reader& from, commit_message& into) {
  from.one_of({"\0", 1}); // flags, without a use so far
  into.commit_lsn = from.number<lsn>();
  into.end_lsn = from.number<lsn>();
  into.commit_us = read_time(from);
}

void read(reader& from, origin_message& into) {
  into.commit_lsn = from.number<lsn>();
  into.name = from.text();
}

void read(reader& from, relation_message& into) {
  into.id = from.number<oid>();
  read_schema(from, into.schema);
  into.name = from.text();
  into.identity = from.one_of("dnfi");
  into.columns.resize(from.count<std::uint16_t>(10));
  for (auto& x : into.columns) {
    x.in_identity = from.one_of({"\0\1", 2}) == 1;
    x.name = from.text();
    x.type = from.number<oid>();
    x.modifier = from.number<std::int32_t>();
  }
}

void read(reader& from, type_message& into) {
  into.id = from.number<oid>();
  read_schema(from, into.schema);
  into.name = from.text();
}

void read(reader& from, insert_message& into) {
  into.relation = from.number<oid>();
  from.one_of("N");
  read_tuple(from, into.after);
}

void read(reader& from, update_message& into) {
  into.relation = from.number<oid>();
  into.kind = old_row::none;
  into.before.clear();
  auto tag = from.one_of("KON");
  if (tag != 'N') {
    into.kind = kind_of(tag);
    read_tuple(from, into.before);
    from.one_of("N");
  }
  read_tuple(from, into.after);
}

void read(reader& from, delete_message& into) {
  into.relation = from.number<oid>();
  into.kind = kind_of(from.one_of("KO"));
  read_tuple(from, into.before);
}

void read(reader& from, truncate_message& into) {
  auto count = from.number<std::uint32_t>();
  auto options = from.one_of({"\0\1\2\3", 4});
  into.cascade = (options & 1) != 0;
  into.restart_identity = (options & 2) != 0;
  if (count > from.left() / sizeof(oid))
    return from.refuse(std::to_string(count) + " relations, "
                       + std::to_string(from.left()) + " bytes are left");
  into.relations.resize(count);
  for (auto& x : into.relations)
    x = from.number<oid>();
}

// The message in `into`, if it is of that kind, for the memory that it has.
template <class Message>
void read_as(reader& from, message& into) {
  auto* held = std::get_if<Message>(&into);
  read(from, held != nullptr ? *held : into.emplace<Message>());
}

} // namespace

status decode(std::string_view payload, message& into) {
  auto from = reader{payload};
  switch (from.one_of("BMCORYIUDT")) {
    case 'B':
      read_as<begin_message>(from, into);
      break;
    case 'M':
      read_as<logical_message>(from, into);
      break;
    case 'C':
      read_as<commit_message>(from, into);
      break;
    case 'O':
      read_as<origin_message>(from, into);
      break;
    case 'R':
      read_as<relation_message>(from, into);
      break;
    case 'Y':
      read_as<type_message>(from, into);
      break;
    case 'I':
      read_as<insert_message>(from, into);
      break;
    case 'U':
      read_as<update_message>(from, into);
      break;
    case 'D':
      read_as<delete_message>(from, into);
      break;
    case 'T':
      read_as<truncate_message>(from, into);
      break;
    default:
      break; // refused already
  }
  return from.finish();
}

std::string to_string_lsn(lsn x) {
  char text[24];
  auto size = std::snprintf(text, sizeof text, "%X/%X",
                            static_cast<unsigned>(x >> 32U),
                            static_cast<unsigned>(x));
  return {text, static_cast<std::size_t>(size)};
}

lsn parse_lsn(std::string_view text) noexcept {
  auto slash = text.find('/');
  if (slash == std::string_view::npos)
    return 0;
  auto result = lsn{};
  for (auto half : {text.substr(0, slash), text.substr(slash + 1)}) {
    auto number = std::uint32_t{};
    const auto* end = half.data() + half.size();
    auto parsed = std::from_chars(half.data(), end, number, 16);
    if (half.size() > 8 || parsed.ec != std::errc{} || parsed.ptr != end)
      return 0;
    result = result << 32U | number;
  }
  return result;
}

} // namespace sluice::postgres
