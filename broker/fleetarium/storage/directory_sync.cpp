#include <fleetarium/storage/directory_sync.hpp>

#include <fleetarium/storage/database.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <memory>
#include <string>

namespace fleetarium::storage {

// The one way to ask any file system for it is to delete a file durably.
void sync_directory_of(const std::string& path, const std::string& vfs) {
    sqlite3_vfs* const in = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
    const auto require = [&](int done) {
        if (done != SQLITE_OK) {
            throw database_error(path + ": its folder cannot be synced", done);
        }
    };
    require(in == nullptr ? SQLITE_ERROR : SQLITE_OK);
    std::string whole(static_cast<std::size_t>(in->mxPathname) + 1, '\0');
    const int known =
        in->xFullPathname(in, path.c_str(), static_cast<int>(whole.size()), whole.data());
    require((known & 0xFF) == SQLITE_OK ? SQLITE_OK : known);
    const std::string name = std::string(whole.c_str()) + "-sync" + std::string(2, '\0');

    const auto memory = std::make_unique<std::max_align_t[]>(
        static_cast<std::size_t>(in->szOsFile) / sizeof(std::max_align_t) + 1);
    auto* const file = reinterpret_cast<sqlite3_file*>(memory.get());
    file->pMethods = nullptr;
    const int made =
        in->xOpen(in, name.c_str(), file,
                  SQLITE_OPEN_CREATE | SQLITE_OPEN_READWRITE | SQLITE_OPEN_SUPER_JOURNAL, nullptr);
    if (file->pMethods != nullptr) {
        file->pMethods->xClose(file);
    }
    require(made == SQLITE_OK ? in->xDelete(in, name.c_str(), 1) : made);
}

}  // namespace fleetarium::storage
