#pragma once

/// Starts a PostgreSQL server in a temporary directory, lets pgbench and a
/// writer of random transactions change it, and a copier follow it that is
/// killed with SIGKILL again and again, once in the middle of the initial copy.
/// In the end every table's rows in PostgreSQL are compared with the replica's.
namespace pg_demo {

/// @returns The exit status: 0 if all is equal, 1 if not, 2 after an error.
int run(int argc, char** argv);

} // namespace pg_demo
