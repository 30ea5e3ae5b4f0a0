#include <fleetarium/net/test_certificates.hpp>
#include <fleetarium/net/tls_context.hpp>

#include <support/temporary_folder.hpp>
#include <support/tls_pair.hpp>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>

#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::net;
using namespace fleetarium::test;
using Catch::Matchers::Contains;

namespace {

const test_certificate_authority& authority() {
    static const test_certificate_authority one(7);
    return one;
}

std::string problem(tls_role role, const tls_options& options) {
    try {
        const tls_context made(role, options);
        return "none";
    } catch (const std::runtime_error& error) {
        return error.what();
    }
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::vector<std::string> lines_of(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(line);
    }
    return lines;
}

std::string encrypted_key() {
    const std::string plain = authority().device("lamp-7").private_key;
    BIO* const from = BIO_new_mem_buf(plain.data(), static_cast<int>(plain.size()));
    EVP_PKEY* const key = PEM_read_bio_PrivateKey(from, nullptr, nullptr, nullptr);
    BIO* const to = BIO_new(BIO_s_mem());
    unsigned char password[] = "secret";
    PEM_write_bio_PKCS8PrivateKey(to, key, EVP_aes_128_cbc(), reinterpret_cast<char*>(password), 6,
                                  nullptr, nullptr);
    char* text = nullptr;
    const long size = BIO_get_mem_data(to, &text);
    std::string made(text, static_cast<std::size_t>(size));
    BIO_free(to);
    BIO_free(from);
    EVP_PKEY_free(key);
    return made;
}

}  // namespace

TEST_CASE("certificates and keys are read from PEM text and from files alike", "[tls]") {
    const temporary_folder folder;
    const std::string at = folder.path() + "/";
    write_files(authority().server(), at + "server");
    write(at + "ca.pem", "comment\n" + authority().certificate());
    tls_options files;
    files.certificate = at + "server.pem";
    files.private_key = at + "server.key";
    tls_options client;
    client.authorities = at + "ca.pem";
    tls_pair pair(files, client, "localhost", tls_version::v1_3);
    pair.connect();
    pair.client->write(wire_of("hello"));
    pair.deliver();
    CHECK(pair.at_server.received == "hello");
}

TEST_CASE("what is wrong with certificates and keys is said in a sentence", "[tls]") {
    const temporary_folder folder;
    const std::string at = folder.path() + "/";
    const certificate_and_key server = authority().server();
    write_files(server, at + "server");
    write_files(authority().device("lamp-7"), at + "device");
    write(at + "empty", "");
    write(at + "text", "hello\n");
    write(at + "der", std::string("\x30\x82\x01\x02rest"));
    write(at + "damaged", server.certificate.substr(0, 100) + "\n-----END CERTIFICATE-----\n");
    write(at + "damaged_chain", server.certificate + server.certificate.substr(0, 300));
    write(at + "encrypted", encrypted_key());

    const auto server_problem = [&](const std::string& certificate, const std::string& key) {
        tls_options options;
        options.certificate = certificate;
        options.private_key = key;
        return problem(tls_role::server, options);
    };
    CHECK(server_problem(at + "server.pem", at + "server.key") == "none");
    CHECK(server_problem(server.certificate, server.private_key) == "none");
    CHECK(server_problem("", "") ==
          "a TLS server needs a certificate and its private key, and no certificate is given");
    CHECK(server_problem(at + "server.pem", "") ==
          "a certificate is given without its private key");
    CHECK(server_problem(at + "absent", at + "server.key") ==
          "certificate file \"" + at + "absent\" cannot be read: No such file or directory");
    CHECK(server_problem(folder.path(), at + "server.key") ==
          "certificate file \"" + folder.path() + "\" cannot be read: Is a directory");
    CHECK(server_problem(at + "empty", at + "server.key") ==
          "certificate file \"" + at + "empty\" is empty; expected PEM text with a CERTIFICATE");
    CHECK_THAT(server_problem(at + "text", at + "server.key"), Contains("holds no PEM text"));
    CHECK_THAT(server_problem(at + "der", at + "server.key"), Contains("looks like DER"));
    CHECK_THAT(server_problem(at + "damaged", at + "server.key"),
               Contains("holds a damaged CERTIFICATE"));
    CHECK_THAT(server_problem(at + "damaged_chain", at + "server.key"),
               Contains("holds a damaged CERTIFICATE"));
    CHECK(server_problem(at + "server.key", at + "server.pem") ==
          "certificate file \"" + at + "server.key\" holds a PRIVATE KEY; expected a CERTIFICATE");
    CHECK(server_problem(at + "server.pem", at + "server.pem") ==
          "private key file \"" + at + "server.pem\" holds a CERTIFICATE; expected a PRIVATE KEY");
    CHECK_THAT(server_problem(at + "server.pem", at + "encrypted"), Contains("is encrypted"));
    CHECK(server_problem(at + "server.pem", at + "device.key") ==
          "private key file \"" + at + "device.key\" does not belong to the certificate file \"" +
              at + "server.pem\"");
    CHECK(server_problem(server.certificate, authority().device("lamp-7").private_key) ==
          "private key given as text does not belong to the certificate given as text");

    tls_options options = authority().server_tls();
    options.require_client_certificate = true;
    CHECK_THAT(problem(tls_role::server, options), Contains("no authorities are given"));
    options.authorities = at + "server.key";
    CHECK_THAT(problem(tls_role::server, options), Contains("authorities file"));
    options = authority().anonymous_tls();
    options.private_key = at + "device.key";
    CHECK(problem(tls_role::client, options) == "a private key is given without its certificate");
    options = authority().anonymous_tls();
    options.key_log_file = at + "absent/keys";
    CHECK_THAT(problem(tls_role::client, options),
               Contains("key log file \"" + at + "absent/keys\" cannot be written: No such file"));
    options = authority().anonymous_tls();
    options.application_protocol = std::string(256, 'x');
    CHECK_THAT(problem(tls_role::client, options), Contains("has 256 bytes, at most 255"));
}

