#include "tests/simulation/exhaust/message.hpp"

namespace sluice::exploration {

namespace {

std::string text(std::uint64_t x) {
  return std::to_string(x);
}

struct describing {
  std::string operator()(const progress& x) const {
    return "progress to block " + text(x.last.value) + ", resolved "
           + text(x.resolved.value);
  }
  std::string operator()(const scan_answer& x) const {
    auto result = "scan " + text(x.scan.value);
    for (const auto& y : x.results)
      result += ", epoch " + text(y.asked.stream_epoch.value) + " after "
                + to_string(y.asked.after)
                + (y.failure == errc::none ? "" : " FAILED");
    return result;
  }
  std::string operator()(const ddl_notice& x) const {
    return "DDL at " + text(x.event.ts.value);
  }
  std::string operator()(const schema_resolved& x) const {
    return "schemas resolved " + text(x.resolved.value);
  }
  std::string operator()(const schema_answer& x) const {
    return "schema for epoch " + text(x.query.stream_epoch.value) + " at "
           + text(x.query.at.value);
  }
  std::string operator()(const register_dispatchers& x) const {
    auto result = std::string{"REGISTER"};
    for (const auto& y : x.entries)
      result += " " + to_string(y.id) + " from " + text(y.start_ts.value);
    return result;
  }
  std::string operator()(const remove_dispatchers& x) const {
    auto result = std::string{"REMOVE"};
    for (const auto& y : x.registrations)
      result += " " + to_string(y);
    return result;
  }
  std::string operator()(const reset_streams& x) const {
    auto result = std::string{"RESET"};
    for (const auto& y : x.entries)
      result += " slot " + text(y.stream.value) + " epoch "
                + text(y.stream_epoch.value) + " ts " + text(y.reset_ts.value);
    return result;
  }
  std::string operator()(const heartbeat& x) const {
    auto result = "heartbeat, acked " + text(x.acked.value);
    for (const auto& part : x.feeds) {
      result += ", all " + text(part.checkpoint.value);
      for (const auto& y : part.exceptions)
        result += ", but slot " + text(y.stream.value) + " epoch "
                  + text(y.stream_epoch.value) + " " + text(y.checkpoint.value);
    }
    return result;
  }
  std::string operator()(const credit& x) const {
    return x.granted.empty() ? "credit"
                             : "credit " + text(x.granted.front().total);
  }
  std::string operator()(const digest_request&) const {
    return "digest request";
  }
  std::string operator()(const ready& x) const {
    return "READY " + to_string(x.registration) + " slot "
           + text(x.stream.value);
  }
  std::string operator()(const refused& x) const {
    return "refused " + to_string(x.registration);
  }
  std::string operator()(const unknown_registration& x) const {
    return "unknown " + to_string(x.registration);
  }
  std::string operator()(const handshake& x) const {
    return "handshake epoch " + text(x.stream_epoch.value) + " from "
           + text(x.lower_bound.value);
  }
  std::string operator()(const delivery& x) const {
    auto result = std::string{"delivery"};
    for (const auto& y : x.items)
      result += ", slot " + text(y.stream.value) + " epoch "
                + text(y.stream_epoch.value) + " rows " + text(y.count)
                + " complete to " + text(y.complete_to.value);
    for (const auto& y : x.cohort)
      result += ", cohort to " + to_string(y.to);
    return result;
  }
  std::string operator()(const schema_change& x) const {
    return "schema change at " + text(x.event.ts.value);
  }
  std::string operator()(const watermark& x) const {
    auto result = "watermark " + text(x.promise.resolved.value);
    for (const auto& y : x.behind)
      result += ", behind slot " + text(y.stream.value);
    for (const auto& y : x.in_sync)
      result += ", in sync slot " + text(y.stream.value);
    return result;
  }
  std::string operator()(const digest&) const { return "digest"; }
  std::string operator()(const scan_request& x) const {
    auto result = "scan request " + text(x.scan.value);
    for (const auto& y : x.entries)
      result += ", epoch " + text(y.stream_epoch.value) + " after "
                + to_string(y.after);
    return result;
  }
  std::string operator()(const progress_taken&) const {
    return "progress taken";
  }
  std::string operator()(const floor_report& x) const {
    auto result = "floor " + text(x.floor.value);
    for (const auto& y : x.exceptions)
      result += ", but table " + text(y.table.value) + " "
                + text(y.floor.value);
    return result;
  }
  std::string operator()(const schema_query& x) const {
    return "look-up for epoch " + text(x.stream_epoch.value) + " at "
           + text(x.at.value);
  }
  std::string operator()(const open_sink&) const { return "open sink"; }
  std::string operator()(const write_rows& x) const {
    return "write batch " + text(x.batch);
  }
  std::string operator()(const store_watermark& x) const {
    return "store watermark " + text(x.ts.value);
  }
  std::string operator()(const sink_opened& x) const {
    return "sink opened, low watermark " + text(x.low_watermark.value);
  }
  std::string operator()(const rows_released& x) const {
    return "released to batch " + text(x.batch);
  }
  std::string operator()(const rows_durable& x) const {
    return "durable to batch " + text(x.batch) + ", low watermark "
           + text(x.low_watermark.value);
  }
  std::string operator()(const sink_failed&) const { return "sink failed"; }
};

} // namespace

std::string describe(const message& x) {
  return std::visit(describing{}, x);
}

} // namespace sluice::exploration
