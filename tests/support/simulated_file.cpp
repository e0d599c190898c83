#include "tests/support/simulated_file.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "tests/support/simulated_disk.hpp"

namespace sluice::test {

namespace {

constexpr auto sector = simulated_file::sector;

// Sectors that [at, at + size) touches, as [first, second).
std::pair<std::size_t, std::size_t> sectors_of(std::size_t at,
                                               std::size_t size) {
  return {at / sector, (at + size + sector - 1) / sector};
}

} // namespace

// -- as programs see it -------------------------------------------------------

void simulated_file::write(const char* from, std::size_t size,
                           std::size_t at) {
  note(at, size);
  if (at + size > bytes_.size())
    resize(at + size);
  std::copy_n(from, size, bytes_.begin() + static_cast<std::ptrdiff_t>(at));
}

void simulated_file::truncate(std::size_t size) {
  if (size < bytes_.size())
    note(size, bytes_.size() - size);
  if (size != bytes_.size())
    resize(size);
}

void simulated_file::note(std::size_t at, std::size_t size) {
  auto from = std::min(at, bytes_.size());
  auto to = std::min(at + size, bytes_.size());
  unsynced_.push_back({at, size, {bytes_.data() + from, to - from}});
}

void simulated_file::resize(std::size_t size) {
  sizes_.push_back(bytes_.size());
  bytes_.resize(size);
}

// -- as the disk has it -------------------------------------------------------

void simulated_file::sync() {
  if (!forgotten_.empty())
    for (const auto& x : unsynced_)
      for (auto [i, end] = sectors_of(x.at, x.size); i < end; ++i)
        forgotten_.erase(i);
  unsynced_.clear();
  sizes_.clear();
}

std::uint64_t simulated_file::fail_sync(dice& luck) {
  auto before = bytes_;
  for (const auto& x : unsynced_)
    before.resize(std::max(before.size(), x.at + x.size));
  before.resize(sectors_of(0, before.size()).second * sector);
  auto dirty = std::set<std::size_t>{};
  for (auto x = unsynced_.rbegin(); x != unsynced_.rend(); ++x) {
    for (auto [i, end] = sectors_of(x->at, x->size); i < end; ++i)
      dirty.insert(i);
    auto to = before.begin() + static_cast<std::ptrdiff_t>(x->at);
    std::fill_n(std::copy(x->old.begin(), x->old.end(), to),
                x->size - x->old.size(), '\0');
  }
  std::erase_if(dirty, [&](std::size_t) { return luck.percent(50); });
  for (auto i : dirty)
    forgotten_.try_emplace(i, before.data() + i * sector, sector);
  unsynced_.clear();
  if (luck.percent(50)) { // memory is short at once
    for (const auto& [i, old] : forgotten_)
      if (i * sector < bytes_.size())
        std::copy_n(old.begin(), std::min(sector, bytes_.size() - i * sector),
                    bytes_.begin() + static_cast<std::ptrdiff_t>(i * sector));
    forgotten_.clear();
  }
  return dirty.size();
}

simulated_file::toll simulated_file::crash(dice& luck, const power_cut& how) {
  auto result = toll{};
  sizes_.push_back(bytes_.size());
  auto size = sizes_[luck.roll(sizes_.size())];
  auto extent = *std::max_element(sizes_.begin(), sizes_.end());
  bytes_.resize(sectors_of(0, extent).second * sector);
  // What survives of a sector is what it was after one of the writes.
  auto settled = std::set<std::size_t>{};
  for (auto x = unsynced_.rbegin(); x != unsynced_.rend(); ++x)
    for (auto [i, end] = sectors_of(x->at, x->size); i < end; ++i) {
      if (settled.contains(i))
        continue;
      if (luck.percent(how.sectors_lost)) {
        undo(*x, i, how.stale_bytes && luck.percent(50) ? &luck : nullptr);
        ++result.lost;
      } else {
        settled.insert(i);
        ++result.kept;
      }
    }
  for (const auto& [i, old] : forgotten_)
    if (!settled.contains(i) && i * sector < bytes_.size())
      std::copy(old.begin(), old.end(),
                bytes_.begin() + static_cast<std::ptrdiff_t>(i * sector));
  bytes_.resize(size);
  unsynced_.clear();
  sizes_.clear();
  forgotten_.clear();
  return result;
}

// Takes back what a write did to one sector. Where there was nothing before it
// is zero, or, with `stale`, like bytes of another place.
void simulated_file::undo(const change& x, std::size_t at_sector, dice* stale) {
  auto from = std::max(x.at, at_sector * sector);
  auto to = std::min(x.at + x.size, (at_sector + 1) * sector);
  auto other = stale == nullptr
                 ? 0
                 : stale->roll(bytes_.size() / sector) * sector;
  for (auto i = from; i < to; ++i)
    if (i - x.at < x.old.size())
      bytes_[i] = x.old[i - x.at];
    else
      bytes_[i] = stale == nullptr ? '\0' : bytes_[other + i % sector];
}

} // namespace sluice::test
