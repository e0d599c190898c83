#include "actors/sources/generator/bank.hpp"

#include <algorithm>

namespace sluice {

namespace {

constexpr std::uint64_t inserts_per_transaction = 500;
// Several logical steps per millisecond, as under load.
constexpr std::uint64_t steps_per_ms = 4;
constexpr std::uint64_t amount_max = 100;

} // namespace

bank::bank(const generator_options& options) : options_{options} {
  auto all = std::uint64_t{options.tables} * options.accounts;
  opening_ = (all + inserts_per_transaction - 1) / inserts_per_transaction;
  accounts_.resize(all);
}

bool bank::finished() const noexcept {
  return options_.transactions > 0
         && number_ == opening_ + options_.transactions;
}

const bank::transaction& bank::next() {
  auto together = options_.same_commit_ts;
  auto step = number_ / together;
  auto commit_ts = ((1 + step / steps_per_ms) << 18) | step % steps_per_ms;
  now_.commit_ts = {commit_ts};
  now_.start_ts = {commit_ts - together + number_ % together};
  now_.changes.clear();
  if (number_ < opening_) {
    open_accounts();
  } else {
    // Of its own seed, so that a transaction depends on the ones before it
    // by its balances only.
    auto random = split_mix{split_mix{options_.seed}.next() + number_};
    auto transfers = 1 + random.below(options_.transfers_per_transaction);
    for (std::uint64_t i = 0; i < transfers; ++i)
      transfer(random);
  }
  ++number_;
  now_.last_of_ts = finished() || number_ % together == 0;
  return now_;
}

void bank::open_accounts() {
  auto first = number_ * inserts_per_transaction;
  auto last = std::min<std::uint64_t>(first + inserts_per_transaction,
                                      accounts_.size());
  auto random = split_mix{options_.seed ^ number_};
  for (auto i = first; i < last; ++i) {
    auto opened = account{generator_opening_balance, random.next()};
    accounts_[i] = opened;
    now_.changes.push_back(
      {static_cast<std::uint32_t>(i / options_.accounts),
       static_cast<std::uint32_t>(i % options_.accounts) + 1,
       true,
       {},
       opened});
  }
}

void bank::transfer(split_mix& random) {
  auto table = static_cast<std::uint32_t>(random.below(options_.tables));
  auto from = static_cast<std::uint32_t>(random.below(options_.accounts));
  auto to = static_cast<std::uint32_t>(random.below(options_.accounts - 1));
  if (to >= from)
    ++to; // Another one than `from`, each as likely.
  auto wanted = static_cast<std::int64_t>(1 + random.below(amount_max));
  auto first = std::size_t{table} * options_.accounts;
  auto amount = std::min(wanted, accounts_[first + from].balance);
  change_balance(table, from, -amount, random.next());
  change_balance(table, to, amount, random.next());
}

void bank::change_balance(std::uint32_t table, std::uint32_t id,
                          std::int64_t by, std::uint64_t note) {
  auto& x = accounts_[std::size_t{table} * options_.accounts + id];
  auto before = x;
  x.balance += by;
  x.note = note;
  now_.changes.push_back({table, id + 1, false, before, x});
}

void bank::note_text(std::uint64_t note, std::string& into) const {
  constexpr auto letters = "abcdefghijklmnopqrstuvwxyz234567"; // 5 bits each
  auto random = split_mix{note};
  into.resize(options_.payload_bytes);
  for (std::size_t i = 0; i < into.size();) {
    auto bits = random.next();
    for (auto k = 0; k < 12 && i < into.size(); ++k, ++i, bits >>= 5)
      into[i] = letters[bits & 31];
  }
}

} // namespace sluice
