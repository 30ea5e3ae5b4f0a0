#pragma once

#include <cstdint>
#include <memory>
#include <string>

typedef struct ssl_ctx_st SSL_CTX;

namespace fleetarium::net {

/// What TLS needs to know. Each certificate, chain or key may be a file or PEM text at hand
/// (which begins with "-----BEGIN"); empty is none.
struct tls_options {
    std::string certificate{};  ///< with its chain; a server needs one, a client for mTLS
    std::string private_key{};
    /// Whom to trust: certificates of authorities. Client: empty is the system's store.
    /// Server: with it, clients may show a certificate.
    std::string authorities{};
    bool require_client_certificate = false;  ///< server: no certificate, no connection
    bool verify_peer = true;                  ///< client: off accepts any certificate
    std::string server_name{};                ///< client: instead of the URL's host (SNI, check)
    bool tls_1_2 = true;                      ///< else 1.3 only
    /// Client: a protocol to offer by ALPN, for servers that ask for one, such as "mqtt"; empty is
    /// none. A server takes "mqtt" where a client offers it.
    std::string application_protocol{};
    /// Secrets are appended to this file in the format that Wireshark reads; empty is none.
    std::string key_log_file{};
};

enum class tls_role : std::uint8_t { client, server };

/// Certificates and rules that many TLS streams share; cheap to copy, the last copy frees it.
/// Thread rule: any thread.
class tls_context {
public:
    tls_context() = default;

    /// Throws std::runtime_error with a sentence that names the file or option that is wrong: a
    /// file that cannot be read, no PEM in it, a key that does not belong to the certificate.
    tls_context(tls_role role, const tls_options& options);

    explicit operator bool() const { return context_ != nullptr; }
    SSL_CTX* native_handle() const { return context_.get(); }
    const tls_options& options() const { return *options_; }

private:
    std::shared_ptr<const tls_options> options_;
    std::shared_ptr<SSL_CTX> context_;
};

}  // namespace fleetarium::net
