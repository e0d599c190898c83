#pragma once

#include <cstdint>
#include <tuple>

#include "messages/ids.hpp"

/// Rows of transactions that have not committed yet.
namespace sluice {

/// Consecutive rows that are of one transaction, or of one sub-transaction.
struct rows_of_transaction {
  transaction_id transaction;
  std::uint32_t rows = 0;

  friend bool operator==(const rows_of_transaction&,
                         const rows_of_transaction&) = default;
  auto fields() { return std::tie(transaction, rows); }
};

} // namespace sluice
