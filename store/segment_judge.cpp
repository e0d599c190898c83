#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "store/segment_files.hpp"
#include "store/segment_scan.hpp"

/// What recovery makes of what it found. A block that is due and is not there
/// was either never synced, then the log ends before it, or it is lost.
namespace sluice {

namespace {

constexpr auto no_limit = block_index::max();

// One file of the log, and which blocks it has to have.
struct candidate {
  std::uint64_t number = 0;
  const scanned_segment* file = nullptr; // null: it is missing
  block_index first;
  block_index last = no_limit;
  // A start before it cannot be read: blocks before `first` may be abandoned.
  bool vague = false;
};

std::string describe(block_index first, block_index last) {
  return first == last ? fmt::format("block {} is damaged", first.value)
                       : fmt::format("blocks {} to {} are damaged", first.value,
                                     last.value);
}

// The last block that stands before a batch.
block_index before(const found_batch& x) {
  return has_rows(x.header.kind) ? x.header.first.previous() : x.header.first;
}

// Whether anything was durable, and may have been let go, when it was written.
bool tells_of_durable(const scanned_segment& x) {
  return std::any_of(x.batches.begin(), x.batches.end(),
                     [](const found_batch& batch) {
                       return batch.header.durable_before > block_index{};
                     });
}

bool is_rewritten(std::uint64_t number) {
  return generation_of(number) != 0;
}

struct extent {
  block_index first;
  block_index last;
};

// Which blocks a file says that it has, none if nothing of it can be read. An
// appended one does not know where it ends.
std::optional<extent> told_by(const scanned_segment& x) {
  auto rewritten = is_rewritten(x.number);
  if (x.header && (rewritten || !x.batches.empty()))
    return extent{x.header->first, rewritten ? x.header->last : no_limit};
  if (x.batches.empty())
    return {};
  return extent{before(x.batches.front()).next(),
                rewritten ? x.batches.back().header.last : no_limit};
}

struct judgement {
  const std::string& directory;
  recovery_verdict result = {};
  std::vector<candidate> candidates = {};
  block_index durable = {};  // proven by what was written later
  block_index due = {};      // the next block
  bool unreadable = false;   // of the files that nothing lists, one before
  bool cut = false;          // the log ends before it
  bool newest_tells = false; // the newest manifest is in the newest file

