#include <fleetarium/net/test_certificates.hpp>

#include <fleetarium/net/der.hpp>
#include <fleetarium/net/deterministic_ecdsa.hpp>

#include <arpa/inet.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <system_error>

namespace fleetarium::net {

namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t common_name_bytes_max = 64;  // X.520, ub-common-name

// Object identifiers as DER writes them.
constexpr std::string_view oid_common_name = "\x55\x04\x03"sv;
constexpr std::string_view oid_subject_key_identifier = "\x55\x1d\x0e"sv;
constexpr std::string_view oid_key_usage = "\x55\x1d\x0f"sv;
constexpr std::string_view oid_subject_alternative_name = "\x55\x1d\x11"sv;
constexpr std::string_view oid_basic_constraints = "\x55\x1d\x13"sv;
constexpr std::string_view oid_authority_key_identifier = "\x55\x1d\x23"sv;
constexpr std::string_view oid_extended_key_usage = "\x55\x1d\x25"sv;
constexpr std::string_view oid_server_auth = "\x2b\x06\x01\x05\x05\x07\x03\x01"sv;
constexpr std::string_view oid_client_auth = "\x2b\x06\x01\x05\x05\x07\x03\x02"sv;
constexpr std::string_view oid_ec_public_key = "\x2a\x86\x48\xce\x3d\x02\x01"sv;
constexpr std::string_view oid_prime256v1 = "\x2a\x86\x48\xce\x3d\x03\x01\x07"sv;
constexpr std::string_view oid_ecdsa_with_sha256 = "\x2a\x86\x48\xce\x3d\x04\x03\x02"sv;

std::string oid(std::string_view content) { return der::value(der::object_identifier, {content}); }

std::string name_of(std::string_view common_name) {
    const std::string text = der::value(der::utf8_string, {common_name});
    const std::string attribute = der::value(der::sequence, {oid(oid_common_name), text});
    return der::value(der::sequence, {der::value(der::set, {attribute})});
}

std::string time_of(std::chrono::sys_seconds when) {
    const auto day = std::chrono::floor<std::chrono::days>(when);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(when - day);
    const int year = static_cast<int>(date.year());
    if (year < 1950 || year > 9999) {
        throw std::invalid_argument("a certificate cannot hold the year " + std::to_string(year) +
                                    "; expected 1950 to 9999");
    }
    // RFC 5280: two digits of the year until 2049, four from then on.
    const bool two_digits = year < 2050;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(),
                  two_digits ? "%02d%02u%02u%02d%02d%02dZ" : "%04d%02u%02u%02d%02d%02dZ",
                  two_digits ? year % 100 : year, static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return der::value(two_digits ? der::utc_time : der::generalized_time, {text.data()});
}

enum class importance : std::uint8_t { normal, critical };

std::string extension(std::string_view id, importance how, std::string_view content) {
    const std::string flag =
        how == importance::critical ? der::value(der::boolean, {"\xff"sv}) : std::string();
    return der::value(der::sequence, {oid(id), flag, der::value(der::octet_string, {content})});
}

/// RFC 7093: the first 20 bytes of SHA-256 of the public key.
std::string key_identifier(const deterministic_key& key) {
    const auto hash = sha256(key.public_key());
    return std::string(as_text(bytes_view(hash).first(20)));
}

std::string algorithm_of_key() {
    return der::value(der::sequence, {oid(oid_ec_public_key), oid(oid_prime256v1)});
}

std::string private_key_pem(const deterministic_key& key) {
    const std::string secret = der::value(der::octet_string, {as_text(key.private_key())});
    const std::string open =
        der::value(der::constructed_context(1), {der::bits(as_text(key.public_key()))});
    const std::string version = der::value(der::integer, {"\x01"sv});
    const std::string inner = der::value(der::sequence, {version, secret, open});
    return der::to_pem(
        "PRIVATE KEY",
        der::value(der::sequence, {der::value(der::integer, {"\0"sv}), algorithm_of_key(),
                                   der::value(der::octet_string, {inner})}));
}

/// A host name or an IP address as a GeneralName.
std::string alternative_name(const std::string& name) {
    std::array<char, 16> address{};
    for (const int family : {AF_INET, AF_INET6}) {
        if (::inet_pton(family, name.c_str(), address.data()) == 1) {
            const std::size_t size = family == AF_INET ? 4 : 16;
            return der::value(der::context(7), {std::string_view(address.data(), size)});
        }
    }
    const bool is_host =
        !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '-' || c == '.' || c == '*' || c == '_';
        });
    if (!is_host) {
        throw std::invalid_argument("\"" + name +
                                    "\" is no name of a server; expected a host name such as "
                                    "broker.example or an IP address");
    }
    return der::value(der::context(2), {name});
}

