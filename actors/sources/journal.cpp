#include "actors/sources/journal.hpp"

#include <map>

#include "store/checkpoint_store.hpp"

namespace sluice {

namespace {

class durable_journal : public source_journal {
public:
  durable_journal(std::string directory, std::string source)
    : directory_{std::move(directory)}, source_{std::move(source)} {
    // nop
  }

  expected<table_id> table_of(std::string_view name) override {
    auto opened = open();
    if (!opened)
      return tl::unexpected{opened.error()};
    return store_->table_of(source_, name);
  }

  expected<generation> next_generation() override {
    auto opened = open();
    if (!opened)
      return tl::unexpected{opened.error()};
    return store_->next_generation(source_);
  }

  expected<std::optional<std::string>> note(std::string_view key) override {
    auto opened = open();
    if (!opened)
      return tl::unexpected{opened.error()};
    return store_->note(source_, key);
  }

  status set_note(std::string_view key, std::string_view value) override {
    auto opened = open();
    if (!opened)
      return opened;
    return store_->set_note(source_, key, value);
  }

private:
  status open() {
    if (store_)
      return {};
    auto opened = checkpoint_store::open(directory_);
    if (!opened)
      return tl::unexpected{std::move(opened.error())};
    store_.emplace(std::move(*opened));
    return {};
  }

  std::string directory_;
  std::string source_;
  std::optional<checkpoint_store> store_;
};

class memory_journal : public source_journal {
public:
  expected<table_id> table_of(std::string_view name) override {
    auto [i, is_new] = tables_.try_emplace(std::string{name});
    if (is_new)
      i->second.value = tables_.size();
    return i->second;
  }

  expected<generation> next_generation() override {
    last_ = last_.next();
    return last_;
  }

  expected<std::optional<std::string>> note(std::string_view key) override {
    auto found = notes_.find(std::string{key});
    if (found == notes_.end())
      return std::nullopt;
    return found->second;
  }

  status set_note(std::string_view key, std::string_view value) override {
    notes_[std::string{key}] = value;
    return {};
  }

private:
  std::map<std::string, table_id> tables_;
  std::map<std::string, std::string> notes_;
  generation last_;
};

} // namespace

std::shared_ptr<source_journal> make_durable_journal(std::string directory,
                                                     std::string source) {
  return std::make_shared<durable_journal>(std::move(directory),
                                           std::move(source));
}

std::shared_ptr<source_journal> make_memory_journal() {
  return std::make_shared<memory_journal>();
}

} // namespace sluice
