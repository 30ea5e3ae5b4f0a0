#pragma once

#include <fleetarium/storage/database.hpp>

#include <functional>
#include <string>

namespace fleetarium::storage {

/// Makes a database that is there whole or not at all, whenever the process dies or the power goes:
/// `fill` makes it under another name beside it (`path`-making), and when the disk has all of it,
/// it gets its own. SQLite's rollback journal alone does not do that on a disk whose power cut may
/// leave garbage in sectors: its checksums skip most bytes of a page.
///
/// Where a file of that name has a byte, nothing happens but that leftovers of an earlier attempt
/// are removed; nothing that ever had the name `path` is. `fill` has to leave no write-ahead log
/// with something in it. Two processes make files of one folder one after the other.
///
/// A file system other than the machine's (`vfs`) has to have a system call "rename" (see
/// rename_call). Throws database_error, as where a log is there whose file is not; and what `fill`
/// throws.
void make_database(const std::string& path, const std::string& vfs,
                   const std::function<void(database&)>& fill);

}  // namespace fleetarium::storage
