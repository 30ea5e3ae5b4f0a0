#pragma once

#include <fleetarium/codec/reason_code.hpp>

#include <boost/system/error_code.hpp>

namespace fleetarium {

/// The category "mqtt" of reason codes as errors: what the server said, where `error` is what this
/// side says. Its messages are the standard's names with the number, as "Not authorized (0x87)".
const boost::system::error_category& reason_category() noexcept;

/// A failure code as an error; other codes are no error.
inline boost::system::error_code make_error_code(reason_code code) noexcept {
    return is_failure(code) ? boost::system::error_code(static_cast<int>(code), reason_category())
                            : boost::system::error_code();
}

/// Whether the server gave this failure code.
inline bool operator==(const boost::system::error_code& why, reason_code code) noexcept {
    return why.category() == reason_category() && why.value() == static_cast<int>(code);
}

}  // namespace fleetarium
