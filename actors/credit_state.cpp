#include "actors/credit_state.hpp"

#include <algorithm>

namespace sluice {

// -- credit_spent -------------------------------------------------------------

std::int64_t credit_spent::allowed(feed_id feed) const {
  auto i = accounts_.find(feed);
  if (i == accounts_.end())
    return 0;
  return static_cast<std::int64_t>(i->second.granted - i->second.sent);
}

bool credit_spent::covers(feed_id feed, std::uint64_t charge,
                          std::uint64_t packed) const {
  auto i = accounts_.find(feed);
  if (i == accounts_.end() || i->second.limit == 0)
    return false;
  return allowed(feed) >= static_cast<std::int64_t>(packed + charge);
}

bool credit_spent::covers_row(feed_id feed, std::uint64_t charge,
                              std::uint64_t packed) const {
  if (covers(feed, charge, packed))
    return true;
  auto i = accounts_.find(feed);
  return packed == 0 && i != accounts_.end() && i->second.limit > 0
         && allowed(feed) >= static_cast<std::int64_t>(i->second.limit);
}

std::uint64_t credit_spent::limit(feed_id feed) const {
  auto i = accounts_.find(feed);
  return i == accounts_.end() ? 0 : i->second.limit;
}

void credit_spent::spend(feed_id feed, std::uint64_t charge) {
  accounts_[feed].sent += charge;
}

bool credit_spent::on_granted(const std::vector<feed_grant>& granted) {
  auto more = false;
  for (const auto& x : granted) {
    auto& account = accounts_[x.feed];
    more = more || x.total > account.granted;
    account.granted = x.total;
    account.limit = x.limit;
  }
  return more;
}

std::vector<feed_total> credit_spent::sent() const {
  auto result = std::vector<feed_total>{};
  for (const auto& [feed, account] : accounts_)
    if (account.sent > 0)
      result.push_back({feed, account.sent});
  return result;
}

// -- credit_granted -----------------------------------------------------------

void credit_granted::reopen() {
  for (auto& [feed, account] : accounts_)
    account = {0, account.pinned, {}};
}

void credit_granted::on_sent(const std::vector<feed_total>& sent) {
  for (const auto& x : sent) {
    auto i = accounts_.find(x.feed);
    if (i != accounts_.end())
      i->second.sent_seen = std::max(i->second.sent_seen, x.bytes);
  }
}

void credit_granted::pin(feed_id feed, std::uint64_t charge) {
  auto i = accounts_.find(feed);
  if (i != accounts_.end())
    i->second.pinned += charge;
}

void credit_granted::release(feed_id feed, std::uint64_t charge) {
  auto i = accounts_.find(feed);
  if (i != accounts_.end())
    i->second.pinned -= std::min(i->second.pinned, charge);
}

std::vector<feed_grant> credit_granted::granted() const {
  auto result = std::vector<feed_grant>{};
  for (const auto& [feed, account] : accounts_)
    result.push_back({feed, total(account), limit_});
  return result;
}

bool credit_granted::worth_telling() const {
  return std::any_of(accounts_.begin(), accounts_.end(), [&](const auto& x) {
    auto now = total(x.second);
    const auto& told = x.second.told;
    return !told || now < *told || now >= *told + limit_ / 4;
  });
}

bool credit_granted::changed() const {
  return std::any_of(accounts_.begin(), accounts_.end(), [&](const auto& x) {
    return total(x.second) != x.second.told;
  });
}

void credit_granted::told() {
  for (auto& [feed, account] : accounts_)
    account.told = total(account);
}

std::uint64_t credit_granted::pinned() const {
  std::uint64_t result = 0;
  for (const auto& [feed, account] : accounts_)
    result += account.pinned;
  return result;
}

} // namespace sluice
