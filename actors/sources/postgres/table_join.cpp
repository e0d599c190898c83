#include "actors/sources/postgres/table_join.hpp"

#include <utility>

namespace sluice::postgres {

table_join::table_join(prepared_join from, source_journal& journal,
                       std::uint64_t base)
  : from_{std::move(from)}, base_{base}, tables_{journal,
                                                 std::move(from_.types)} {
  // nop
}

bool table_join::can_stand(const row_assembly& stream) const noexcept {
  return !stream.open() && stream.place() >= from_.consistent
         && stream.resolved() <= resolved_at(base_, stream.place());
}

table_names table_join::names() const {
  auto result = table_names{};
  for (const auto& x : from_.tables)
    result[x.qualified()] = x.id;
  return result;
}

status table_join::read(const row_assembly& stream, std::size_t bytes_max,
                        std::chrono::milliseconds wait, source_batch& into) {
  auto at = stand_at(base_, stream.place());
  auto done = status{};
  if (phase_ == phase::waiting)
    done = begin(at, into);
  if (done && phase_ == phase::copying)
    done = copy(at, bytes_max, wait, into);
  else if (done && phase_ == phase::catching_up)
    done = catch_up(at, stream.place(), bytes_max, wait, into);
  if (!done)
    return done;
  if (into.rows)
    last_ = into.rows->last_cursor();
  open_ = second_ && second_->rows().open();
  return {};
}

status table_join::begin(timestamp at, source_batch& into) {
  if (auto added = tables_.add(from_.tables, at.previous()); !added)
    return added;
  into.schemas = tables_.schemas();
  if (from_.copies == nullptr) {
    phase_ = phase::done;
    return {};
  }
  copy_.emplace(std::move(from_.copies), tables_);
  phase_ = phase::copying;
  return {};
}

status table_join::copy(timestamp at, std::size_t bytes_max,
                        std::chrono::milliseconds wait, source_batch& into) {
  copy_->stand_at(at, {++chunk_});
  auto done = copy_->fill(builder_, bytes_max, wait);
  if (!done)
    return tl::unexpected{std::move(done.error())};
  into.copying = copy_->progress();
  if (!builder_.empty()) {
    builder_.end();
    into.rows = builder_.finish();
  }
  if (*done) {
    copy_.reset();
    second_.emplace(std::move(from_.stream),
                    slot_reader::request{tables_, {}, base_, from_.where});
    phase_ = phase::catching_up;
  }
  return {};
}

status table_join::catch_up(timestamp at, lsn place, std::size_t bytes_max,
                            std::chrono::milliseconds wait,
                            source_batch& into) {
  auto& rows = second_->rows();
  if (at > restamped_) {
    restamped_ = at;
    rows.restamp(at, chunk_);
  }
  if (auto done = second_->read(bytes_max, wait, place); !done)
    return done;
  into.schemas = rows.take_schemas();
  into.rows = rows.take_rows();
  if (second_->reached())
    phase_ = phase::done;
  return {};
}

} // namespace sluice::postgres
