#include <fleetarium/net/tls_errors.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <string>

namespace fleetarium::net {

namespace {

// One integer holds all three kinds: OpenSSL packs its library, which is never 0, above bit 23.
constexpr int verify_base = 0x1000;
constexpr int openssl_base = 1 << 23;

const char* own_message(tls_error error) {
    switch (error) {
        case tls_error::http_without_tls:
            return "the peer does not speak TLS (it sent an HTTP request; a browser wants "
                   "https://)";
        case tls_error::mqtt_without_tls:
            return "the peer does not speak TLS (it sent an MQTT packet; clients need mqtts:// or "
                   "their TLS options here)";
        case tls_error::not_tls:
            return "the peer does not speak TLS (its first bytes are no TLS record)";
        case tls_error::closed_in_handshake:
            return "the peer closed the connection during the TLS handshake";
        case tls_error::unasked_output:
            return "the peer keeps asking for TLS messages that carry no data";
    }
    return "unknown TLS error";
}

/// A fatal alert that the peer sent, and what it usually means.
std::string alert_message(int alert) {
    std::string name = SSL_alert_desc_string_long(alert);
    const char* hint = "";
    switch (alert) {
        case SSL_AD_UNKNOWN_CA:
            hint = ": it does not trust the authority that signed our certificate";
            break;
        case SSL_AD_CERTIFICATE_EXPIRED:
            hint = ": our certificate has expired, or its clock is wrong";
            break;
        case SSL_AD_BAD_CERTIFICATE:
        case SSL_AD_CERTIFICATE_UNKNOWN: hint = ": it does not accept our certificate"; break;
        case SSL_AD_CERTIFICATE_REQUIRED:  // OpenSSL 3.0 has no name for it
            name = "certificate required";
            hint = ": it wants a client certificate";
            break;
        case SSL_AD_PROTOCOL_VERSION: hint = ": it allows no TLS version that we do"; break;
        default: break;
    }
    return "the peer refused with the TLS alert \"" + name + '"' + hint;
}

std::string openssl_message(int value) {
    const auto packed = static_cast<unsigned long>(value);
    const int reason = ERR_GET_REASON(packed);
    if (ERR_GET_LIB(packed) == ERR_LIB_SSL) {
        if (reason >= SSL_AD_REASON_OFFSET) {
            return alert_message(reason - SSL_AD_REASON_OFFSET);
        }
        switch (reason) {
            case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
                return "the client shows no certificate, and one is required";
            case SSL_R_UNSUPPORTED_PROTOCOL:
            case SSL_R_VERSION_TOO_LOW:
                return "the peer offers no TLS version that is allowed here";
            case SSL_R_NO_SHARED_CIPHER: return "the peer offers no cipher that is allowed here";
            default: break;
        }
    }
    const char* const text = ERR_reason_error_string(packed);
    return text != nullptr ? std::string("TLS: ") + text : "TLS error " + std::to_string(value);
}

class category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "fleetarium.tls"; }

    std::string message(int value) const override {
        if (value >= openssl_base) {
            return openssl_message(value);
        }
        if (value >= verify_base) {
            return std::string("certificate verify failed: ") +
                   X509_verify_cert_error_string(value - verify_base);
        }
        return own_message(static_cast<tls_error>(value));
    }
};

}  // namespace

const boost::system::error_category& tls_error_category() noexcept {
    static const category one;
    return one;
}

boost::system::error_code make_error_code(tls_error error) noexcept {
    return {static_cast<int>(error), tls_error_category()};
}

boost::system::error_code take_openssl_error() noexcept {
    const unsigned long oldest = ERR_get_error();
    ERR_clear_error();
    const bool usable = oldest != 0 && !ERR_SYSTEM_ERROR(oldest);
    return {static_cast<int>(usable ? oldest : ERR_PACK(ERR_LIB_SSL, 0, ERR_R_INTERNAL_ERROR)),
            tls_error_category()};
}

boost::system::error_code make_verify_error(long result) noexcept {
    return {verify_base + static_cast<int>(result), tls_error_category()};
}

}  // namespace fleetarium::net
