#pragma once

#include <stdexcept>

namespace fleetarium::recording {

/// A recording cannot be opened, read or written; what() is a sentence that names the file.
class recording_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// There is no room for a temporary file: nothing is wrong with what is read.
class no_room_error : public recording_error {
public:
    using recording_error::recording_error;
};

}  // namespace fleetarium::recording
