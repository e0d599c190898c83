#include "actors/sinks/sqlite/sqlite_sink.hpp"

#include <utility>

#include "actors/sinks/sqlite/sink_session.hpp"

namespace sluice {

namespace {

class sqlite_sink : public sink_connector {
public:
  explicit sqlite_sink(sqlite_sink_options options)
    : options_{std::move(options)} {
    // nop
  }

  std::string describe() const override { return "sqlite " + options_.path; }

  void set_directory(const std::string& id) override { directory_ = id; }

  expected<sink_position> open(const feed_record& feed) override {
    session_.reset(); // Rolls back, and the path is looked up anew.
    if (auto good = validate(); !good)
      return tl::unexpected{std::move(good.error())};
    auto session = sink_session::open(feed, options_, directory_);
    if (!session)
      return tl::unexpected{std::move(session.error())};
    session_ = std::move(*session);
    return session_->opened();
  }

  status write(const sink_rows& rows) override {
    if (!session_)
      return closed();
    return ended_by(session_->write(rows));
  }

  status commit(const std::vector<table_position>& positions,
                std::optional<timestamp> low_watermark) override {
    if (!session_)
      return closed();
    return ended_by(session_->commit(positions, low_watermark));
  }

private:
  [[nodiscard]] status validate() const {
    if (options_.path.empty() || options_.path == ":memory:")
      return fail(errc::invalid_option,
                  "a SQLite replica needs the path of a file");
    if (options_.busy_timeout.count() < 0
        || options_.busy_timeout > std::chrono::hours{1})
      return fail(errc::invalid_option,
                  describe() + ": busy_timeout must be 0 to 1 h");
    return {};
  }

  [[nodiscard]] status closed() const {
    return fail(errc::sink_unavailable, describe() + " is not open");
  }

  /// What the session remembers is wrong after an error.
  status ended_by(status result) {
    if (!result)
      session_.reset();
    return result;
  }

  sqlite_sink_options options_;
  std::string directory_; // id of the service's
  std::unique_ptr<sink_session> session_;
};

} // namespace

std::unique_ptr<sink_connector> make_sqlite_sink(sqlite_sink_options options) {
  return std::make_unique<sqlite_sink>(std::move(options));
}

} // namespace sluice
