#include "actors/sources/postgres/row_assembly.hpp"

#include <algorithm>
#include <utility>

#include "actors/sources/postgres/pg_value.hpp"

namespace sluice::postgres {

namespace {

bool is_change(std::string_view payload) {
  return std::string_view{"IUDT"}.find(payload[0]) != std::string_view::npos;
}

oid number_at(std::string_view bytes, std::size_t at) {
  auto result = oid{0};
  for (std::size_t i = at; i < at + 4; ++i)
    result = result << 8 | static_cast<unsigned char>(bytes[i]);
  return result;
}

// Where in a change its relations stand: [first, last), four bytes each. None
// if it is too short, which `decode` says better.
std::pair<std::size_t, std::size_t> relations_at(std::string_view payload) {
  constexpr auto head = std::size_t{5}; // kind, and a number
  constexpr auto truncate_head = std::size_t{6};
  if (payload.size() < head)
    return {0, 0};
  if (payload[0] != 'T')
    return {1, head};
  return {truncate_head, payload.size()};
}

} // namespace

row_assembly::row_assembly(captured_tables& tables, row_cursor resume,
                           std::uint64_t base)
  : tables_{tables}, resume_{resume}, base_{base}, resolved_{resume.commit_ts} {
  // nop
}

status row_assembly::take(std::string_view& frames, std::size_t bytes_max,
                          lsn limit) {
  auto done = status{};
  while (done && !frames.empty() && rows_.size_bytes() < bytes_max
         && !reached(limit, frames))
    done = take_frame(frame_queue::next(frames));
  keep();
  return done;
}

bool row_assembly::reached(lsn limit, std::string_view frames) const {
  if (limit == std::numeric_limits<lsn>::max() || open_)
    return false;
  if (place_ >= limit)
    return true;
  if (frames.empty())
    return false;
  auto next = frame_queue::next(frames);
  if (next.payload.empty() || next.payload[0] != 'B')
    return false;
  auto begin = message{};
  return decode(next.payload, begin)
         && std::get<begin_message>(begin).final_lsn >= limit;
}

status row_assembly::take_frame(const frame_queue::frame& x) {
  if (x.payload.empty()) {
    if (!open_)
      pass(x.at);
    return {};
  }
  if (is_change(x.payload))
    return take_change(x);
  if (auto done = release(); !done)
    return done;
  if (auto decoded = decode(x.payload, message_); !decoded)
    return decoded;
  return std::visit([&](const auto& m) { return on(m, x.at); }, message_);
}

status row_assembly::take_change(const frame_queue::frame& x) {
  auto first = changes_ + 1;
  auto wanted = false;
  auto [from, end] = relations_at(x.payload);
  for (auto at = from; at + 4 <= end; at += 4, ++changes_) {
    const auto* of = tables_.find(number_at(x.payload, at));
    if (of != nullptr && of->adopted) {
      auto claimed = tables_.claim(number_at(x.payload, at), at_.commit_ts,
                                   schemas_);
      if (!claimed)
        return claimed;
    }
    wanted = wanted || (of != nullptr && of->of != nullptr);
  }
  auto last = row_cursor{at_.commit_ts, at_.start_ts, changes_};
  if (end > 0 && (!wanted || last <= resume_))
    return {};
  if (auto done = release(); !done)
    return done;
  held_ = x.payload;
  held_position_ = first;
  return {};
}

status row_assembly::release() {
  if (held_.empty())
    return {};
  at_.position = held_position_ - 1;
  auto done = decode(std::exchange(held_, {}), message_);
  if (done)
    done = std::visit([&](const auto& m) { return on(m, lsn{0}); }, message_);
  return done;
}

// To copy each change would cost more than to decode it.
void row_assembly::keep() {
  if (held_.empty() || held_.data() == kept_.data())
    return;
  kept_ = held_;
  held_ = kept_;
}

std::vector<ddl_event> row_assembly::take_schemas() {
  return std::exchange(schemas_, {});
}

block_ptr row_assembly::take_rows() {
  return rows_.empty() ? nullptr : rows_.finish();
}

// -- transactions -------------------------------------------------------------

void row_assembly::pass(lsn place) {
  place_ = std::max(place_, place);
  resolve(resolved_at(base_, place));
}

status row_assembly::on(const begin_message& x, lsn at) {
  open_ = true;
  has_rows_ = false;
  at_ = {{base_ + x.final_lsn}, {base_ + at}, 0};
  if (restamped_) {
    ++restamped_->start_ts.value;
    at_ = *restamped_;
  }
  changes_ = 0;
  held_ = {};
  committed_us_ = static_cast<std::uint64_t>(
    std::max<std::int64_t>(x.commit_us, 0));
  return {};
}

status row_assembly::on(const commit_message& x, lsn) {
  if (has_rows_)
    rows_.end();
  open_ = has_rows_ = false;
  resolve({base_ + x.commit_lsn});
  pass(x.end_lsn);
  return {};
}

// -- relations ----------------------------------------------------------------

status row_assembly::on(const relation_message& x, lsn) {
  return tables_.on_relation(x, at_.commit_ts, schemas_);
}

status row_assembly::on(const type_message& x, lsn) {
  tables_.set_type(x.id, x.schema + "." + x.name);
  return {};
}

// -- changes ------------------------------------------------------------------

const captured_tables::relation* row_assembly::next_change(oid of) {
  ++at_.position;
  const auto* found = tables_.find(of);
  if (at_ <= resume_ || found == nullptr || found->of == nullptr)
    return nullptr;
  return found;
}

status row_assembly::decode_values(const captured_tables::relation& of,
                                   const tuple& x, values& into,
                                   std::vector<std::string>& scratch) const {
  if (x.size() != of.types.size())
    return fail(errc::malformed, of.of->name + ": a row of "
                                   + std::to_string(x.size())
                                   + " columns, the relation has "
                                   + std::to_string(of.types.size()));
  into.clear();
  if (scratch.size() < x.size())
    scratch.resize(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    auto value = to_value(of.types[i], x[i], scratch[i]);
    if (!value)
      return tl::unexpected<error>{value.error()};
    into.push_back(*value);
  }
  return {};
}

// Of the row before only the key is known.
void row_assembly::keep_key(const captured_tables::relation& of, values& x) {
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!of.key_columns[i])
      x[i] = value_view::unchanged();
}

