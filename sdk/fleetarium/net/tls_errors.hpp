#pragma once

#include <boost/system/error_code.hpp>

namespace fleetarium::net {

/// What goes wrong with TLS beside what OpenSSL itself reports.
enum class tls_error {
    http_without_tls = 1,
    mqtt_without_tls,
    not_tls,
    closed_in_handshake,
    unasked_output,
};

/// The errors of TLS streams: `tls_error`, those of OpenSSL, and failed checks of certificates.
/// Messages are sentences for a person.
const boost::system::error_category& tls_error_category() noexcept;

boost::system::error_code make_error_code(tls_error error) noexcept;

/// The oldest error in OpenSSL's queue of this thread, which is empty after.
boost::system::error_code take_openssl_error() noexcept;

/// A certificate that failed its check: `result` is an X509_V_ERR code.
boost::system::error_code make_verify_error(long result) noexcept;

}  // namespace fleetarium::net

template <>
struct boost::system::is_error_code_enum<fleetarium::net::tls_error> : std::true_type {};
