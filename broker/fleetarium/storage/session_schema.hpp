#pragma once

#include <fleetarium/storage/database.hpp>

namespace fleetarium::storage {

/// Makes the tables of a session file in an empty database, with a write-ahead log that is empty.
/// Throws database_error.
void make_schema(database& file);

/// Checks that a database is a session file of a version that can be read. Throws
/// session_file_error, database_error.
void check_schema(database& file);

}  // namespace fleetarium::storage
