#include <fleetarium/server/http_access.hpp>

#include <fleetarium/core/base64.hpp>

#include <boost/beast/core/string.hpp>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

namespace fleetarium::broker {

namespace {

bool is_same_name(std::string_view one, std::string_view other) {
    return boost::beast::iequals({one.data(), one.size()}, {other.data(), other.size()});
}

/// Compares digests, in constant time: time tells nothing of the token, its size neither.
bool is_same_secret(std::string_view given, std::string_view expected) {
    using digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;
    const auto digest_of = [](std::string_view text) {
        digest made{};
        SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), made.data());
        return made;
    };
    const digest one = digest_of(given);
    const digest other = digest_of(expected);
    return CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// Without the port that the scheme has anyway.
std::string_view without_default_port(std::string_view host, bool is_tls) {
    const std::string_view port = is_tls ? ":443" : ":80";
    return host.ends_with(port) ? host.substr(0, host.size() - port.size()) : host;
}

}  // namespace

bool is_loopback_host(std::string_view host) {
    if (host.starts_with("[::1]")) {
        return host.size() == 5 || host[5] == ':';
    }
    host = host.substr(0, host.find(':'));
    const bool is_address =
        host.starts_with("127.") && std::all_of(host.begin(), host.end(), [](char each) {
            return each == '.' || (each >= '0' && each <= '9');
        });
    return is_address || is_same_name(host, "localhost");
}

std::string_view host_of_origin(std::string_view origin) {
    const std::size_t scheme_end = origin.find("://");
    return scheme_end == std::string_view::npos ? origin : origin.substr(scheme_end + 3);
}

bool is_origin_of_host(std::string_view origin, std::string_view host) {
    const bool is_tls = origin.size() > 8 && is_same_name(origin.substr(0, 8), "https://");
    return origin.find("://") != std::string_view::npos &&
           is_same_name(without_default_port(host_of_origin(origin), is_tls),
                        without_default_port(host, is_tls));
}

bool has_token(std::string_view authorization, std::string_view token) {
    constexpr std::string_view kind = "bearer ";
    return authorization.size() > kind.size() &&
           is_same_name(authorization.substr(0, kind.size()), kind) &&
           is_same_secret(authorization.substr(kind.size()), token);
}

std::vector<std::string_view> split_list(std::string_view header) {
    std::vector<std::string_view> out;
    while (!header.empty()) {
        const std::string_view part = header.substr(0, header.find(','));
        header.remove_prefix(std::min(header.size(), part.size() + 1));
        if (const std::string_view each = trimmed(part); !each.empty()) {
            out.push_back(each);
        }
    }
    return out;
}

bool has_token_subprotocol(const std::vector<std::string_view>& offered, std::string_view token) {
    const std::string encoded = base64url(token);
    bool found = false;
    for (std::string_view each : offered) {
        if (each.starts_with(token_subprotocol)) {
            each.remove_prefix(token_subprotocol.size());
            const bool as_it_is = is_same_secret(each, token);
            const bool as_base64 = is_same_secret(each, encoded);
            found = found || as_it_is || as_base64;
        }
    }
    return found;
}

std::string base64url(std::string_view bytes) {
    std::string out;
    append_base64(out, as_bytes_view(bytes));
    out.resize(out.find_last_not_of('=') + 1);
    std::replace(out.begin(), out.end(), '+', '-');
    std::replace(out.begin(), out.end(), '/', '_');
    return out;
}

}  // namespace fleetarium::broker
