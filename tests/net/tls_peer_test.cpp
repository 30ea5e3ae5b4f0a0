// Our server against OpenSSL as it is, for what our own client never does.

#include <fleetarium/net/test_certificates.hpp>
#include <fleetarium/net/tls_stream.hpp>

#include <support/memory_carrier.hpp>

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <string>

using namespace fleetarium;
using namespace fleetarium::net;
using namespace fleetarium::test;
using side = carrier_pair::side;

namespace {

const test_certificate_authority& authority() {
    static const test_certificate_authority one(7);
    return one;
}

/// A client that is OpenSSL and nothing else.
class bare_client {
public:
    explicit bare_client(int version) : context_(SSL_CTX_new(TLS_client_method())) {
        SSL_CTX_set_max_proto_version(context_, version);
        ssl_ = SSL_new(context_);
        input_ = BIO_new(BIO_s_mem());
        output_ = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl_, input_, output_);
        SSL_set_connect_state(ssl_);
    }
    bare_client(const bare_client&) = delete;
    bare_client& operator=(const bare_client&) = delete;
    ~bare_client() {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
    }

    SSL* native() { return ssl_; }

    std::string take_output() {
        char* bytes = nullptr;
        const long size = BIO_get_mem_data(output_, &bytes);
        std::string taken(bytes, static_cast<std::size_t>(size));
        BIO_reset(output_);
        return taken;
    }
    void give_input(const std::string& bytes) {
        BIO_write(input_, bytes.data(), static_cast<int>(bytes.size()));
    }

private:
    SSL_CTX* context_;
    SSL* ssl_ = nullptr;
    BIO* input_ = nullptr;
    BIO* output_ = nullptr;
};

struct bare_pair {
    bare_pair(int version, const std::string& protocols)
        : client(version),
          context(tls_role::server, authority().server_tls()),
          server(
              make_tls_server_stream(carriers.make(side::server), loop.get_executor(), context)) {
        if (!protocols.empty()) {
            SSL_set_alpn_protos(client.native(),
                                reinterpret_cast<const unsigned char*>(protocols.data()),
                                static_cast<unsigned int>(protocols.size()));
        }
        server->start(at_server);
        for (int i = 0; i < 4; ++i) {
            SSL_do_handshake(client.native());
            move();
        }
        REQUIRE(SSL_is_init_finished(client.native()) == 1);
    }

    void move() {
        carriers.inject(side::server, client.take_output());
        client.give_input(carriers.take_sent(side::server));
    }

    bare_client client;
    boost::asio::io_context loop{1};
    carrier_pair carriers;
    told_events at_server;
    tls_context context;
    std::unique_ptr<byte_stream> server;
};

std::string selected(SSL* ssl) {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

}  // namespace

TEST_CASE("a server takes the application protocol mqtt where it is offered", "[tls]") {
    const auto chosen = [](const std::string& offered) {
        bare_pair pair(TLS1_3_VERSION, offered);
        return selected(pair.client.native());
    };
    CHECK(chosen("\x04mqtt") == "mqtt");
    CHECK(chosen("\x02h2\x04mqtt") == "mqtt");
    CHECK(chosen("\x02h2\x08http/1.1").empty());
    CHECK(chosen("").empty());
}

TEST_CASE("a client offers the application protocol of its options", "[tls]") {
    tls_options options = authority().anonymous_tls();
    options.application_protocol = "x-amzn-mqtt-ca";
    const tls_context context(tls_role::client, options);
    carrier_pair carriers;
    told_events events;
    boost::asio::io_context loop(1);
    auto stream = make_tls_client_stream(carriers.make(side::client), loop.get_executor(), context,
                                         "localhost");
    stream->start(events);
    CHECK(carriers.sent(side::client).find("x-amzn-mqtt-ca") != std::string::npos);
    CHECK(carriers.sent(side::client).find("localhost") != std::string::npos);
}

TEST_CASE("the server refuses renegotiation, and who asks for it for ever is cut off",
          "[tls][threat/tls]") {
    bare_pair pair(TLS1_2_VERSION, "");
    std::size_t answers = 0;
    std::size_t asked = 0;
    while (pair.at_server.closed == 0 && asked < 100'000) {
        SSL_renegotiate(pair.client.native());
        SSL_do_handshake(pair.client.native());
        const std::string bytes = pair.client.take_output();
        REQUIRE_FALSE(bytes.empty());
        pair.carriers.inject(side::server, bytes);
        answers += pair.carriers.sent(side::server).size();
        if (pair.carriers.closing(side::server)) {
            break;
        }
        pair.client.give_input(pair.carriers.take_sent(side::server));
        char byte = 0;
        SSL_read(pair.client.native(), &byte, 1);
        asked += 1;
    }
    CHECK(pair.carriers.closing(side::server));
    CHECK(answers < 20'000);
    pair.carriers.deliver();
    CHECK(pair.at_server.closed == 1);
    CHECK(pair.at_server.why);
    INFO(pair.at_server.why.message());
}

TEST_CASE("updates of keys go on in TLS 1.3", "[tls]") {
    bare_pair pair(TLS1_3_VERSION, "");
    for (int i = 0; i < 20; ++i) {
        REQUIRE(SSL_key_update(pair.client.native(), SSL_KEY_UPDATE_REQUESTED) == 1);
        REQUIRE(SSL_write(pair.client.native(), "ping", 4) == 4);
        pair.move();
        pair.server->write(wire_of("pong"));
        pair.move();
        char bytes[8];
        REQUIRE(SSL_read(pair.client.native(), bytes, sizeof bytes) == 4);
    }
    CHECK(pair.at_server.received.size() == 80);
    CHECK(pair.at_server.closed == 0);
}

TEST_CASE("whoever asks for keys to be updated and never reads costs a bounded backlog", "[tls]") {
    bare_pair pair(TLS1_3_VERSION, "");
    for (int i = 0; i < 5000 && pair.at_server.closed == 0; ++i) {
        SSL_key_update(pair.client.native(), SSL_KEY_UPDATE_REQUESTED);
        SSL_write(pair.client.native(), "x", 1);
        pair.carriers.inject(side::server, pair.client.take_output());
    }
    CHECK(pair.carriers.sent(side::server).size() < 20'000);
}
