#include <fleetarium/recording/database.hpp>

#include <fleetarium/recording/row_blocks.hpp>

namespace fleetarium::recording {

database::database(const std::string& path, mode how) try : storage
    ::database(path, how) { row_blocks::prepare(handle()); }
catch (const storage::database_error& error) {
    throw recording_error(error.what());
}

void database::translate(const storage::database_error& error) const {
    throw recording_error(error.what());
}

}  // namespace fleetarium::recording