void row_assembly::add(row_op op, const captured_tables::relation& of,
                       const values& before, const values& after) {
  rows_.add({of.of->id, at_, op, false, of.version, committed_us_},
            of.key_columns, before, after);
  has_rows_ = true;
}

status row_assembly::on(const insert_message& x, lsn) {
  const auto* of = next_change(x.relation);
  if (of == nullptr)
    return {};
  if (auto done = decode_values(*of, x.after, after_, after_bytes_); !done)
    return done;
  add(row_op::insert, *of, {}, after_);
  return {};
}

status row_assembly::on(const update_message& x, lsn) {
  const auto* of = next_change(x.relation);
  if (of == nullptr)
    return {};
  auto done = decode_values(*of, x.after, after_, after_bytes_);
  if (!done)
    return done;
  // Without an old row the key is as in the new one.
  const auto& old = x.kind == old_row::none ? x.after : x.before;
  done = decode_values(*of, old, before_, before_bytes_);
  if (!done)
    return done;
  if (x.kind != old_row::full)
    keep_key(*of, before_);
  else
    for (std::size_t i = 0; i < after_.size(); ++i)
      if (after_[i].type == value_type::unchanged)
        after_[i] = before_[i];
  add(row_op::update, *of, before_, after_);
  return {};
}

status row_assembly::on(const delete_message& x, lsn) {
  const auto* of = next_change(x.relation);
  if (of == nullptr)
    return {};
  if (auto done = decode_values(*of, x.before, before_, before_bytes_); !done)
    return done;
  if (x.kind != old_row::full)
    keep_key(*of, before_);
  add(row_op::erase, *of, before_, {});
  return {};
}

status row_assembly::on(const truncate_message& x, lsn) {
  for (auto id : x.relations)
    if (const auto* of = next_change(id))
      add(row_op::truncate, *of, {}, {});
  return {};
}

} // namespace sluice::postgres
