#include <fleetarium/net/tls_context.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

namespace fleetarium::net {

namespace {

struct deleter {
    void operator()(BIO* held) const { BIO_free(held); }
    void operator()(X509* held) const { X509_free(held); }
    void operator()(EVP_PKEY* held) const { EVP_PKEY_free(held); }
    void operator()(std::FILE* held) const { std::fclose(held); }
};
template <class T>
using owned = std::unique_ptr<T, deleter>;

[[noreturn]] void fail(const std::string& sentence) {
    ERR_clear_error();
    throw std::runtime_error(sentence);
}

std::string reason_of_errno() { return std::generic_category().message(errno); }

/// PEM text and how to speak of it: `certificate file "a.pem"` or `certificate given as text`.
struct pem_source {
    std::string text;
    std::string name;
};

pem_source load(const char* what, const std::string& file_or_text) {
    constexpr std::size_t file_bytes_max = std::size_t{16} << 20;  // all authorities are 200 KiB
    if (file_or_text.rfind("-----BEGIN", 0) == 0) {
        return {file_or_text, std::string(what) + " given as text"};
    }
    pem_source loaded{{}, std::string(what) + " file \"" + file_or_text + '"'};
    const owned<std::FILE> file(std::fopen(file_or_text.c_str(), "rbe"));
    if (file == nullptr) {
        fail(loaded.name + " cannot be read: " + reason_of_errno());
    }
    char block[4096];
    for (std::size_t count = sizeof block; count == sizeof block;) {
        count = std::fread(block, 1, sizeof block, file.get());
        loaded.text.append(block, count);
        if (loaded.text.size() > file_bytes_max) {
            fail(loaded.name + " is larger than 16 MiB: that is no PEM file");
        }
    }
    if (std::ferror(file.get()) != 0) {
        fail(loaded.name + " cannot be read: " + reason_of_errno());
    }
    return loaded;
}

/// Why no `expected` could be read from `source`.
[[noreturn]] void fail_to_read(const pem_source& source, const char* expected) {
    constexpr std::string_view mark = "-----BEGIN ";
    const std::size_t at = source.text.find(mark);
    if (source.text.empty()) {
        fail(source.name + " is empty; expected PEM text with a " + expected);
    }
    if (at == std::string::npos && source.text[0] == '\x30') {
        fail(source.name +
             " looks like DER; expected PEM text (openssl x509 or openssl pkey with "
             "-inform der converts it)");
    }
    if (at == std::string::npos) {
        fail(source.name + " holds no PEM text; expected a line -----BEGIN ... before a " +
             expected);
    }
    const std::size_t begin = at + mark.size();
    const std::string label = source.text.substr(begin, source.text.find("-----", begin) - begin);
    const std::size_t same = label.size() >= std::strlen(expected)
                                 ? label.size() - std::strlen(expected)
                                 : std::string::npos;
    if (same != std::string::npos && label.substr(same) == expected) {
        const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
        fail(source.name + " holds a damaged " + label + (reason != nullptr ? ": " : "") +
             (reason != nullptr ? reason : ""));
    }
    fail(source.name + " holds a " + label + "; expected a " + expected);
}

owned<BIO> reader(const std::string& text) {
    owned<BIO> made(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    if (made == nullptr) {
        throw std::bad_alloc();
    }
    return made;
}

/// All certificates of a source, in order; at least one.
std::vector<owned<X509>> read_certificates(const pem_source& source) {
    const owned<BIO> from = reader(source.text);
    std::vector<owned<X509>> read;
    ERR_clear_error();
    while (X509* const next = PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr)) {
        read.emplace_back(next);
    }
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (read.empty() || !at_end) {
        fail_to_read(source, "CERTIFICATE");
    }
    ERR_clear_error();
    return read;
}

owned<EVP_PKEY> read_key(const pem_source& source) {
    const owned<BIO> from = reader(source.text);
    // Asked for a password only if the key is encrypted; a terminal is never asked.
    bool encrypted = false;
    const auto no_password = [](char*, int, int, void* asked) {
        *static_cast<bool*>(asked) = true;
        return -1;
    };
    ERR_clear_error();
    owned<EVP_PKEY> read(PEM_read_bio_PrivateKey(from.get(), nullptr, no_password, &encrypted));
    if (encrypted) {
        fail(source.name +
             " is encrypted; expected a key without a password (openssl pkey -in "
             "FILE -out FILE removes it)");
    }
    if (read == nullptr) {
        fail_to_read(source, "PRIVATE KEY");
    }
    return read;
}

void use_certificate(SSL_CTX* context, const tls_options& options) {
    if (options.private_key.empty()) {
        fail("a certificate is given without its private key");
    }
    const pem_source source = load("certificate", options.certificate);
    std::vector<owned<X509>> chain = read_certificates(source);
    if (SSL_CTX_use_certificate(context, chain[0].get()) != 1) {
        const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
        fail(source.name + " cannot be used: " + (reason != nullptr ? reason : "unknown reason"));
    }
    for (std::size_t i = 1; i < chain.size(); ++i) {
        if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
            fail(source.name + ": certificate " + std::to_string(i + 1) +
                 " of the chain cannot be used");
        }
    }
    const pem_source key_source = load("private key", options.private_key);
    const owned<EVP_PKEY> key = read_key(key_source);
    if (X509_check_private_key(chain[0].get(), key.get()) != 1) {
        fail(key_source.name + " does not belong to the " + source.name);
    }
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
        fail(key_source.name + " cannot be used for TLS");
    }
}