TEST_CASE("a chain is sent whole, so that clients need the root only", "[tls]") {
    // A file with certificates after the first: the peer gets them, used or not.
    tls_options server = authority().server_tls();
    server.certificate += authority().certificate();
    const tls_contexts contexts(server, authority().anonymous_tls(), tls_version::v1_3);
    STACK_OF(X509)* chain = nullptr;
    SSL_CTX_get0_chain_certs(contexts.server.native_handle(), &chain);
    CHECK(sk_X509_num(chain) == 1);
}

TEST_CASE("secrets are appended to the key log, whole lines from any thread", "[tls]") {
    const temporary_folder folder;
    tls_options server = authority().server_tls();
    server.key_log_file = folder.path() + "/keys";
    write(server.key_log_file, "# kept\n");
    const tls_contexts contexts(server, authority().anonymous_tls(), tls_version::v1_3);
    const tls_contexts older(server, authority().anonymous_tls(), tls_version::v1_2);
    constexpr int connections = 20;
    const auto connect = [](const tls_contexts& with) {
        for (int i = 0; i < connections; ++i) {
            tls_pair pair(with, "localhost");
            pair.connect();
        }
    };
    std::thread one([&] { connect(contexts); });
    std::thread other([&] { connect(older); });
    one.join();
    other.join();
    int of_1_2 = 0;
    int of_1_3 = 0;
    const auto lines = lines_of(server.key_log_file);
    REQUIRE(lines.size() > 2);
    CHECK(lines[0] == "# kept");
    for (std::size_t i = 1; i < lines.size(); ++i) {
        std::istringstream words(lines[i]);
        std::string label;
        std::string random;
        std::string secret;
        REQUIRE(words >> label >> random >> secret);
        CHECK(random.size() == 64);
        CHECK(secret.size() >= 64);
        of_1_2 += label == "CLIENT_RANDOM" ? 1 : 0;
        of_1_3 += label == "CLIENT_TRAFFIC_SECRET_0" ? 1 : 0;
    }
    CHECK(of_1_2 == connections);
    CHECK(of_1_3 == connections);
    struct stat facts {};
    const tls_options fresh = [&] {
        tls_options options = authority().server_tls();
        options.key_log_file = folder.path() + "/fresh";
        return options;
    }();
    const tls_context made(tls_role::server, fresh);
    REQUIRE(::stat(fresh.key_log_file.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
}

TEST_CASE("a context may go before the streams that were made with it", "[tls]") {
    auto contexts = std::make_unique<tls_contexts>(authority().server_tls(),
                                                   authority().anonymous_tls(), tls_version::v1_3);
    tls_pair pair(*contexts, "localhost");
    contexts.reset();
    pair.connect();
    pair.client->write(wire_of("hello"));
    pair.deliver();
    CHECK(pair.at_server.received == "hello");
}
