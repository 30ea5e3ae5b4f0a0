#pragma once

struct sqlite3_vfs;

namespace fleetarium::storage {

/// What SQLite never asks of a file system: to give a file another name, in the place of a file
/// that has it, in one step that the disk has when the call returns. An sqlite3_vfs offers it as
/// the system call `rename_call_name` (xGetSystemCall). Returns one of SQLite's result codes.
using rename_call = int (*)(sqlite3_vfs* in, const char* from, const char* to);
inline constexpr const char* rename_call_name = "rename";

}  // namespace fleetarium::storage