struct certificate_content {
    std::string_view issuer;
    std::string_view subject;
    certificate_validity validity;
    std::string extensions;
};

std::string certificate_pem(const certificate_content& content, const deterministic_key& key,
                            const deterministic_key& signer) {
    const std::string algorithm = der::value(der::sequence, {oid(oid_ecdsa_with_sha256)});
    const std::string validity = der::value(
        der::sequence, {time_of(content.validity.from), time_of(content.validity.until)});
    const std::string public_key =
        der::value(der::sequence, {algorithm_of_key(), der::bits(as_text(key.public_key()))});
    const std::string rest =
        name_of(content.issuer) + validity + name_of(content.subject) + public_key +
        der::value(der::constructed_context(3), {der::value(der::sequence, {content.extensions})});
    // Different certificates of an authority need different serials, also those of one name.
    auto serial = sha256(as_bytes_view(rest));
    serial[0] = static_cast<std::uint8_t>((serial[0] & 0x3f) | 0x40);
    const std::string version =
        der::value(der::constructed_context(0), {der::value(der::integer, {"\x02"sv})});
    const std::string to_sign =
        der::value(der::sequence,
                   {version, der::unsigned_integer(bytes_view(serial).first(16)), algorithm, rest});
    const auto signature = signer.sign(as_bytes_view(to_sign));
    const std::string signed_by = der::value(
        der::sequence, {der::unsigned_integer(signature.r), der::unsigned_integer(signature.s)});
    return der::to_pem("CERTIFICATE",
                       der::value(der::sequence, {to_sign, algorithm, der::bits(signed_by)}));
}

std::string extensions_of_authority(const deterministic_key& key) {
    const std::string is_authority =
        der::value(der::sequence, {der::value(der::boolean, {"\xff"sv})});
    constexpr std::string_view may_sign = "\x03\x02\x01\x06"sv;  // keyCertSign, cRLSign
    return extension(oid_basic_constraints, importance::critical, is_authority) +
           extension(oid_key_usage, importance::critical, may_sign) +
           extension(oid_subject_key_identifier, importance::normal,
                     der::value(der::octet_string, {key_identifier(key)}));
}

std::string extensions_of_leaf(std::string_view purpose, const std::vector<std::string>& names,
                               const deterministic_key& key, const deterministic_key& authority) {
    constexpr std::string_view is_none = "\x30\x00"sv;
    constexpr std::string_view may_sign_data = "\x03\x02\x07\x80"sv;  // digitalSignature
    std::string made =
        extension(oid_basic_constraints, importance::critical, is_none) +
        extension(oid_key_usage, importance::critical, may_sign_data) +
        extension(oid_extended_key_usage, importance::normal,
                  der::value(der::sequence, {oid(purpose)})) +
        extension(oid_subject_key_identifier, importance::normal,
                  der::value(der::octet_string, {key_identifier(key)})) +
        extension(
            oid_authority_key_identifier, importance::normal,
            der::value(der::sequence, {der::value(der::context(0), {key_identifier(authority)})}));
    if (!names.empty()) {
        std::string list;
        for (const std::string& name : names) {
            list += alternative_name(name);
        }
        made += extension(oid_subject_alternative_name, importance::normal,
                          der::value(der::sequence, {list}));
    }
    return made;
}

