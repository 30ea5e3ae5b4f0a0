#include <fleetarium/net/deterministic_ecdsa.hpp>
#include <fleetarium/net/test_certificates.hpp>

#include <support/hex.hpp>
#include <support/temporary_folder.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>

#include <fstream>
#include <memory>
#include <sstream>

using namespace fleetarium;
using namespace fleetarium::net;
using namespace fleetarium::test;
using Catch::Matchers::Contains;

namespace {

struct deleter {
    void operator()(X509* held) const { X509_free(held); }
    void operator()(EVP_PKEY* held) const { EVP_PKEY_free(held); }
    void operator()(BIO* held) const { BIO_free(held); }
    void operator()(X509_STORE* held) const { X509_STORE_free(held); }
    void operator()(X509_STORE_CTX* held) const { X509_STORE_CTX_free(held); }
};
template <class T>
using owned = std::unique_ptr<T, deleter>;

owned<X509> read_certificate(const std::string& pem) {
    const owned<BIO> from(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    owned<X509> read(PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr));
    REQUIRE(read != nullptr);
    return read;
}

owned<EVP_PKEY> read_key(const std::string& pem) {
    const owned<BIO> from(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    owned<EVP_PKEY> read(PEM_read_bio_PrivateKey(from.get(), nullptr, nullptr, nullptr));
    REQUIRE(read != nullptr);
    return read;
}

/// What OpenSSL's own check says, with all its strictness, for a purpose.
std::string verify(const std::string& certificate, const std::string& authority, int purpose) {
    const owned<X509> leaf = read_certificate(certificate);
    const owned<X509> trusted = read_certificate(authority);
    const owned<X509_STORE> store(X509_STORE_new());
    X509_STORE_add_cert(store.get(), trusted.get());
    const owned<X509_STORE_CTX> context(X509_STORE_CTX_new());
    X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), nullptr);
    X509_STORE_CTX_set_purpose(context.get(), purpose);
    X509_STORE_CTX_set_flags(context.get(),
                             X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
    X509_verify_cert(context.get());
    return X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
}

std::string read_file(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

deterministic_key::number number_of(const std::string& hex) {
    const std::vector<std::uint8_t> bytes = from_hex(hex);
    deterministic_key::number made{};
    REQUIRE(bytes.size() == made.size());
    std::copy(bytes.begin(), bytes.end(), made.begin());
    return made;
}

}  // namespace

TEST_CASE("deterministic signatures are those of RFC 6979, A.2.5", "[certificates]") {
    const deterministic_key key(
        number_of("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"));
    CHECK(to_hex(bytes_view(key.public_key()).subspan(1)) ==
          to_hex(from_hex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
                          "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299")));
    const auto sample = key.sign(as_bytes_view("sample"));
    CHECK(sample.r ==
          number_of("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"));
    CHECK(sample.s ==
          number_of("F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"));
    const auto test = key.sign(as_bytes_view("test"));
    CHECK(test.r == number_of("F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367"));
    CHECK(test.s == number_of("019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083"));
}

TEST_CASE("the same seed and name give the same certificate to the bit", "[certificates]") {
    const test_certificate_authority one(7);
    const test_certificate_authority same(7);
    const test_certificate_authority other(8);
    CHECK(one.certificate() == same.certificate());
    CHECK(one.certificate() != other.certificate());
    CHECK(one.server().certificate == same.server().certificate);
    CHECK(one.device("lamp-7").certificate == same.device("lamp-7").certificate);
    CHECK(one.device("lamp-7").private_key == same.device("lamp-7").private_key);
    CHECK(one.device("lamp-7").private_key != one.device("lamp-8").private_key);
    CHECK(one.device("lamp-7").private_key != other.device("lamp-7").private_key);
    // Also on every other machine, and in every later version: a change here breaks those who
    // keep files of one run for the next.
    CHECK(sha256(as_bytes_view(one.certificate())) ==
          number_of("D06726AD2993B4AD99589ADE1521655F32E900DE9C0075F816293FC4A7160E16"));
    CHECK(sha256(as_bytes_view(one.device("lamp-7").certificate)) ==
          number_of("F9B7985F1DD889B20CF0A81CBA748CAE4128E0B527550455BE6C471F587F862C"));
}

