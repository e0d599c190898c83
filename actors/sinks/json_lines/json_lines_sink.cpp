#include "actors/sinks/json_lines/json_lines_sink.hpp"

#include <utility>

#include "actors/sinks/json_lines/json_session.hpp"
#include "actors/sinks/json_lines/json_text.hpp"

namespace sluice {

namespace {

class json_lines_sink : public sink_connector {
public:
  explicit json_lines_sink(json_lines_options options)
    : options_{std::move(options)} {
    if (!options_.clock)
      options_.clock = std::chrono::system_clock::now;
  }

  std::string describe() const override {
    return "json_lines " + options_.path;
  }

  bool wants_commit_order() const override { return true; }

  expected<sink_position> open(const feed_record& feed) override {
    session_.reset(); // Lets go of the lock, and the path is looked up anew.
    if (auto good = validate(); !good)
      return tl::unexpected{std::move(good.error())};
    auto session = json_session::open(feed, options_);
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
    if (options_.path.empty())
      return fail(errc::invalid_option,
                  "a json_lines sink needs the path of a file");
    for (const auto* x : {&options_.name, &options_.db, &options_.connector})
      if (!is_utf8(*x))
        return fail(errc::invalid_option,
                    describe() + ": name, db and connector must be UTF-8");
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

  json_lines_options options_;
  std::unique_ptr<json_session> session_;
};

} // namespace

std::unique_ptr<sink_connector>
make_json_lines_sink(json_lines_options options) {
  return std::make_unique<json_lines_sink>(std::move(options));
}

} // namespace sluice