void trust(SSL_CTX* context, tls_role role, const tls_options& options) {
    const pem_source source = load("authorities", options.authorities);
    X509_STORE* const store = SSL_CTX_get_cert_store(context);
    for (const owned<X509>& authority : read_certificates(source)) {
        if (X509_STORE_add_cert(store, authority.get()) != 1) {
            fail(source.name + ": a certificate cannot be used");
        }
        if (role == tls_role::server) {
            // Clients with several certificates choose by these names.
            SSL_CTX_add_client_CA(context, authority.get());
        }
    }
    ERR_clear_error();
}

/// An append to the key log is one system call, so lines of threads and processes stay whole.
struct key_log {
    explicit key_log(const std::string& path)
        : file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
        if (file < 0) {
            fail("key log file \"" + path + "\" cannot be written: " + reason_of_errno());
        }
    }
    key_log(const key_log&) = delete;
    key_log& operator=(const key_log&) = delete;
    ~key_log() { ::close(file); }

    int file;
};

int key_log_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

void write_key_log(const SSL* ssl, const char* line) {
    const auto* const log =
        static_cast<const key_log*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), key_log_index()));
    const std::string whole = std::string(line) + '\n';
    // A full disk costs the log, not the connection.
    [[maybe_unused]] const auto written = ::write(log->file, whole.data(), whole.size());
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
    constexpr std::string_view mqtt = "mqtt";
    for (unsigned int at = 0; at < offered_size; at += 1U + offered[at]) {
        const std::string_view one(reinterpret_cast<const char*>(offered) + at + 1, offered[at]);
        if (one == mqtt) {
            *chosen = offered + at + 1;
            *chosen_size = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;  // others are left unanswered, as by servers without ALPN
}

void set_up_server(SSL_CTX* context, const tls_options& options) {
    if (options.certificate.empty()) {
        fail("a TLS server needs a certificate and its private key, and no certificate is given");
    }
    if (options.require_client_certificate && options.authorities.empty()) {
        fail("client certificates are required, but no authorities are given to check them with");
    }
    int verify = SSL_VERIFY_NONE;
    if (!options.authorities.empty()) {
        verify = SSL_VERIFY_PEER;
    }
    if (options.require_client_certificate) {
        verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    SSL_CTX_set_verify(context, verify, nullptr);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
    // Sessions are kept by clients in tickets; nothing grows here.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    constexpr std::string_view session_context = "fleetarium";
    SSL_CTX_set_session_id_context(context,
                                   reinterpret_cast<const unsigned char*>(session_context.data()),
                                   static_cast<unsigned int>(session_context.size()));
}

void set_up_client(SSL_CTX* context, const tls_options& options) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(context, options.verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (options.authorities.empty() && options.verify_peer &&
        SSL_CTX_set_default_verify_paths(context) != 1) {
        fail("the system's certificate store cannot be used; name the authorities to trust");
    }
    if (!options.application_protocol.empty()) {
        if (options.application_protocol.size() > 255) {
            fail("the application protocol has " +
                 std::to_string(options.application_protocol.size()) + " bytes, at most 255");
        }
        const std::string list =
            static_cast<char>(options.application_protocol.size()) + options.application_protocol;
        if (SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(list.data()),
                                    static_cast<unsigned int>(list.size())) != 0) {
            throw std::bad_alloc();
        }
    }
}

}  // namespace

tls_context::tls_context(tls_role role, const tls_options& options)
    : options_(std::make_shared<const tls_options>(options)) {
    std::shared_ptr<const key_log> log;
    if (!options.key_log_file.empty()) {
        log = std::make_shared<const key_log>(options.key_log_file);
    }
    SSL_CTX* const made =
        SSL_CTX_new(role == tls_role::server ? TLS_server_method() : TLS_client_method());
    if (made == nullptr) {
        throw std::bad_alloc();
    }
    context_ = std::shared_ptr<SSL_CTX>(made, [log](SSL_CTX* held) { SSL_CTX_free(held); });

    SSL_CTX_set_min_proto_version(made, options.tls_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    // Peers may end the connection without a farewell of TLS: MQTT packets know their length.
    SSL_CTX_set_options(
        made, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
    // TLS 1.2: forward secrecy and authenticated encryption only. 1.3 has nothing else.
    if (SSL_CTX_set_cipher_list(made, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
        fail("this OpenSSL has none of the ciphers ECDHE+AESGCM and ECDHE+CHACHA20");
    }
    if (role == tls_role::server) {
        set_up_server(made, options);
    } else {
        set_up_client(made, options);
    }
    if (!options.certificate.empty()) {
        use_certificate(made, options);
    } else if (!options.private_key.empty()) {
        fail("a private key is given without its certificate");
    }
    if (!options.authorities.empty()) {
        trust(made, role, options);
    }
    if (log != nullptr) {
        SSL_CTX_set_ex_data(made, key_log_index(), const_cast<key_log*>(log.get()));
        SSL_CTX_set_keylog_callback(made, write_key_log);
    }
}

}  // namespace fleetarium::net
