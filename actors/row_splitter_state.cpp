#include "actors/row_splitter_state.hpp"

#include "messages/partitioning.hpp"

namespace sluice {

namespace {

// The rows of one partition, the last one apart until it is known whether its
// transaction ends there.
struct share {
  row_block_builder rows;
  block_ptr owner; // of `last`
  row_view last;
  bool open = false; // `last` belongs to a transaction that goes on
  bool any = false;  // there is a `last`

  void add(const block_ptr& block, row_view row) {
    put_last();
    owner = block;
    last = row;
    open = true;
    any = true;
  }
  void put_last() {
    if (any)
      rows.add(last);
    any = false;
  }
  void end() {
    if (!open)
      return;
    put_last();
    rows.end();
    open = false;
  }
};

} // namespace

row_splitter_state::row_splitter_state(std::size_t partitions)
  : partitions_{partitions}, kept_(partitions) {
  // nop
}

void row_splitter_state::reset() {
  kept_.assign(partitions_, nullptr);
}

std::vector<block_ptr> row_splitter_state::split(const block_ptr& rows) {
  if (partitions_ == 1 || rows == nullptr || rows->empty()) {
    auto result = std::vector<block_ptr>(partitions_);
    if (rows != nullptr && !rows->empty())
      result[0] = rows;
    return result;
  }
  auto shares = std::vector<share>(partitions_);
  for (std::size_t i = 0; i < partitions_; ++i)
    if (kept_[i] != nullptr)
      shares[i].add(kept_[i], kept_[i]->row(0));
  auto end = rows->ends().begin();
  for (std::size_t i = 0; i < rows->rows(); ++i) {
    auto row = rows->row(i);
    shares[partition_of(row.table(), partitions_)].add(rows, row);
    if (end == rows->ends().end() || *end != i + 1)
      continue;
    for (auto& x : shares)
      x.end();
    ++end;
  }
  auto result = std::vector<block_ptr>(partitions_);
  for (std::size_t i = 0; i < partitions_; ++i) {
    kept_[i] = nullptr;
    if (shares[i].any) {
      auto kept = row_block_builder{};
      kept.add(shares[i].last);
      kept_[i] = kept.finish();
    }
    if (!shares[i].rows.empty())
      result[i] = shares[i].rows.finish();
  }
  return result;
}

} // namespace sluice
