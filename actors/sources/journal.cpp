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

  expected<std::vector<table_id>>
  tables_of(const std::vector<std::string>& names) override {
    auto opened = open();
    if (!opened)
      return tl::unexpected{opened.error()};
    return store_->tables_of(source_, names);
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

  status set_notes(const std::vector<named_note>& notes) override {
    auto opened = open();
    if (!opened)
      return opened;
    auto all = std::vector<checkpoint_store::key_value>{};
    for (const auto& x : notes)
      all.push_back({x.key, x.value});
    return store_->set_notes(source_, all);
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
  expected<std::vector<table_id>>
  tables_of(const std::vector<std::string>& names) override {
    auto result = std::vector<table_id>{};
    for (const auto& name : names) {
      auto next = table_id{tables_.size() + 1};
      result.push_back(tables_.try_emplace(name, next).first->second);
    }
    return result;
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

  status set_notes(const std::vector<named_note>& notes) override {
    for (const auto& x : notes)
      notes_[x.key] = x.value;
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
