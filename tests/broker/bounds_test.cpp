#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

// Bounds of topics, subscriptions and owners of sessions: at the bound all is well, one above is
// refused by the code that the standard has. Others: connect_options_test.cpp (connections,
// sessions, packets, CONNECT in time), queue_rules_test.cpp and congestion_test.cpp (queues),
// retained_bounds_test.cpp, memory_ceiling_test.cpp.

namespace fleetarium::test {
namespace {

using broker::drop_reason;

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

reason_code subscribe_code(peer& by, std::string_view filter) {
    const subscription_request one{filter, {}};
    fleetarium::subscribe request;
    request.packet_id = 5;
    request.requests = subscription_requests({&one, 1});
    by.send(request);
    return by.take_as<suback>().codes[0];
}

std::uint64_t dropped(broker_bench& bench, drop_reason why) {
    return bench.core().metrics().dropped[static_cast<std::size_t>(why)];
}

std::string levels(std::size_t count) {
    std::string out = "l";
    for (std::size_t i = 1; i < count; ++i) {
        out += "/l";
    }
    return out;
}

/// As for levels and for bytes: `good` is at the bound, `bad` is one above.
void check_topics(broker_bench& bench, protocol_version version, const std::string& good,
                  const std::string& bad) {
    peer& client = bench.connected({.client_id = "c", .version = version});
    const bool is_v5 = version == v5;
    CHECK_FALSE(is_failure(subscribe_code(client, good)));
    CHECK_FALSE(is_failure(subscribe_code(client, "$share/a-group/" + good)));
    const auto refused = is_v5 ? reason_code::topic_filter_invalid : reason_code::unspecified_error;
    CHECK(subscribe_code(client, bad) == refused);
    CHECK(subscribe_code(client, "$share/a-group/" + bad) == refused);
    CHECK(bench.core().metrics().subscriptions_refused == 2);
    CHECK(bench.core().subscription_count() == 2);

    bench.publish(client, good, "x", qos::at_least_once, 1);
    CHECK(client.take_publish() == good + "=x");
    client.discard();
    bench.publish(client, bad, "x", qos::at_least_once, 2);
    CHECK(client.take_as<puback>().code ==
          (is_v5 ? reason_code::topic_name_invalid : reason_code::success));
    CHECK(client.waiting() == 0);
    CHECK(dropped(bench, drop_reason::topic_name_invalid) == 1);

    fleetarium::will last;
    last.topic = bad;
    peer& with_will = bench.connect({.client_id = "w", .version = version, .will = last});
    if (is_v5) {
        CHECK(with_will.refused_with(reason_code::topic_name_invalid));
    } else {
        CHECK(with_will.closed_silently());
    }
    last.topic = good;
    bench.connected({.client_id = "w", .version = version, .will = last});
}

TEST_CASE("topics and filters may have topic_levels_max levels", "[bounds][threat/topics]") {
    const auto version = GENERATE(v3, v5);
    const std::size_t most = GENERATE(1u, 5u, 128u);
    broker::broker_options options;
    options.topic_levels_max = static_cast<std::uint16_t>(most);
    broker_bench bench(options);
    check_topics(bench, version, levels(most), levels(most + 1));
}

TEST_CASE("topics and filters may have topic_bytes_max bytes", "[bounds][threat/topics]") {
    const auto version = GENERATE(v3, v5);
    const std::size_t most = GENERATE(1u, 100u, 40'000u);
    broker::broker_options options;
    options.topic_bytes_max = static_cast<std::uint16_t>(most);
    broker_bench bench(options);
    check_topics(bench, version, std::string(most, 't'), std::string(most + 1, 't'));
}

TEST_CASE("a client may have subscriptions_per_session_max subscriptions",
          "[bounds][threat/subscriptions]") {
    const auto version = GENERATE(v3, v5);
    broker::broker_options options;
    options.subscriptions_per_session_max = 3;
    broker_bench bench(options);
    peer& client = bench.connected({.version = version});
    for (const char* filter : {"a", "b/#", "$share/g/c"}) {
        CHECK_FALSE(is_failure(subscribe_code(client, filter)));
    }
    const auto refused = version == v5 ? reason_code::quota_exceeded
                                       : reason_code::unspecified_error;  // 3.1.1 has 0x80 alone
    CHECK(subscribe_code(client, "d") == refused);
    CHECK_FALSE(is_failure(subscribe_code(client, "a")));  // it has that one
    CHECK(bench.core().metrics().subscriptions_refused == 1);
    CHECK(bench.core().subscription_count() == 3);
    client.send_hex(version == v5 ? "A2 06 00 07 00 00 01 61" : "A2 05 00 07 00 01 61");
    client.discard();
    CHECK_FALSE(is_failure(subscribe_code(client, "d")));
}

TEST_CASE("a session can be had by the user alone who made it", "[bounds][threat/session]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    const auto client = [&](std::optional<std::string_view> user, bool clean) {
        connect_with how{.client_id = "phone", .version = version, .clean_start = clean};
        how.session_expiry = version == v5 ? std::optional(60u) : std::nullopt;
        how.user_name = user;
        return how;
    };
    peer& ann = bench.connected(client("ann", false));
    bench.subscribe(ann, "letters/ann", qos::at_least_once);
    // Neither while she is connected, nor to throw her session away, nor without a name.
    for (const auto& user : {std::optional<std::string_view>("bob"), {}}) {
        for (const bool clean : {true, false}) {
            CHECK(bench.connect(client(user, clean)).refused_with(reason_code::not_authorized));
        }
    }
    CHECK(ann.is_served());
    ann.cut();
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "letters/ann", "secret", qos::at_least_once, 1);
    CHECK(bench.connect(client("bob", false)).refused_with(reason_code::not_authorized));
    CHECK(bench.core().metrics().sessions_denied == 5);

    peer& again = bench.connect(client("ann", false));
    CHECK(again.take_as<connack>().session_present);
    CHECK(again.take_publish() == "letters/ann=secret q1");
    // Once it has ended the client id is anybody's.
    bench.connected(client("ann", true)).cut();
    bench.advance(version == v5 ? 61s : 0s);
    if (version == v5) {
        bench.connected(client("bob", false));
    }
}

TEST_CASE("where sessions belong to nobody a client id is enough", "[bounds]") {
    broker::broker_options options;
    options.sessions_belong_to_users = false;
    broker_bench bench(options);
    connect_with how{.clean_start = false, .session_expiry = 60, .user_name = "ann"};
    peer& ann = bench.connected(how);
    how.user_name = "bob";
    CHECK(bench.connect(how).take_as<connack>().session_present);
    CHECK(ann.closed());
}

}  // namespace
}  // namespace fleetarium::test