void check_common_name(std::string_view name) {
    if (name.empty() || name.size() > common_name_bytes_max) {
        throw std::invalid_argument("the Common Name \"" + std::string(name) + "\" has " +
                                    std::to_string(name.size()) + " bytes; expected 1 to 64");
    }
    if (std::any_of(name.begin(), name.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
        throw std::invalid_argument("a Common Name with a control character in it");
    }
}

/// Beside the file first, so that nobody reads half a file.
void write_file(const std::string& path, std::string_view text, ::mode_t mode) {
    const auto fail = [&path](const char* what) {
        throw std::runtime_error("\"" + path + "\" cannot be " + what + ": " +
                                 std::generic_category().message(errno));
    };
    const std::string draft = path + ".new";
    ::unlink(draft.c_str());
    const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0) {
        fail("written");
    }
    while (!text.empty()) {
        const auto count = ::write(file, text.data(), text.size());
        if (count < 0) {
            ::close(file);
            fail("written");
        }
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    if (::close(file) != 0) {
        fail("written");
    }
    if (std::rename(draft.c_str(), path.c_str()) != 0) {
        fail("replaced");
    }
}

}  // namespace

test_certificate_authority::test_certificate_authority(std::uint64_t seed,
                                                       certificate_validity validity)
    : seed_(seed), name_("Fleetarium test authority, seed " + std::to_string(seed)) {
    key_ = std::make_unique<const deterministic_key>(key_of(kind::authority, name_));
    certificate_ =
        certificate_pem({name_, name_, validity, extensions_of_authority(*key_)}, *key_, *key_);
}

test_certificate_authority::test_certificate_authority(test_certificate_authority&&) noexcept =
    default;
test_certificate_authority& test_certificate_authority::operator=(
    test_certificate_authority&&) noexcept = default;
test_certificate_authority::~test_certificate_authority() = default;

deterministic_key test_certificate_authority::key_of(kind of, std::string_view name) const {
    std::string from = "fleetarium test key 1";
    from.push_back(static_cast<char>(of));
    for (int shift = 0; shift < 64; shift += 8) {
        from.push_back(static_cast<char>((seed_ >> shift) & 0xff));
    }
    from += name;
    return deterministic_key(sha256(as_bytes_view(from)));
}

certificate_and_key test_certificate_authority::make(kind of, std::string_view common_name,
                                                     const std::vector<std::string>& names,
                                                     certificate_validity validity) const {
    check_common_name(common_name);
    const deterministic_key key = key_of(of, common_name);
    const std::string_view purpose = of == kind::server ? oid_server_auth : oid_client_auth;
    return {certificate_pem(
                {name_, common_name, validity, extensions_of_leaf(purpose, names, key, *key_)}, key,
                *key_),
            private_key_pem(key)};
}

certificate_and_key test_certificate_authority::server(const std::vector<std::string>& names,
                                                       certificate_validity validity) const {
    if (names.empty()) {
        throw std::invalid_argument("a server's certificate needs a name or an address");
    }
    // The names that count are the alternative ones; a long first name leaves a short subject.
    const std::string subject = names[0].size() <= common_name_bytes_max ? names[0] : "server";
    return make(kind::server, subject, names, validity);
}

certificate_and_key test_certificate_authority::device(std::string_view name,
                                                       certificate_validity validity) const {
    return make(kind::device, name, {}, validity);
}

tls_options test_certificate_authority::server_tls(client_certificates clients) const {
    certificate_and_key pair = server();
    tls_options made;
    made.certificate = std::move(pair.certificate);
    made.private_key = std::move(pair.private_key);
    if (clients != client_certificates::ignored) {
        made.authorities = certificate_;
    }
    made.require_client_certificate = clients == client_certificates::required;
    return made;
}

tls_options test_certificate_authority::device_tls(std::string_view name) const {
    certificate_and_key pair = device(name);
    tls_options made = anonymous_tls();
    made.certificate = std::move(pair.certificate);
    made.private_key = std::move(pair.private_key);
    return made;
}

tls_options test_certificate_authority::anonymous_tls() const {
    tls_options made;
    made.authorities = certificate_;
    return made;
}

std::vector<std::string> test_certificate_authority::default_server_names() {
    return {"localhost", "127.0.0.1", "::1"};
}

void write_files(const certificate_and_key& pair, const std::string& stem) {
    // The key first: a certificate without its key is of less use than the other way round.
    write_file(stem + ".key", pair.private_key, 0600);
    write_certificate(pair.certificate, stem + ".pem");
}

void write_certificate(const std::string& certificate, const std::string& path) {
    write_file(path, certificate, 0644);
}

}  // namespace fleetarium::net
