#pragma once

#include <fleetarium/recording/recording_error.hpp>
#include <fleetarium/storage/database.hpp>

#include <string>

namespace fleetarium::recording {

using storage::statement;

/// A recording's SQLite file. All members, and the statements on it, throw recording_error.
/// Thread rule: one thread at a time.
class database : public storage::database {
public:
    database(const std::string& path, mode how);

protected:
    void translate(const storage::database_error& error) const override;
};

}  // namespace fleetarium::recording
