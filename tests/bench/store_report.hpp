#pragma once

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tests/bench/bench.hpp"

namespace sluice::bench {

/// What the segment log has to reach in one measure; 0: nothing of that kind.
struct aim {
  std::string limit = {}; ///< The subject to compare with.
  double of_limit = 0;    ///< At least.
  double of_rocksdb = 0;  ///< At least.
  double most = 0;        ///< Of the figure itself.
};

/// Figures by workload, measure and subject, with what they have to reach.
class report {
public:
  report(bool json, std::string workload)
    : json_{json}, workload_{std::move(workload)} {
    // nop
  }

  static void print_head() {
    fmt::print("{:<18} {:<30} {:<12} {:>13} {:>13}..{:<13} {:>6} {:>7}  {}\n",
               "workload", "measure", "subject", "median", "min", "max",
               "/limit", "/rocks", "need");
  }

  void add(const std::string& name, const std::string& who, double x) {
    auto known = std::find_if(measures_.begin(), measures_.end(),
                              [&](const auto& m) { return m.name == name; });
    if (known == measures_.end())
      known = measures_.insert(known, {name, {}, {}});
    if (known->figures.find(who) == known->figures.end())
      known->order.push_back(who);
    known->figures[who].push_back(x);
  }

  void print(const std::map<std::string, aim>& aims) const {
    for (const auto& m : measures_) {
      auto found = aims.find(m.name);
      auto wanted = found == aims.end() ? aim{} : found->second;
      for (const auto& who : m.order)
        print(m, who, wanted);
    }
  }

private:
  struct measure {
    std::string name;
    std::vector<std::string> order;
    std::map<std::string, std::vector<double>> figures;
  };

  static double ratio(const measure& m, double x, const std::string& other) {
    auto found = m.figures.find(other);
    auto y = found == m.figures.end() ? 0 : median(found->second);
    return y == 0 ? 0 : x / y;
  }

  void print(const measure& m, const std::string& who, const aim& to) const {
    const auto& all = m.figures.at(who);
    auto x = median(all);
    auto limit = ratio(m, x, to.limit);
    auto rocksdb = ratio(m, x, "rocksdb_log");
    auto low = *std::min_element(all.begin(), all.end());
    auto high = *std::max_element(all.begin(), all.end());
    auto need = std::string{};
    if (who == "segment_log")
      need = needed(to, x, limit, rocksdb);
    // Where what cannot be done without takes longer than all that there is.
    if (auto most = limit == 0 ? 0 : rocksdb / limit;
        need.ends_with("missed") && most > 0 && most < to.of_rocksdb)
      need += fmt::format(", {} {:.2f}x", to.limit, most);
    if (json_)
      fmt::print("{{\"workload\":\"{}\",\"measure\":\"{}\",\"subject\":\"{}\","
                 "\"median\":{:.6g},\"min\":{:.6g},\"max\":{:.6g},"
                 "\"of_limit\":{:.3f},\"of_rocksdb\":{:.3f},"
                 "\"need\":\"{}\"}}\n",
                 workload_, m.name, who, x, low, high, limit, rocksdb, need);
    else
      fmt::print("{:<18} {:<30} {:<12} {:>13} {:>13}..{:<13} {:>6} {:>7}  {}\n",
                 workload_, m.name, who, shown(x), shown(low), shown(high),
                 shown_ratio(limit), shown_ratio(rocksdb), need);
    std::fflush(stdout);
  }

  // "0.7, 5x", and whether it is missed.
  static std::string needed(const aim& to, double x, double limit,
                            double rocksdb) {
    auto result = std::string{};
    auto part = [&](const std::string& text) {
      result += (result.empty() ? "" : ", ") + text;
    };
    if (to.of_limit > 0)
      part(fmt::format("{}", to.of_limit));
    if (to.of_rocksdb > 0 && rocksdb > 0)
      part(fmt::format("{}x", to.of_rocksdb));
    if (to.most > 0)
      part("<= " + shown(to.most));
    auto missed = (to.of_limit > 0 && limit < to.of_limit)
                  || (rocksdb > 0 && rocksdb < to.of_rocksdb)
                  || (to.most > 0 && x > to.most);
    return missed ? result + " missed" : result;
  }

  static std::string shown(double x) {
    return x < 100 ? fmt::format("{:.3f}", x) : grouped(x);
  }
  static std::string shown_ratio(double x) {
    return x == 0 ? "" : fmt::format("{:.2f}", x);
  }

  bool json_;
  std::string workload_;
  std::vector<measure> measures_;
};

} // namespace sluice::bench
