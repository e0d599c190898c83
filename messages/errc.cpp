#include "messages/errc.hpp"

#include <array>

namespace sluice {

namespace {

struct entry {
  std::string_view name;
  std::string_view meaning;
  std::string_view remedy;
};

constexpr std::array<entry, errc_count> entries{{
  {"none", "No error.", "Nothing to do."},
  {"out_of_range", "The range asked for is not, or no longer, in the log.",
   "Reset from the checkpoint; below the floor a new copy is needed."},
  {"unknown_dispatcher", "Nobody here knows that dispatcher.",
   "Register it again."},
  {"unknown_registration", "That registration is over.",
   "Register again; the new registration starts at the sink's position."},
  {"unknown_table", "No such table, or not yet at that time.",
   "Check the name and the feed's rules."},
  {"table_deleted", "The table was dropped before that time.",
   "Remove it from the feed's rules."},
  {"lost_by_retention", "The rows asked for were deleted by retention.",
   "Copy again: stop the service, remove its directory, and start it."},
  {"schema_not_ready", "The schema is not known up to that time yet.",
   "Ask again later."},
  {"log_corrupt", "Durable bytes of the log fail their checksum.",
   "Put the file back from a copy; without one, keep the files and start with "
   "an empty directory."},
  {"log_locked", "Another process has the log open.",
   "Stop that process, or give this one another directory."},
  {"log_format_newer", "The log was written by a newer version.",
   "Use that version or a later one."},
  {"log_io", "The disk of the log returned an error.",
   "Check the disk; the feed goes on after a restart."},
  {"disk_full", "The disk of the log is full.",
   "Make space; rows wait at the source meanwhile."},
  {"append_out_of_order", "A source sent rows that sort before earlier ones.",
   "A defect of the source: restart it, and report it."},
  {"stale_source", "A newer incarnation of the source has taken over.",
   "Stop the newer one; to take the database back, start once with "
   "copy_again (--copy-again)."},
  {"source_rolled_back",
   "The database went back behind what was already read from it.",
   "If a backup was restored, start once with copy_again (--copy-again): all "
   "tables are copied anew."},
  {"source_replaced", "The file is another database than before.",
   "Put the old one back, or start once with copy_again (--copy-again): all "
   "tables are copied anew."},
  {"source_unsupported", "The source cannot be captured as it is.",
   "Change what the line names, or leave the table out."},
  {"source_unavailable", "The source does not answer.",
   "Check that it is there and may be read."},
  {"source_schema_changed",
   "A captured table changed in a way that rows cannot follow.",
   "Copy again: stop the service, remove its directory, and start it."},
  {"table_without_key", "The table has no declared primary key.",
   "Declare one, or leave the table out."},
  {"sink_unavailable", "The target does not answer or refused the write.",
   "Check that it is there, may be written, and has space."},
  {"sink_fenced", "A newer incarnation of this sink writes to the target.",
   "Stop one of the two processes."},
  {"sink_conflict", "The target has data that contradicts the stream.",
   "Let nobody else write to the target; then remove it and the service's "
   "directory, and start: all is copied again."},
  {"null_in_key", "A row has NULL in its key, so it cannot be identified.",
   "Declare the key columns NOT NULL, or leave the table out; then remove the "
   "target and the service's directory, and start: all is copied again."},
  {"invalid_option", "A setting has a value that it cannot have.",
   "Correct the setting."},
  {"unknown_feed", "There is no feed of that name.", "Create it first."},
  {"duplicate_name", "That name is taken.", "Choose another one."},
  {"stopped", "The service is stopping or has stopped.",
   "Open it again; it resumes from the checkpoint."},
  {"timed_out", "No answer in time.", "Try again."},
  {"malformed", "Bytes that do not decode.",
   "A defect of the sender or a damaged file; report it."},
}};

} // namespace

std::string_view to_string(errc code) noexcept {
  return entries[static_cast<std::uint8_t>(code) % errc_count].name;
}

std::string_view meaning(errc code) noexcept {
  return entries[static_cast<std::uint8_t>(code) % errc_count].meaning;
}

std::string_view remedy(errc code) noexcept {
  return entries[static_cast<std::uint8_t>(code) % errc_count].remedy;
}

namespace {

// Appends `x` in one line, with one full stop at its end.
void add_sentence(std::string& to, std::string_view x) {
  for (auto c : x) {
    auto blank = c == ' ' || (static_cast<unsigned char>(c) < 0x20);
    if (!blank)
      to += c;
    else if (to.back() != ' ')
      to += ' ';
  }
  while (to.back() == ' ')
    to.pop_back();
  if (to.back() != '.')
    to += '.';
}

} // namespace

std::string to_string(const error& x) {
  auto result = std::string{to_string(x.code)} + ": ";
  add_sentence(result, x.detail.empty() ? meaning(x.code) : x.detail);
  result += ' ';
  add_sentence(result, x.remedy.empty() ? remedy(x.code) : x.remedy);
  return result;
}

} // namespace sluice
