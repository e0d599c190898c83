#include "actors/sources/postgres/start_plan.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace sluice::postgres {

namespace {

// The next commit's schema is valid from right before it, and what is resolved
// before it is lower: so a copy stands two below the slot's beginning.
constexpr std::uint64_t copy_below = 2;

const std::string copy_remedy =
  "To copy all tables again, start once with copy_again (--copy-again).";

std::string between(std::string_view text, std::string_view key) {
  auto at = text.find(key);
  if (at == std::string_view::npos)
    return {};
  auto from = at + key.size();
  return std::string{text.substr(from, text.find('\n', from) - from)};
}

std::uint64_t number_of(const std::string& text) {
  auto result = std::uint64_t{0};
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

} // namespace

std::string to_note(const origin& x) {
  return "system " + x.system + "\ntimeline " + x.timeline + "\nslot " + x.slot
         + "\nbase " + std::to_string(x.base) + "\ncopied_at "
         + std::to_string(x.copied_at.value) + '\n';
}

std::optional<origin> parse_origin(std::string_view note) {
  auto result = origin{};
  result.system = between(note, "system ");
  result.timeline = between(note, "timeline ");
  result.slot = between(note, "slot ");
  result.base = number_of(between(note, "base "));
  result.copied_at = {number_of(between(note, "copied_at "))};
  if (result.system.empty())
    return std::nullopt;
  return result;
}

error foreign_slot(const std::string& where, const std::string& slot) {
  return {errc::source_unsupported,
          where + ": slot " + slot + " is there, and not of this directory",
          "Name another slot, drop it, or take it over with copy_again"
          " (--copy-again)."};
}

expected<start_plan> plan_start(const start_request& wanted,
                                const std::optional<origin>& noted,
                                const server_state& server, row_cursor resume) {
  auto has_slot = server.slot.has_value();
  auto anew = copy_all{has_slot && wanted.set_up};
  auto slot = wanted.where + ": slot " + wanted.slot;
  if (!wanted.set_up && !has_slot)
    return fail(errc::source_unsupported, slot + " is missing",
                "Make it as pg_doctor says, or allow set_up.");
  if (wanted.copy_again)
    return anew;
  if (!noted) {
    if (has_slot && wanted.set_up)
      return tl::unexpected{foreign_slot(wanted.where, wanted.slot)};
    return anew;
  }
  if (has_slot && wanted.set_up
      && (noted->slot != wanted.slot
          || (resume.commit_ts < noted->copied_at
              && noted->system != server.system)))
    return fail(errc::source_unsupported,
                slot + " is there, and not of this directory",
                "Name the slot of before, drop this one, or take it over with"
                " copy_again (--copy-again).");
  // A copy that was cut off begins again.
  if (!noted->copied_at || resume.commit_ts < noted->copied_at)
    return anew;
  if (noted->system != server.system)
    return fail(errc::source_replaced,
                wanted.where + ": system " + server.system
                  + ", our rows are of system " + noted->system,
                copy_remedy);
  if (noted->timeline != server.timeline)
    return fail(errc::source_rolled_back,
                wanted.where + ": timeline " + server.timeline
                  + ", our rows are of timeline " + noted->timeline,
                copy_remedy);
  auto place = resume.commit_ts.value
               - std::min(resume.commit_ts.value, noted->base);
  if (server.end < place)
    return fail(errc::source_rolled_back,
                wanted.where + ": its log ends at " + to_string_lsn(server.end)
                  + ", our rows at " + to_string_lsn(place),
                copy_remedy);
  if (!server.has_publication)
    return fail(errc::source_unsupported,
                wanted.where + ": publication " + wanted.publication
                  + " is gone, and its slot can't be read without it",
                copy_remedy);
  if (!has_slot)
    return fail(errc::source_rolled_back,
                slot + " is gone, and with it the changes after "
                  + to_string_lsn(place),
                copy_remedy);
  if (server.slot->lost)
    return fail(errc::source_rolled_back,
                slot
                  + " is lost: the server removed changes that we still need"
                    " (max_slot_wal_keep_size)",
                copy_remedy);
  // The copy has all that committed before its slot began.
  auto covered = std::max(place + 1,
                          noted->copied_at.value - noted->base + copy_below);
  if (server.slot->confirmed > covered)
    return fail(errc::source_rolled_back,
                slot + " is at " + to_string_lsn(server.slot->confirmed)
                  + ", beyond our rows, which end at " + to_string_lsn(place),
                copy_remedy);
  return go_on{resume.is_end() ? place + 1 : place};
}

origin begin_copy(origin x, lsn consistent, timestamp highest) {
  auto below = consistent - std::min<lsn>(consistent, copy_below);
  if (x.base + below <= highest.value)
    x.base = highest.value + 1 - below;
  x.copied_at = {x.base + below};
  return x;
}

} // namespace sluice::postgres
