#include "actors/sources/postgres/table_notes.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::postgres {

namespace {

std::string escaped(std::string_view text) {
  auto result = std::string{};
  for (auto c : text) {
    if (c == '\\')
      result += "\\\\";
    else if (c == '\n')
      result += "\\n";
    else if (c == '\t')
      result += "\\t";
    else
      result += c;
  }
  return result;
}

std::string unescaped(std::string_view text) {
  auto result = std::string{};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      result += text[i];
      continue;
    }
    auto c = text[++i];
    result += c == 'n' ? '\n' : c == 't' ? '\t' : c;
  }
  return result;
}

std::string_view cut(std::string_view& from, char at) {
  auto end = std::min(from.find(at), from.size());
  auto result = from.substr(0, end);
  from.remove_prefix(std::min(end + 1, from.size()));
  return result;
}

template <class Number>
Number number_of(std::string_view text) {
  auto result = Number{};
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

} // namespace

// -- a line per version or column, its fields behind tabs ---------------------

std::string to_note(const captured_tables::table& of) {
  auto result = "relation\t" + std::to_string(of.relation) + '\n';
  for (const auto& x : of.versions) {
    result += "version\t" + std::to_string(x.number.value) + '\t'
              + std::to_string(x.valid_from.value) + '\n';
    for (const auto& c : x.columns)
      result += "column\t" + escaped(c.name) + '\t' + escaped(c.type) + '\t'
                + std::to_string(c.key_part) + '\n';
  }
  return result;
}

void parse_table(std::string_view note, captured_tables::table& into) {
  auto& versions = into.versions;
  versions.clear();
  while (!note.empty()) {
    auto line = cut(note, '\n');
    auto kind = cut(line, '\t');
    auto first = cut(line, '\t');
    auto second = cut(line, '\t');
    if (kind == "relation")
      into.relation = number_of<oid>(first);
    else if (kind == "version")
      versions.push_back({{number_of<std::uint64_t>(first)},
                          {number_of<std::uint64_t>(second)},
                          {}});
    else if (kind == "column" && !versions.empty())
      versions.back().columns.push_back(
        {unescaped(first), unescaped(second), number_of<std::uint16_t>(line)});
  }
}

// -- a line per table ---------------------------------------------------------

std::string to_note(const copied_tables& x) {
  auto result = std::string{};
  for (const auto& [name, to] : x)
    result += escaped(name) + '\t' + std::to_string(to.commit_ts.value) + '\t'
              + std::to_string(to.start_ts.value) + '\t'
              + std::to_string(to.position) + '\n';
  return result;
}

copied_tables parse_copied(std::string_view note) {
  auto result = copied_tables{};
  while (!note.empty()) {
    auto line = cut(note, '\n');
    auto name = cut(line, '\t');
    auto commit_ts = number_of<std::uint64_t>(cut(line, '\t'));
    auto start_ts = number_of<std::uint64_t>(cut(line, '\t'));
    result[unescaped(name)] = {
      {commit_ts}, {start_ts}, number_of<std::uint64_t>(line)};
  }
  return result;
}

} // namespace sluice::postgres
