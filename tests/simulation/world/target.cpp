#include "tests/simulation/world/target.hpp"

#include <utility>

#include <fmt/format.h>

namespace sluice::simulation {

// -- a client -----------------------------------------------------------------

/// One life of a sink at the target. When the next one has opened it, this one
/// may write into its open transaction, but commits no more.
class target_session : public sink_connector {
public:
  explicit target_session(target& to) : to_{to}, number_{++to.clients_} {
    // nop
  }
  [[nodiscard]] std::string describe() const override { return to_.feed_.name; }

  expected<sink_position> open(const feed_record&) override {
    if (number_ != to_.clients_ || to_.fails())
      return away();
    to_.roll_back();
    to_.writer_ = to_.writer_.next();
    writer_ = to_.writer_;
    open_ = to_.durable_;
    auto result = sink_position{writer_, {}, open_.low_watermark};
    for (const auto& [table, position] : open_.positions)
      result.positions.push_back(position);
    return result;
  }

  status write(const sink_rows& x) override {
    if (to_.fails())
      return away();
    if (!fenced()) // else it notices when it commits
      to_.check_rows(x, open_);
    return {};
  }

  status commit(const std::vector<table_position>& positions,
                std::optional<timestamp> low_watermark) override {
    if (fenced()) {
      to_.checks_.probe("a former sink was fenced");
      return fail(errc::sink_fenced, to_.feed_.name);
    }
    if (to_.fails()) {
      to_.roll_back();
      open_ = to_.durable_;
      return away();
    }
    for (const auto& x : positions)
      open_.positions[x.table] = x;
    if (low_watermark)
      open_.low_watermark = *low_watermark;
    to_.durable_ = open_;
    to_.spoilt_ = false;
    to_.check_positions();
    if (to_.feed_.rules.order == feed_order::transaction)
      to_.check_transactions();
    return {};
  }

private:
  [[nodiscard]] bool fenced() const { return writer_ != to_.writer_; }
  [[nodiscard]] tl::unexpected<error> away() const {
    return fail(errc::sink_unavailable, to_.feed_.name + " is away");
  }

  target& to_;
  std::uint64_t number_;
  incarnation writer_;
  target::content open_;
};

std::shared_ptr<sink_connector> target::connect() {
  return std::make_shared<target_session>(*this);
}

void target::roll_back() {
  if (std::exchange(spoilt_, false))
    checks_.withdraw();
}

// -- checks -------------------------------------------------------------------

bool target::fails() {
  if (failing_ == 0)
    return false;
  --failing_;
  return true;
}

void target::check_rows(const sink_rows& x, content& into) {
  for (std::uint32_t i = 0; i < x.count; ++i) {
    auto row = x.block->grouped(x.first + i);
    auto table = row.table().value;
    auto& count = into.rows[table];
    if (count > 2 && checks_.plants(planted::row_is_lost)) {
      spoilt_ = true;
      continue;
    }
    if (count > 2 && checks_.plants(planted::row_is_repeated))
      --count;
    auto there = count < truth_.of(table).size();
    auto next = there ? truth_.of(table, count).cursor : row_cursor{};
    checks_.check(rule::i8, there && row.cursor() == next, [&] {
      return fmt::format("{}: table {}: row {} came, {} was the next",
                         feed_.name, table, to_string(row.cursor()),
                         to_string(next));
    });
    auto version = there ? truth_.of(table, count).version : row.schema();
    auto known = x.schema != nullptr && x.schema->version == version;
    checks_.check(rule::ss11, known && row.schema() == version, [&] {
      return fmt::format("{}: table {}: row {} of version {} came with {}",
                         feed_.name, table, to_string(row.cursor()),
                         version.value, x.schema ? x.schema->version.value : 0);
    });
    ++count;
  }
}

// What is there are the first rows of the history, up to the end of a
// transaction.
void target::check_transactions() {
  auto total = std::size_t{0};
  for (const auto& [table, count] : durable_.rows)
    total += count;
  auto counts = std::map<std::uint64_t, std::size_t>{};
  for (std::size_t i = 0; i < total && i < truth_.all().size(); ++i)
    ++counts[truth_.all()[i].table];
  auto whole = total == 0 || truth_.all()[total - 1].ends;
  auto same = true;
  for (const auto& [table, count] : durable_.rows)
    same = same && counts[table] == count;
  checks_.check(rule::n1, whole && same, [&] {
    return fmt::format("{}: a commit of {} rows shows a part of a transaction",
                       feed_.name, total);
  });
}

// A position says of rows that they are there: it must be true.
void target::check_positions() {
  auto holds = [&](std::uint64_t table, row_cursor last) {
    checks_.check(rule::i2, rows(table) >= truth_.up_to(table, last), [&] {
      return fmt::format("{}: table {}: {} is stored, but of {} rows up to it "
                         "only {} are there",
                         feed_.name, table, to_string(last),
                         truth_.up_to(table, last), rows(table));
    });
  };
  for (std::uint64_t t = 1; t <= truth_.tables(); ++t) {
    if (!wants(t))
      continue;
    holds(t, row_cursor::end_of(durable_.low_watermark));
    for (const auto& [table, position] : durable_.positions) {
      if (table != all_tables && table != table_id{t})
        continue;
      holds(t, row_cursor::end_of(position.checkpoint));
      holds(t, position.cursor);
    }
  }
}

} // namespace sluice::simulation
