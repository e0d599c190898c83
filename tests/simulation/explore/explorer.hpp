#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// Runs a small model in every schedule there is: stateless, a schedule is
/// replayed from the start with the choices of the last one up to where it
/// takes another. A model is made anew for each and is deterministic. It has
/// at most 64 chains (FIFO lanes, threads), each with at most one next step:
///
///   std::size_t chains() const;
///   bool enabled(std::size_t chain) const;  // has a next step
///   bool dependent(std::size_t a, std::size_t b) const; // of two enabled
///   void step(std::size_t chain);
///   std::string describe(std::size_t chain) const; // its next step
///   std::vector<std::string> broken() const; // kinds of violation, each once;
///                                            // called when a schedule ends
///
/// Sleep sets (P. Godefroid, LNCS 1032, ch. 5) leave out schedules that differ
/// only in the order of neighbouring steps that commute: a chain whose step was
/// tried here sleeps until a step that depends on it is taken, because any
/// schedule that takes it earlier is the same as one behind the first try.
/// Exactly one schedule of each such class is run to its end. That is sound if
/// the steps of two enabled chains that are not `dependent`, from that state,
///   1. lead to the same state in either order,
///   2. do not disable each other or change what the other one's step is, and
///   3. show the same to `broken`: what it tells may depend on what each
///      receiver saw and on the end, not on a global state in between.
/// So a step that pushes to a lane depends on none of that lane's if it is not
/// empty; who asks after another's state, or reads a common clock, depends.
namespace sluice::exploration {

struct result {
  std::uint64_t schedules = 0; ///< Run to their end: one of each class.
  std::uint64_t pruned = 0;    ///< Cut: all that could run was asleep.
  std::uint64_t steps = 0;     ///< Taken, with those of replays.
  std::uint64_t deepest = 0;   ///< Steps of the longest schedule.
  std::map<std::string, std::uint64_t> violations; ///< Schedules, by kind.
  std::uint64_t violating = 0;                     ///< Schedules with any.
  std::vector<std::string> shortest; ///< The shortest schedule with any.
  bool complete = true;              ///< False: limits.schedules reached.
};

struct limits {
  std::uint64_t schedules = std::numeric_limits<std::uint64_t>::max();
  bool reduce = true; ///< With sleep sets.
};

/// Depth first search over the choices of one model.
template <class Make>
class explorer {
public:
  explorer(Make make, limits limit) : make_{std::move(make)}, limit_{limit} {
    // nop
  }
  result run() {
    do {
      if (done_.schedules == limit_.schedules) {
        done_.complete = false;
        break;
      }
      auto made = make_();
      run_one(model_of(made));
    } while (next());
    describe_shortest();
    return std::move(done_);
  }

private:
  using chain_set = std::uint64_t;
  // A state on the way, and what is chosen there.
  struct choice {
    std::size_t taken;
    chain_set left;   // to be tried later
    chain_set asleep; // tried already, here or before
  };

  static chain_set bit(std::size_t chain) { return chain_set{1} << chain; }
  static std::size_t first(chain_set x) {
    return static_cast<std::size_t>(std::countr_zero(x));
  }
  template <class Made>
  static auto& model_of(Made& made) {
    if constexpr (requires { *made; })
      return *made;
    else
      return made;
  }

  template <class Model>
  void run_one(Model& model) {
    auto asleep = chain_set{0};
    for (std::size_t i = 0; i < path_.size(); ++i) {
      if (i + 1 == path_.size())
        asleep = still_asleep(model, path_[i]);
      step(model, path_[i].taken);
    }
    for (;;) {
      auto can = enabled(model);
      if ((asleep & ~can) != 0)
        throw std::logic_error("a step that was called independent disabled "
                               "another: see explorer.hpp");
      if (can == 0)
        return end(model);
      auto awake = can & ~asleep;
      if (awake == 0) {
        ++done_.pruned;
        return;
      }
      auto taken = first(awake);
      path_.push_back({taken, awake & ~bit(taken), asleep});
      asleep = still_asleep(model, path_.back());
      step(model, taken);
    }
  }
  template <class Model>
  void step(Model& model, std::size_t chain) {
    ++done_.steps;
    model.step(chain);
  }
  template <class Model>
  static chain_set enabled(const Model& model) {
    auto result = chain_set{0};
    auto n = model.chains();
    if (n > 64)
      throw std::length_error("more than 64 chains");
    for (std::size_t i = 0; i < n; ++i)
      if (model.enabled(i))
        result |= bit(i);
    return result;
  }
  // Once `at.taken` is taken.
  template <class Model>
  static chain_set still_asleep(const Model& model, const choice& at) {
    auto result = at.asleep;
    for (auto left = at.asleep; left != 0; left &= left - 1)
      if (model.dependent(first(left), at.taken))
        result &= ~bit(first(left));
    return result;
  }
  template <class Model>
  void end(const Model& model) {
    ++done_.schedules;
    done_.deepest = std::max<std::uint64_t>(done_.deepest, path_.size());
    auto kinds = model.broken();
    if (kinds.empty())
      return;
    ++done_.violating;
    for (const auto& kind : kinds)
      ++done_.violations[kind];
    if (shortest_.empty() || path_.size() < shortest_.size()) {
      shortest_.clear();
      for (const auto& x : path_)
        shortest_.push_back(x.taken);
    }
  }
  // Back to the last state with a chain that was not tried.
  bool next() {
    while (!path_.empty()) {
      auto& last = path_.back();
      if (last.left != 0) {
        if (limit_.reduce)
          last.asleep |= bit(last.taken);
        last.taken = first(last.left);
        last.left &= last.left - 1;
        return true;
      }
      path_.pop_back();
    }
    return false;
  }
  // Only now: descriptions are slow.
  void describe_shortest() {
    if (shortest_.empty())
      return;
    auto made = make_();
    auto& model = model_of(made);
    for (auto chain : shortest_) {
      done_.shortest.push_back(model.describe(chain));
      model.step(chain);
    }
  }

  Make make_;
  limits limit_;
  result done_;
  std::vector<choice> path_;
  std::vector<std::size_t> shortest_;
};

/// @param make Returns a model, or a pointer to one that owns it.
template <class Make>
result explore(Make make, limits limit = {}) {
  return explorer<Make>{std::move(make), limit}.run();
}

} // namespace sluice::exploration
