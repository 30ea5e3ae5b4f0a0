#include <support/client_support.hpp>
#include <support/scripted_hooks.hpp>

#include <catch2/catch.hpp>

namespace fleetarium::test {
namespace {

using step = broker::authentication_step;

/// A method of two challenges whose proof the client checks.
class riddle final : public authenticator {
public:
    std::string method() const override { return "riddle"; }
    std::string begin() override {
        ++begun;
        return "hello";
    }
    std::optional<std::string> answer(bytes_view challenge) override {
        challenges.emplace_back(as_text(challenge));
        return trusts ? std::optional<std::string>("re: " + challenges.back()) : std::nullopt;
    }
    bool finish(bytes_view data) override {
        proofs.emplace_back(as_text(data));
        return proofs.back() == "proof";
    }

    int begun = 0;
    bool trusts = true;
    std::vector<std::string> challenges;
    std::vector<std::string> proofs;
};

step challenge(std::string data) { return {step::outcome::challenged, std::move(data)}; }
step success(std::string data) { return {step::outcome::succeeded, std::move(data)}; }
step failure() { return {step::outcome::failed, {}, reason_code::not_authorized}; }

struct bench {
    bench() : broker(network, {}, &hooks) {
        hooks.on_authenticate_enhanced = [this](const auto&, std::string_view name,
                                                std::string_view data) {
            CHECK(name == "riddle");
            heard.emplace_back(data);
            if (data == "hello") {
                return challenge("1");
            }
            return data == "re: 1" ? challenge("2") : success(proof);
        };
    }

    scripted_hooks hooks;
    std::string proof = "proof";
    std::vector<std::string> heard;
    virtual_network network;
    memory_broker broker;
    std::shared_ptr<riddle> method = std::make_shared<riddle>();
};

}  // namespace

TEST_CASE("a client authenticates by challenge and answer", "[client][auth]") {
    bench t;
    client c(t.network, usual().authentication(t.method));
    outcome connected;
    c.async_connect(note(connected));
    t.network.settle();
    CHECK(connected.succeeded());
    CHECK(t.heard == std::vector<std::string>{"hello", "re: 1", "re: 2"});
    CHECK(t.method->challenges == std::vector<std::string>{"1", "2"});
    CHECK(t.method->proofs == std::vector<std::string>{"proof"});
}

TEST_CASE("a client that does not trust the server leaves and stops", "[client][auth]") {
    bench t;
    SECTION("a challenge") { t.method->trusts = false; }
    SECTION("the proof") { t.proof = "forged"; }
    client c(t.network, usual().authentication(t.method));
    outcome connected;
    c.async_connect(note(connected));
    t.network.advance(1h);
    CHECK(connected.why == error::authentication_failed);
    CHECK(t.network.attempts().size() == 1);
    CHECK(t.network.open_links() == 0);
    CHECK(c.metrics().connections == 0);
}

TEST_CASE("a failed authentication stops the client", "[client][auth]") {
    bench t;
    t.hooks.on_authenticate_enhanced = [](const auto&, auto, auto) { return failure(); };
    client c(t.network, usual().authentication(t.method));
    outcome connected;
    c.async_connect(note(connected));
    t.network.advance(1h);
    CHECK(connected.why == reason_code::not_authorized);
    CHECK(t.network.attempts().size() == 1);
}

TEST_CASE("a client authenticates again on its connection", "[client][auth]") {
    bench t;
    client c(t.network, usual().authentication(t.method));
    outcome early;
    c.async_reauthenticate(note(early));
    c.start();
    t.network.settle();
    CHECK(early.why == error::not_connected);

    outcome done;
    SECTION("and is accepted") {
        c.async_reauthenticate(note(done));
        outcome second;
        c.async_reauthenticate(note(second));  // while one is under way
        t.network.settle();
        CHECK(done.succeeded());
        CHECK(second.why == error::invalid_argument);
        CHECK(t.heard.size() == 6);
        CHECK(c.is_connected());
        outcome later;
        c.async_reauthenticate(note(later));
        t.network.settle();
        CHECK(later.succeeded());
    }
    SECTION("and is not") {
        t.hooks.on_authenticate_enhanced = [](const auto&, auto, auto) { return failure(); };
        c.async_reauthenticate(note(done));
        t.network.settle();
        CHECK(done.why == reason_code::not_authorized);
        CHECK(!c.is_connected());
    }
    SECTION("and does not trust the server any more") {
        t.proof = "forged";
        c.async_reauthenticate(note(done));
        t.network.settle();
        CHECK(done.why == error::authentication_failed);
        CHECK(!c.is_connected());
        t.network.advance(1h);
        CHECK(t.network.attempts().size() == 1);
    }
    SECTION("and the connection breaks") {
        t.network.stall(true);
        c.async_reauthenticate(note(done));
        t.network.settle();
        CHECK(!done.done);
        t.network.cut();
        CHECK(done.done);
        CHECK(done.why.failed());
        t.network.advance(1s);
        CHECK(c.is_connected());
    }
}

TEST_CASE("re-authentication needs an authenticator and MQTT 5", "[client][auth]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    bench t;
    client c(t.network, usual(version));
    c.start();
    t.network.settle();
    outcome done;
    c.async_reauthenticate(note(done));
    t.network.settle();
    CHECK(done.why ==
          (version == protocol_version::v5 ? error::invalid_argument : error::not_in_this_version));
    CHECK_THROWS_WITH(client(t.network, usual(protocol_version::v3_1_1).authentication(t.method)),
                      Catch::Contains("enhanced authentication is not part of MQTT 3.1.1"));
}

}  // namespace fleetarium::test
