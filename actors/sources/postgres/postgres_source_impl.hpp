#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/sources/postgres/copy_rows.hpp"
#include "actors/sources/postgres/late_tables.hpp"
#include "actors/sources/postgres/pg_setup.hpp"
#include "actors/sources/postgres/postgres_source.hpp"
#include "actors/sources/postgres/slot_reader.hpp"
#include "actors/sources/postgres/start_plan.hpp"
#include "actors/sources/postgres/table_join.hpp"
#include "actors/sources/postgres/table_notes.hpp"

namespace sluice {

struct postgres_source::impl {
  postgres_source_options options;
  source_journal* journal = nullptr;
  std::string where;
  std::string database;
  std::vector<std::string> left_out;
  bool has_publication = false;
  bool drops_publication = false; // when it ends
  postgres::origin from;
  std::optional<postgres::captured_tables> tables;
  std::optional<postgres::slot_reader> stream;
  timestamp behind; // until this is resolved: what was there at start
  std::optional<postgres::copy_rows> copy;
  row_block_builder builder; // of the copy
  timestamp before_copy;     // what is resolved until it is whole
  postgres::copied_tables copied;
  std::unique_ptr<postgres::late_tables> late; // none before all is copied
  std::unique_ptr<postgres::table_join> join;  // what it found
  bool joins_turn = false;                     // at the next read

  void close();
  void drop_publication();
  status open(const source_position& at);
  expected<postgres::report> look(postgres::connection& plain);
  status note_tables();
  status resume_tables(postgres::connection& plain,
                       const postgres::report& found, row_cursor resume);
  status begin_copy(postgres::connection replication,
                    postgres::connection& plain, const postgres::report& found,
                    const postgres::copy_all& how, const source_position& at);
  status start_copies(const postgres::report& found,
                      const std::string& snapshot, generation number);
  status note_origin();
  status read_slot(postgres::connection replication, postgres::lsn from_place,
                   postgres::lsn confirmed, row_cursor resume);
  void look_for_tables();
  expected<source_batch> read(std::size_t bytes_max);
  expected<source_batch> read_copy(std::size_t bytes_max);
  expected<source_batch> read_join(std::size_t bytes_max);
  status end_join(source_batch& last);
  status end_renamed();
  expected<source_batch> read_stream(std::size_t bytes_max);
};

} // namespace sluice
