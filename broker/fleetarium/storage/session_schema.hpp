#pragma once

#include <fleetarium/storage/database.hpp>

namespace fleetarium::storage {

/// Makes the tables of a session file in an empty database, or checks that a database is a session
/// file of a version that can be read. Throws session_file_error, database_error.
void prepare_schema(database& file);

/// Only checks.
void check_schema(database& file);

}  // namespace fleetarium::storage
