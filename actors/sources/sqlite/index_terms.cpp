#include "actors/sources/sqlite/index_terms.hpp"

#include <algorithm>
#include <cctype>

namespace sluice {

namespace {

// Where the text, name or comment that starts at `i` ends; `i` if none does.
std::size_t skip_quoted(std::string_view sql, std::size_t i) {
  auto behind = [&](std::string_view end, std::size_t from) {
    auto at = sql.find(end, from);
    return at == std::string_view::npos ? sql.size() : at + end.size();
  };
  if (sql.substr(i, 2) == "--")
    return behind("\n", i);
  if (sql.substr(i, 2) == "/*")
    return behind("*/", i + 2);
  if (sql[i] == '[')
    return behind("]", i + 1);
  if (sql[i] != '\'' && sql[i] != '"' && sql[i] != '`')
    return i;
  // A doubled quote is a quote inside; what follows it counts as quoted again.
  return behind(sql.substr(i, 1), i + 1);
}

std::string_view trimmed(std::string_view x) {
  auto space = [](char c) {
    return std::isspace(static_cast<unsigned char>(c)) != 0;
  };
  while (!x.empty() && space(x.front()))
    x.remove_prefix(1);
  while (!x.empty() && space(x.back()))
    x.remove_suffix(1);
  return x;
}

bool ends_with_word(std::string_view x, std::string_view word) {
  if (x.size() <= word.size())
    return false;
  auto tail = x.substr(x.size() - word.size());
  auto same = [](char a, char b) {
    return std::toupper(static_cast<unsigned char>(a)) == b;
  };
  auto before = static_cast<unsigned char>(x[x.size() - word.size() - 1]);
  return std::equal(tail.begin(), tail.end(), word.begin(), same)
         && (std::isspace(before) != 0 || before == ')');
}

std::string term(std::string_view x) {
  x = trimmed(x);
  for (auto word : {std::string_view{"ASC"}, std::string_view{"DESC"}})
    if (ends_with_word(x, word))
      return std::string{trimmed(x.substr(0, x.size() - word.size()))};
  return std::string{x};
}

} // namespace

std::vector<std::string> index_terms(std::string_view sql) {
  auto result = std::vector<std::string>{};
  auto depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i < sql.size();) {
    if (auto end = skip_quoted(sql, i); end != i) {
      i = end;
      continue;
    }
    auto c = sql[i];
    if (c == '(' && ++depth == 1)
      start = i + 1;
    if ((c == ')' && depth == 1) || (c == ',' && depth == 1)) {
      result.push_back(term(sql.substr(start, i - start)));
      start = i + 1;
    }
    if (c == ')' && --depth == 0)
      return result;
    ++i;
  }
  return {};
}

} // namespace sluice