  status select(const std::vector<scanned_segment>& segments);
  void stand_in(const scanned_segment& x);
  status add_unlisted(const scanned_segment& x);
  expected<candidate> place(const scanned_segment& x, const extent& told);
  void find_durable();
  bool lose(kept_segment& from, block_index to, const std::string& where);
  void walk(const candidate& x, kept_segment& keep);
  void visit(const candidate& x);
};

// The newest manifest knows which older files count and how much of each. Its
// word holds even if it is not durable itself: it was written.
status judgement::select(const std::vector<scanned_segment>& segments) {
  const manifest* newest = nullptr;
  std::uint64_t from = 0;
  for (const auto& segment : segments)
    for (const auto& batch : segment.batches)
      if (batch.listing) {
        newest = &*batch.listing;
        from = segment.number;
      }
  newest_tells = newest != nullptr && from == segments.back().number;
  auto next = segments.begin();
  auto rewritten = std::vector<const scanned_segment*>{}; // and not listed
  auto leave_out_before = [&](std::uint64_t number) {
    for (; next != segments.end() && older_segment{}(next->number, number);
         ++next)
      if (is_rewritten(next->number))
        rewritten.push_back(&*next);
      else
        result.dropped.push_back(next->number);
  };
  if (newest != nullptr)
    for (const auto& range : newest->segments) {
      leave_out_before(range.number);
      auto found = next != segments.end() && next->number == range.number;
      candidates.push_back({range.number, found ? &*next++ : nullptr,
                            range.first, range.last, false});
    }
  leave_out_before(from);
  for (const auto* x : rewritten)
    stand_in(*x);
  for (; next != segments.end(); ++next)
    if (auto done = add_unlisted(*next); !done)
      return done;
  return {};
}

// A rewritten file that the newest manifest may have let go does not count
// unless one that it replaces is missing: those go only after a manifest that
// lists it is durable, so that one is damaged now.
void judgement::stand_in(const scanned_segment& x) {
  auto told = told_by(x);
  auto replaced = [&](const candidate& y) {
    return told && y.first >= told->first && y.last <= told->last;
  };
  auto first = std::find_if(candidates.begin(), candidates.end(), replaced);
  auto last = std::find_if_not(first, candidates.end(), replaced);
  if (std::all_of(first, last,
                  [](const candidate& y) { return y.file != nullptr; })) {
    result.dropped.push_back(x.number);
    return;
  }
  for (auto i = first; i != last; ++i)
    if (i->file != nullptr)
      result.dropped.push_back(i->number);
  *first = {x.number, &x, told->first, told->last, false};
  candidates.erase(first + 1, last);
}

// Where a file that no manifest lists stands, by what it says itself.
expected<candidate> judgement::place(const scanned_segment& x,
                                     const extent& told) {
  auto vague = std::exchange(unreadable, false);
  auto found = candidate{x.number, &x, told.first, told.last, vague};
  if (x.header)
    return found;
  if (x.unread_at_end)
    found.last = no_limit;
  if (x.batches.front().offset == file_header_size)
    return found;
  if (candidates.empty() && tells_of_durable(x))
    return fail(
      errc::log_corrupt,
      fmt::format("{}: byte 0: nothing says where the log begins", x.path));
  if (!candidates.empty() && candidates.back().last != no_limit)
    found.first = candidates.back().last.next();
  else
    found.vague = true;
  return found;
}

// It says where it begins, and so where the one before ends: its own manifest,
// which said so, is damaged. A rewritten one has what is needed of the blocks
// that those before it have, too.
status judgement::add_unlisted(const scanned_segment& x) {
  auto told = told_by(x);
  if (!told && is_rewritten(x.number))
    return fail(
      errc::log_corrupt,
      fmt::format("{}: byte 0: nothing says which blocks it had", x.path));
  if (!told) {
    result.dropped.push_back(x.number);
    result.bytes_cut += x.size;
    unreadable = true;
    if (!candidates.empty())
      candidates.back().last = no_limit; // there its blocks are missing
    return {};
  }
  auto next = place(x, *told);
  if (!next)
    return tl::unexpected{std::move(next.error())};
  auto within = [&](const candidate& y) {
    return is_rewritten(y.number) && y.first <= next->first
           && y.last >= next->last;
  };
  if (!candidates.empty() && within(candidates.back())) {
    result.dropped.push_back(x.number);
    return {};
  }
  for (auto i = candidates.rbegin();
       i != candidates.rend() && i->last >= next->first; ++i)
    i->last = next->first.previous(); // what it gives out again was abandoned
  candidates.push_back(*next);
  return {};
}

// A rewritten file shows durable, but says nothing of what follows.
void judgement::find_durable() {
  for (const auto& x : candidates)
    if (is_rewritten(x.number)) {
      auto told = x.file != nullptr ? told_by(*x.file) : std::nullopt;
      durable = std::max(durable, std::min(x.last, told ? told->last : x.last));
    } else if (x.file != nullptr) {
      for (const auto& batch : x.file->batches)
        if (batch.header.last <= x.last)
          durable = std::max(durable, batch.header.durable_before);
    }
}

// Blocks from the one that is due up to `to` are not there. Returns whether
// the log goes on behind them.
bool judgement::lose(kept_segment& from, block_index to,
                     const std::string& where) {
  auto last = std::min(to, durable);
  if (due <= last) {
    from.parts.push_back({nullptr, last, where + ": " + describe(due, last)});
    due = last.next();
  }
  cut = due <= to;
  return !cut;
}

// Takes what counts of one file.
void judgement::walk(const candidate& x, kept_segment& keep) {
  const auto& file = *x.file;
  auto at = std::uint64_t{0};
  auto lost = [&](block_index to, std::uint64_t from,
                  const block_location& spooled = {}) {
    at = from;
    auto where = fmt::format("{}: byte {}", file.path, at);
    if (spooled.segment != 0)
      where = fmt::format("{}: byte {}",
                          segment_path(directory, spooled.segment),
                          spooled.offset);
    return due <= to && !lose(keep, to, where);
  };
  for (const auto& batch : file.batches) {
    auto rows = has_rows(batch.header.kind);
    if (lost(std::min(before(batch), x.last),
             batch.unread_before.value_or(batch.offset)))
      break;
    // What a mark says holds if nothing before it was abandoned.
    if (due > x.last && (rows || batch.header.first > x.last))
      return;
    if (rows && batch.header.first != due)
      continue;
    // A window that reaches beyond has rows that are elsewhere, too.
    if (rows && (!batch.sound || batch.header.last > x.last)) {
      if (lost(std::min(batch.header.last, x.last), batch.offset,
               batch.spooled))
        break;
    } else if (batch.sound && (rows || batch.state)) {
      keep.parts.push_back({&batch, {}, {}});
      due = rows ? batch.header.last.next() : due;
    }
  }
  auto end = file.unread_at_end.value_or(file.size);
  if (!cut && due <= x.last)
    lost(x.last == no_limit ? durable : x.last, end);
  if (cut)
    result.bytes_cut += file.size - at;
  else if (x.last == no_limit)
    result.bytes_cut += file.size - end;
}

void judgement::visit(const candidate& x) {
  auto keep = kept_segment{{x.number, x.first, {}}, x.file == nullptr, {}, {}};
  if (x.file != nullptr && x.file->header)
    keep.begun = x.file->header->begun;
  cut = cut || (x.vague && x.first > durable);
  if (!cut) {
    due = x.first;
    if (x.file != nullptr)
      walk(x, keep);
    else
      lose(keep, x.last,
           fmt::format("{}: byte 0: the file is missing",
                       segment_path(directory, x.number)));
    keep.range.last = due.previous();
  } else if (x.file != nullptr) {
    result.bytes_cut += x.file->size;
  }
  if (keep.range.last < keep.range.first && x.file != nullptr)
    result.dropped.push_back(x.number); // what its marks say counts
  if (!keep.parts.empty())
    result.kept.push_back(std::move(keep));
}

// A start leaves a whole file, and only a durable one lets others go. So a log
// of which nothing counts is damaged, unless its first file says that nothing
// was before it, or its newest one that nothing was durable: then what there
// was has been cut or abandoned. What was durable and is lost counts as a gap.
status check_new(const std::vector<scanned_segment>& segments,
                 bool newest_tells) {
  if (segments.empty())
    return {};
  const auto& oldest = segments.front();
  auto is_first = oldest.header && oldest.header->first == block_index{1}
                  && !is_rewritten(oldest.number);
  auto durable = std::any_of(segments.begin(), segments.end(),
                             tells_of_durable);
  if (is_first || (newest_tells && !durable))
    return {};
  return fail(
    errc::log_corrupt,
    fmt::format("{}: byte 0: nothing of the log can be read", oldest.path));
}

} // namespace

expected<recovery_verdict> judge(const std::vector<scanned_segment>& segments,
                                 const std::string& directory) {
  auto work = judgement{directory};
  if (auto done = work.select(segments); !done)
    return tl::unexpected{std::move(done.error())};
  work.find_durable();
  for (const auto& x : work.candidates)
    work.visit(x);
  if (work.result.kept.empty())
    if (auto done = check_new(segments, work.newest_tells); !done)
      return tl::unexpected{std::move(done.error())};
  work.result.durable = work.durable;
  return std::move(work.result);
}

} // namespace sluice
