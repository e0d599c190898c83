#include "actors/credit_state.hpp"

#include <doctest/doctest.h>

using namespace sluice;

namespace {

constexpr auto feed = feed_id{1};
constexpr auto other = feed_id{2};

using totals = std::vector<feed_total>;
using grants = std::vector<feed_grant>;

struct both {
  credit_spent spent;
  credit_granted granted{100};

  both() {
    granted.add(feed);
    CHECK(spent.on_granted(granted.granted()));
    granted.told();
  }
  // A delivery that arrives.
  void deliver(std::uint64_t charge) {
    spent.spend(feed, charge);
    granted.on_sent(spent.sent());
    granted.pin(feed, charge);
  }
};

} // namespace

TEST_CASE("nothing may be sent before the first grant") {
  auto uut = credit_spent{};
  CHECK(uut.allowed(feed) == 0);
  CHECK_FALSE(uut.covers(feed, 0));
  CHECK_FALSE(uut.covers(feed, 1));
}

TEST_CASE_FIXTURE(both, "what is allowed is granted less sent") {
  CHECK(spent.allowed(feed) == 100);
  spent.spend(feed, 70);
  CHECK(spent.allowed(feed) == 30);
  CHECK(spent.covers(feed, 30));
  CHECK_FALSE(spent.covers(feed, 31));
  CHECK(spent.covers(feed, 10, 20));
  CHECK_FALSE(spent.covers(feed, 10, 21));
  CHECK(spent.sent() == totals{{feed, 70}});
}

TEST_CASE_FIXTURE(both,
                  "a row that is too large passes when nothing is in flight") {
  CHECK_FALSE(spent.covers(feed, 400));
  CHECK(spent.covers_row(feed, 400));
  spent.spend(feed, 400);
  CHECK(spent.allowed(feed) == -300);
  CHECK_FALSE(spent.covers_row(feed, 1));
}

TEST_CASE_FIXTURE(both, "nothing large passes while something is in flight") {
  deliver(1);
  CHECK_FALSE(spent.covers_row(feed, 400));
}

TEST_CASE_FIXTURE(both, "a grant that is repeated changes nothing") {
  deliver(60);
  granted.release(feed, 60);
  auto second = granted.granted();
  CHECK(second == grants{{feed, 160, 100}});
  CHECK(spent.on_granted(second));
  CHECK_FALSE(spent.on_granted(second));
  CHECK(spent.allowed(feed) == 100);
}

TEST_CASE_FIXTURE(both, "what is pinned is not granted again") {
  deliver(60);
  CHECK(granted.pinned() == 60);
  CHECK(granted.granted() == grants{{feed, 100, 100}});
  granted.release(feed, 20);
  CHECK(granted.granted() == grants{{feed, 120, 100}});
}

TEST_CASE_FIXTURE(both, "a delivery that got lost is mended by the next mark") {
  spent.spend(feed, 60); // lost on its way: pinned by nobody
  CHECK(granted.granted() == grants{{feed, 100, 100}});
  deliver(10); // its mark names both
  CHECK(granted.granted() == grants{{feed, 160, 100}});
  CHECK(spent.on_granted(granted.granted()));
  CHECK(spent.allowed(feed) == 90);
}

TEST_CASE_FIXTURE(both, "an old mark does not lower what was seen") {
  deliver(60);
  granted.on_sent({{feed, 10}});
  granted.release(feed, 60);
  CHECK(granted.granted() == grants{{feed, 160, 100}});
}

TEST_CASE_FIXTURE(both, "one that pins more than the limit grants nothing") {
  deliver(400);
  CHECK(granted.granted() == grants{{feed, 100, 100}});
  granted.release(feed, 400);
  CHECK(granted.granted() == grants{{feed, 500, 100}});
  CHECK(spent.on_granted(granted.granted()));
  CHECK(spent.allowed(feed) == 100);
}

TEST_CASE_FIXTURE(both, "a new connection counts from 0") {
  deliver(60);
  granted.reopen();
  CHECK(granted.granted() == grants{{feed, 40, 100}});
}

TEST_CASE_FIXTURE(both, "a release is not counted twice") {
  deliver(60);
  granted.release(feed, 60);
  granted.release(feed, 60);
  CHECK(granted.pinned() == 0);
  CHECK(granted.granted() == grants{{feed, 160, 100}});
}

TEST_CASE_FIXTURE(both, "a feed never spends another one's credit") {
  granted.add(other);
  spent.on_granted(granted.granted());
  spent.spend(other, 100);
  CHECK(spent.allowed(feed) == 100);
  granted.on_sent(spent.sent());
  granted.pin(other, 100);
  CHECK(granted.granted() == grants{{feed, 100, 100}, {other, 100, 100}});
}

TEST_CASE_FIXTURE(both, "a quarter of the limit is worth a message") {
  CHECK_FALSE(granted.changed());
  deliver(60);
  CHECK_FALSE(granted.changed());
  granted.release(feed, 24);
  CHECK(granted.changed());
  CHECK_FALSE(granted.worth_telling());
  granted.release(feed, 1);
  CHECK(granted.worth_telling());
  granted.told();
  CHECK_FALSE(granted.worth_telling());
  CHECK_FALSE(granted.changed());
  granted.add(other); // never told
  CHECK(granted.worth_telling());
}

TEST_CASE_FIXTURE(both, "a feed that left is pinned and granted no more") {
  deliver(60);
  granted.remove(feed);
  CHECK(granted.granted().empty());
  granted.release(feed, 60); // its sink answers late
  granted.pin(feed, 10);
  CHECK(granted.pinned() == 0);
}

// -- a limit that changes -----------------------------------------------------

TEST_CASE_FIXTURE(both,
                  "a lower limit is told, and takes back what is unused") {
  deliver(30);
  granted.set_limit(40);
  CHECK(granted.worth_telling());
  CHECK_FALSE(spent.on_granted(granted.granted()));
  CHECK(spent.allowed(feed) == 10);
}

TEST_CASE_FIXTURE(both, "below a lower limit nothing goes before a release") {
  deliver(90);
  granted.set_limit(40);
  spent.on_granted(granted.granted());
  CHECK_FALSE(spent.covers(feed, 1));
  granted.release(feed, 60);
  CHECK(spent.on_granted(granted.granted()));
  CHECK(spent.allowed(feed) == 10);
}

TEST_CASE_FIXTURE(both,
                  "a row that is too large for a lower limit passes, too") {
  deliver(90);
  granted.set_limit(40);
  granted.release(feed, 90);
  spent.on_granted(granted.granted());
  CHECK(spent.allowed(feed) == 40);
  CHECK(spent.covers_row(feed, 400));
}

TEST_CASE_FIXTURE(both, "a higher limit is granted at once") {
  deliver(90);
  granted.set_limit(200);
  CHECK(granted.worth_telling());
  CHECK(spent.on_granted(granted.granted()));
  CHECK(spent.allowed(feed) == 110);
}

TEST_CASE_FIXTURE(both, "a grant of nothing is told once on a connection") {
  deliver(100);
  granted.reopen();
  CHECK(granted.worth_telling());
  granted.told();
  CHECK_FALSE(granted.worth_telling());
}
