#pragma once

#include <fleetarium/net/tls_context.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::net {

class deterministic_key;

/// A certificate and its private key as PEM text: for `tls_options`, or to be written to files.
struct certificate_and_key {
    std::string certificate{};
    std::string private_key{};
};

/// When a certificate holds. The default never ends within the life of a test.
struct certificate_validity {
    std::chrono::sys_seconds from = std::chrono::sys_days{std::chrono::year{2020} / 1 / 1};
    std::chrono::sys_seconds until = std::chrono::sys_days{std::chrono::year{2049} / 12 / 31};

    /// One that has ended.
    static certificate_validity expired() {
        return {std::chrono::sys_days{std::chrono::year{2020} / 1 / 1},
                std::chrono::sys_days{std::chrono::year{2020} / 12 / 31}};
    }
};

/// An authority for tests and its certificates: a server's and any number of devices', in memory.
///
/// All of it follows from the seed: the same seed and name give the same key and the same
/// certificate to the bit, on any machine, so tests repeat and nothing has to be stored. Keys are
/// ECDSA P-256, signed with nonces by RFC 6979; whoever knows the seed has the keys, so they
/// protect nothing.
///
///     const test_certificate_authority authority(7);
///     const tls_options broker_side = authority.server_tls(client_certificates::required);
///     const tls_options device_side = authority.device_tls("lamp-7");  // user name "lamp-7"
///
/// Thread rule: members that are const from any thread.
class test_certificate_authority {
public:
    explicit test_certificate_authority(std::uint64_t seed, certificate_validity validity = {});
    test_certificate_authority(test_certificate_authority&&) noexcept;
    test_certificate_authority& operator=(test_certificate_authority&&) noexcept;
    ~test_certificate_authority();

    /// The certificate to trust, as PEM text.
    const std::string& certificate() const { return certificate_; }

    /// For a server that is reached under these names, each a host name or an IP address. Its
    /// Common Name is the first.
    /// Throws std::invalid_argument: no name, or one that is neither.
    certificate_and_key server(const std::vector<std::string>& names = default_server_names(),
                               certificate_validity validity = {}) const;

    /// For a device, with `name` as Common Name.
    /// Throws std::invalid_argument: empty, longer than 64 bytes, or with a control character.
    certificate_and_key device(std::string_view name, certificate_validity validity = {}) const;

    /// The options of a listener with `server()`, and of the clients that go with it.
    enum class client_certificates : std::uint8_t { ignored, accepted, required };
    tls_options server_tls(client_certificates clients = client_certificates::ignored) const;
    tls_options device_tls(std::string_view name) const;
    /// A client that trusts this authority and shows no certificate.
    tls_options anonymous_tls() const;

    /// "localhost", "127.0.0.1" and "::1".
    static std::vector<std::string> default_server_names();

private:
    enum class kind : std::uint8_t { authority, server, device };
    deterministic_key key_of(kind of, std::string_view name) const;
    certificate_and_key make(kind of, std::string_view common_name,
                             const std::vector<std::string>& names,
                             certificate_validity validity) const;

    std::uint64_t seed_;
    std::string name_;
    std::unique_ptr<const deterministic_key> key_;
    std::string certificate_;
};

/// Writes STEM.pem and STEM.key, whose reader can be its owner only. What is there is replaced.
/// Throws std::runtime_error that names the file and what is wrong.
void write_files(const certificate_and_key& pair, const std::string& stem);

/// Writes a certificate alone: an authority's.
void write_certificate(const std::string& certificate, const std::string& path);

}  // namespace fleetarium::net
