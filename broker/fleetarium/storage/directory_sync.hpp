#pragma once

#include <string>

namespace fleetarium::storage {

/// Makes the names of the files beside `path` durable, its own and those of its journals.
///
/// SQLite does that for a log that it makes, at its first sync; not for one that it finds. If the
/// process that made it was killed before that, the next one would sync what it writes into a file
/// whose name a power cut takes away.
///
/// `vfs`: name of an sqlite3_vfs; empty: the machine's file system. Throws database_error.
void sync_directory_of(const std::string& path, const std::string& vfs);

}  // namespace fleetarium::storage
