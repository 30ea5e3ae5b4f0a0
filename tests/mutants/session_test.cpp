#include "with_mutant.hpp"

// Sessions and wills at the broker.

namespace fleetarium::test {
namespace {

// Sessions

/// Session Present, and what a subscriber is sent, when it comes back after a while in which one
/// message was published.
std::string come_back_after(duration away, std::uint32_t expiry, bool clean_start = false) {
    broker_bench bench;
    connect_with how = lasting("s");
    how.session_expiry = expiry;
    peer& before = bench.connected(how);
    bench.subscribe(before, "a", qos::at_least_once);
    before.cut();
    bench.publish(bench.connected({.client_id = "p"}), "a", "1", qos::at_least_once, 7);
    bench.advance(away);
    how.clean_start = clean_start;
    peer& after = bench.connect(how);
    const bool present = after.take_as<connack>().session_present;
    return (present ? "present; " : "new; ") + received(after);
}

TEST_CASE("CONNACK does not say that the session was resumed", "[session_present_missing]") {
    check_mutant(mutant::session_present_missing, "present; 1 q1", "new; 1 q1",
                 [] { return come_back_after(1s, 60); });
}

TEST_CASE("a session ends a thousand times too early", "[session_expiry_in_milliseconds]") {
    check_mutant(mutant::session_expiry_in_milliseconds, "present; 1 q1", "new; ",
                 [] { return come_back_after(1s, 60); });
}

TEST_CASE("a session is kept beyond its expiry", "[session_kept_after_expiry]") {
    check_mutant(mutant::session_kept_after_expiry, "new; ", "present; 1 q1",
                 [] { return come_back_after(61s, 60); });
}

TEST_CASE("Clean Start goes on with the old session", "[clean_start_keeps_session]") {
    check_mutant(mutant::clean_start_keeps_session, "new; ", "new; 1 q1",
                 [] { return come_back_after(1s, 60, true); });
}

TEST_CASE("the connection that another takes over stays open",
          "[take_over_leaves_old_connection]") {
    check_mutant(mutant::take_over_leaves_old_connection, "E0; closed", "; open", [] {
        broker_bench bench;
        peer& old = bench.connected(lasting("s"));
        bench.connected(lasting("s"));
        old.send(pingreq{});
        return received(old) + (old.closed() ? "; closed" : "; open");
    });
}

/// How a client with a keep alive of 10 s fares that says nothing for a while.
std::string silent_for(duration silence) {
    broker_bench bench;
    peer& silent = bench.connected({.keep_alive = 10});
    bench.advance(silence);
    return silent.closed() ? "closed" : "open";
}

TEST_CASE("a client is cut off when its keep alive is over, without grace",
          "[keep_alive_without_grace]") {
    check_mutant(mutant::keep_alive_without_grace, "open", "closed",
                 [] { return silent_for(11s); });
}

TEST_CASE("a client that has fallen silent stays connected", "[keep_alive_not_enforced]") {
    check_mutant(mutant::keep_alive_not_enforced, "closed", "open", [] { return silent_for(16s); });
}

// Wills

/// A client with a will and a keep alive of 10 s, and a witness of everything.
struct will_bench : broker_bench {
    explicit will_bench(std::uint32_t delay, std::uint32_t expiry = 3'600) {
        subscribe(*witness, "#");
        how.session_expiry = expiry;
        how.keep_alive = 10;
        how.will = fleetarium::will{};
        how.will->topic = "w";
        how.will->payload = as_bytes_view("dead");
        how.will->retain = true;
        how.will->delay_interval = delay;
        client = &connected(how);
    }
    std::string witnessed() { return received(*witness); }

    connect_with how = lasting("c");
    peer* witness = &connected({.client_id = "w"});
    peer* client = nullptr;
};

TEST_CASE("a will is published although its client came back in time",
          "[will_published_after_reconnect]") {
    check_mutant(mutant::will_published_after_reconnect, "", "dead", [] {
        will_bench bench(30);
        bench.client->cut();
        bench.advance(10s);
        bench.connected(bench.how);
        return bench.witnessed();
    });
}

TEST_CASE("a will is published before its delay is over", "[will_delay_ignored]") {
    check_mutant(mutant::will_delay_ignored, "; dead", "dead; ", [] {
        will_bench bench(30);
        bench.client->cut();
        bench.advance(10s);
        const std::string early = bench.witnessed();
        bench.advance(30s);
        return early + "; " + bench.witnessed();
    });
}

TEST_CASE("a will is published although its client said farewell",
          "[will_published_on_clean_disconnect]") {
    check_mutant(mutant::will_published_on_clean_disconnect, "", "dead", [] {
        will_bench bench(0);
        bench.client->send(disconnect{});
        return bench.witnessed();
    });
}

TEST_CASE("a connection that another takes over has no will", "[will_lost_on_take_over]") {
    check_mutant(mutant::will_lost_on_take_over, "dead", "", [] {
        will_bench bench(0);
        bench.connected(bench.how);
        return bench.witnessed();
    });
}

TEST_CASE("a connection that keep alive ends has no will", "[will_lost_on_keep_alive_timeout]") {
    check_mutant(mutant::will_lost_on_keep_alive_timeout, "dead", "", [] {
        will_bench bench(0);
        bench.advance(20s);
        return bench.witnessed();
    });
}

TEST_CASE("a session that ends before its will is due takes it along",
          "[will_lost_when_session_ends]") {
    const std::uint32_t expiry = GENERATE(0u, 5u);
    check_mutant(mutant::will_lost_when_session_ends, "dead", "", [&] {
        will_bench bench(30, expiry);
        bench.client->cut();
        bench.advance(60s);
        return bench.witnessed();
    });
}

TEST_CASE("a will that is to be retained is not", "[will_not_retained]") {
    check_mutant(mutant::will_not_retained, "dead retain", "", [] {
        will_bench bench(0);
        bench.client->cut();
        peer& late = bench.connected({.client_id = "late"});
        bench.subscribe(late, "w");
        return received(late);
    });
}

}  // namespace
}  // namespace fleetarium::test
