// After a kill the outbox gives the same rows again.

#include "actors/sources/journal.hpp"
#include "actors/sources/sqlite/sqlite_source.hpp"
#include "tests/kill/rig.hpp"

using namespace sluice;
using namespace sluice::kill_test;

namespace {

struct reading {
  std::vector<std::string> rows; ///< Their bytes.
  std::vector<row_cursor> cursors;
};

// By a fresh connector that knows what the killed process noted.
reading read_outbox(const rig& uut, row_cursor resume, std::size_t bytes_max,
                    const std::string& name) {
  auto directory = uut.directory.file(name);
  std::filesystem::copy(uut.state, directory,
                        std::filesystem::copy_options::recursive);
  auto journal = make_durable_journal(directory, "app");
  auto options = sqlite_source_options{};
  options.path = uut.source;
  options.tables.include = {"accounts", "entries", "tags"};
  auto connector = make_sqlite_source(options);
  auto opened = connector->open({resume, resume.commit_ts}, *journal);
  REQUIRE_MESSAGE(opened, to_string(opened.error()));
  auto result = reading{};
  for (auto more = true; more;) {
    auto batch = connector->read(bytes_max);
    REQUIRE_MESSAGE(batch, to_string(batch.error()));
    more = batch->more;
    if (!batch->rows)
      continue;
    for (std::size_t i = 0; i < batch->rows->rows(); ++i) {
      result.rows.emplace_back(batch->rows->row(i).bytes());
      result.cursors.push_back(batch->rows->row(i).cursor());
    }
  }
  return result;
}

} // namespace

TEST_CASE("An outbox read twice after a kill gives the same bytes") {
  auto uut = rig{choose_seed()};
  CAPTURE(uut.seed);
  uut.make_databases();
  uut.start_application(5'000);
  for (auto i = 0; i < 3; ++i) {
    auto before = uut.position();
    uut.start();
    uut.wait_for_progress(before);
    std::this_thread::sleep_for(uut.between(0, 300));
    uut.kill();
  }
  auto written = [&] {
    return integer(uut.source, "SELECT max(seq) - min(seq) FROM sluice_log")
           > 3'000;
  };
  REQUIRE(comes_true(20s, written));
  uut.stop_application();
  // The oldest place that is still there, and at which tables were copied.
  auto oldest = static_cast<std::uint64_t>(
    integer(uut.source, "SELECT max((SELECT min(seq) FROM sluice_log), "
                        "(SELECT max(copy_seq) FROM sluice_captures))"));
  auto resume = row_cursor::end_of({oldest});
  auto first = read_outbox(uut, resume, 1 << 20, "first");
  auto second = read_outbox(uut, resume, 3'000, "second");
  CHECK(first.rows.size() > 1'000);
  CHECK(first.cursors.front() > resume);
  CHECK(first.cursors == second.cursors);
  CHECK(first.rows == second.rows);
  // And the replica gets no other ones.
  uut.finish();
  uut.check_contents();
  uut.check_changes();
}
