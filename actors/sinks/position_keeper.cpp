#include "actors/sinks/position_keeper.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "store/checkpoint_store.hpp"

namespace sluice {

namespace {

class durable_keeper : public position_keeper {
public:
  explicit durable_keeper(std::string directory)
    : directory_{std::move(directory)} {
    // nop
  }

  expected<sink_opened> open(const feed_record& feed) override {
    feed_ = feed;
    if (!store_) {
      auto opened = checkpoint_store::open(directory_);
      if (!opened)
        return tl::unexpected{std::move(opened.error())};
      store_ = std::move(*opened);
    }
    // The fence first: nobody moves what is read after it.
    auto writer = store_->next_incarnation("sink:" + feed.name);
    if (!writer)
      return tl::unexpected{std::move(writer.error())};
    auto stored = store_->positions(feed.id);
    if (!stored)
      return tl::unexpected{std::move(stored.error())};
    return sink_opened{*writer, std::move(stored->positions),
                       stored->low_watermark};
  }

  status store(incarnation writer, const std::vector<table_position>& positions,
               timestamp low_watermark) override {
    if (!store_)
      return fail(errc::sink_unavailable, feed_.name + " is not open");
    return store_->store_positions(feed_, writer, positions, low_watermark);
  }

private:
  std::string directory_;
  feed_record feed_;
  std::optional<checkpoint_store> store_; // Opened in the sink's thread.
};

class memory_keeper : public position_keeper {
public:
  expected<sink_opened> open(const feed_record&) override {
    writer_ = writer_.next();
    auto result = sink_opened{writer_, {}, low_watermark_};
    for (const auto& [table, position] : positions_)
      result.positions.push_back(position);
    return result;
  }

  status store(incarnation writer, const std::vector<table_position>& positions,
               timestamp low_watermark) override {
    if (writer != writer_)
      return fail(errc::sink_fenced, "writer " + to_string(writer)
                                       + ", newest is " + to_string(writer_));
    low_watermark_ = std::max(low_watermark_, low_watermark);
    for (const auto& x : positions) {
      auto& to = positions_[x.table];
      to.table = x.table;
      to.cursor = std::max(to.cursor, x.cursor);
      to.checkpoint = std::max(to.checkpoint, x.checkpoint);
    }
    return {};
  }

private:
  incarnation writer_;
  std::map<table_id, table_position> positions_;
  timestamp low_watermark_;
};

} // namespace

std::shared_ptr<position_keeper> keep_positions_in(std::string directory) {
  return std::make_shared<durable_keeper>(std::move(directory));
}

std::shared_ptr<position_keeper> keep_positions_in_memory() {
  return std::make_shared<memory_keeper>();
}

} // namespace sluice