TEST_CASE("OpenSSL's strict check accepts the certificates for their purpose, and no other",
          "[certificates]") {
    const test_certificate_authority authority(7);
    const test_certificate_authority stranger(8);
    const std::string server = authority.server().certificate;
    const std::string device = authority.device("lamp-7").certificate;
    CHECK(verify(server, authority.certificate(), X509_PURPOSE_SSL_SERVER) == "ok");
    CHECK(verify(device, authority.certificate(), X509_PURPOSE_SSL_CLIENT) == "ok");
    CHECK_THAT(verify(device, authority.certificate(), X509_PURPOSE_SSL_SERVER),
               Contains("purpose"));
    CHECK_THAT(verify(server, authority.certificate(), X509_PURPOSE_SSL_CLIENT),
               Contains("purpose"));
    CHECK(verify(device, stranger.certificate(), X509_PURPOSE_SSL_CLIENT) != "ok");
}

TEST_CASE("a certificate carries its key, its names and its validity", "[certificates]") {
    const test_certificate_authority authority(7);
    const certificate_and_key server = authority.server({"broker.example", "192.0.2.7", "::1"});
    const owned<X509> read = read_certificate(server.certificate);
    CHECK(X509_check_private_key(read.get(), read_key(server.private_key).get()) == 1);
    CHECK(X509_check_host(read.get(), "broker.example", 0, 0, nullptr) == 1);
    CHECK(X509_check_host(read.get(), "other.example", 0, 0, nullptr) == 0);
    CHECK(X509_check_ip_asc(read.get(), "192.0.2.7", 0) == 1);
    CHECK(X509_check_ip_asc(read.get(), "::1", 0) == 1);
    CHECK(X509_check_ip_asc(read.get(), "192.0.2.8", 0) == 0);

    const certificate_and_key expired = authority.device("lamp-7", certificate_validity::expired());
    CHECK(verify(expired.certificate, authority.certificate(), X509_PURPOSE_SSL_CLIENT) ==
          "certificate has expired");
    // The same key, and another serial.
    CHECK(expired.private_key == authority.device("lamp-7").private_key);
    const owned<X509> past = read_certificate(expired.certificate);
    const owned<X509> present = read_certificate(authority.device("lamp-7").certificate);
    CHECK(ASN1_INTEGER_cmp(X509_get_serialNumber(past.get()),
                           X509_get_serialNumber(present.get())) != 0);

    using namespace std::chrono;
    const certificate_validity far{sys_days{year{2049} / 12 / 31} + 23h + 59min + 59s,
                                   sys_days{year{2050} / 1 / 1} + 1s};
    const owned<X509> later = read_certificate(authority.device("lamp-7", far).certificate);
    const auto text = [](const ASN1_TIME* time) {
        return std::string(as_text(
            {ASN1_STRING_get0_data(time), static_cast<std::size_t>(ASN1_STRING_length(time))}));
    };
    CHECK(text(X509_get0_notBefore(later.get())) == "491231235959Z");
    CHECK(text(X509_get0_notAfter(later.get())) == "20500101000001Z");
}

TEST_CASE("names that a certificate cannot carry are refused", "[certificates]") {
    const test_certificate_authority authority(7);
    CHECK_THROWS_WITH(authority.device(""), Contains("has 0 bytes; expected 1 to 64"));
    CHECK_THROWS_WITH(authority.device(std::string(65, 'x')), Contains("has 65 bytes"));
    CHECK_THROWS_WITH(authority.device("a\nb"), Contains("control character"));
    CHECK_THROWS_WITH(authority.server({}), Contains("needs a name"));
    CHECK_THROWS_WITH(authority.server({"not a host"}), Contains("\"not a host\" is no name"));
    CHECK_THROWS_WITH(authority.server({"fe80::1%eth0"}), Contains("is no name"));
    CHECK_NOTHROW(authority.device("d\xc3\xa9vice " + std::string(50, 'x')));
    CHECK_NOTHROW(authority.server({std::string(80, 'x') + ".example"}));
}

TEST_CASE("certificates are written to files, with the key for its owner only", "[certificates]") {
    const temporary_folder folder;
    const test_certificate_authority authority(7);
    const certificate_and_key device = authority.device("lamp-7");
    write_files(device, folder.path() + "/lamp-7");
    CHECK(read_file(folder.path() + "/lamp-7.pem") == device.certificate);
    CHECK(read_file(folder.path() + "/lamp-7.key") == device.private_key);
    struct stat facts {};
    REQUIRE(::stat((folder.path() + "/lamp-7.key").c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
    CHECK_THROWS_WITH(write_files(device, folder.path() + "/absent/lamp-7"),
                      Contains("absent/lamp-7.key") && Contains("No such file"));
}
