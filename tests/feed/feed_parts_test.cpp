#include <fleetarium/feed/described_equality.hpp>
#include <fleetarium/feed/described_json.hpp>
#include <fleetarium/feed/fleet_map.hpp>
#include <fleetarium/feed/kept_messages.hpp>
#include <fleetarium/feed/latency_buckets.hpp>
#include <fleetarium/feed/message_journey_steps.hpp>
#include <fleetarium/feed/source_link.hpp>
#include <fleetarium/feed/topic_table.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::feed;
using namespace std::chrono_literals;
using json = nlohmann::json;

namespace {

/// Values of all kinds that differ from each other and from the presets.
template <class T>
void fill(T& value, unsigned& next) {
    if constexpr (feed::detail::is_optional<T>::value) {
        fill(value.emplace(), next);
    } else if constexpr (feed::detail::is_bytes<T>) {
        value = {0, 255, static_cast<std::uint8_t>(next++)};
    } else if constexpr (feed::detail::is_list<T>::value) {
        if constexpr (requires { value.emplace_back(); }) {
            value.resize(2);
        }
        for (auto& each : value) {
            fill(each, next);
        }
    } else if constexpr (std::is_same_v<T, bool>) {
        value = !value;
    } else if constexpr (std::is_enum_v<T>) {
        value = static_cast<T>(1);
    } else if constexpr (std::is_same_v<T, std::string>) {
        value = "text " + std::to_string(next++);
    } else if constexpr (std::is_arithmetic_v<T>) {
        value = static_cast<T>(static_cast<double>(next++ % 100) + 0.5);
    } else {
        feed::detail::for_each_member<T>([&](auto member) { fill(value.*member.pointer, next); });
    }
}

template <class T>
void check_round_trip() {
    for (const bool filled : {false, true}) {
        for (const answer_form form : {answer_form::json, answer_form::cbor}) {
            T before;
            unsigned next = 1;
            if (filled) {
                fill(before, next);
            }
            const json written = to_json(before, form);
            const json read = form == answer_form::json ? json::parse(written.dump())
                                                        : json::from_cbor(json::to_cbor(written));
            T after;
            if (!filled) {  // what is read replaces all
                fill(after, next = 7);
                after = {};
            }
            from_json(read, after, "");
            CHECK(before == after);
            CHECK(to_json(after, form) == written);
        }
    }
}

std::string error_of(const std::string& question, const char* parameters) {
    try {
        const question_entry* const which = find_question(question);
        REQUIRE(which != nullptr);
        topics_question asked;
        fleet_question fleet;
        step_command step;
        const json read = json::parse(parameters);
        question == "topics" ? from_json(read, asked, "")
        : question == "step" ? from_json(read, step, "")
                             : from_json(read, fleet, "");
        return {};
    } catch (const feed_error& error) {
        CHECK(error.kind() == feed_error::kind::bad_question);
        return error.what();
    }
}

std::string name_of_number(std::uint32_t number) { return "n" + std::to_string(number); }

const party_names names{name_of_number, [](std::uint32_t) { return std::string("cloud"); }};

bytes_view bytes_of(std::string_view text) { return as_bytes_view(text); }

/// "PUBLISH a>cloud 1..2", with what is said of it.
std::string text_of(const message_step& of) {
    const auto number = [](double at) {
        std::string text = std::to_string(at);
        text.erase(text.find_last_not_of('0') + 1);
        return text.back() == '.' ? text.substr(0, text.size() - 1) : text;
    };
    std::string out = of.packet.empty() ? of.text : of.packet + ' ' + of.from + '>' + of.to;
    out += ' ' + number(of.at);
    if (of.arrived) {
        out += ".." + number(*of.arrived);
    }
    out += of.dup ? " DUP" : "";
    out += of.lost ? " lost" : "";
    out += of.inferred ? " inferred" : "";
    return out;
}

std::vector<std::string> texts_of(const std::vector<message_step>& steps) {
    std::vector<std::string> out;
    for (const message_step& each : steps) {
        out.push_back(text_of(each));
    }
    return out;
}

using texts = std::vector<std::string>;

}  // namespace

// ---------------------------------------------------------------------------------------- JSON

TEST_CASE("each question and each answer is the same after JSON and after CBOR", "[feed][json]") {
    check_round_trip<description>();
    check_round_trip<totals>();
    check_round_trip<history_answer>();
    check_round_trip<topics_question>();
    check_round_trip<topics_answer>();
    check_round_trip<fleet_question>();
    check_round_trip<fleet_answer>();
    check_round_trip<cell_question>();
    check_round_trip<devices_question>();
    check_round_trip<devices_answer>();
    check_round_trip<device_answer>();
    check_round_trip<messages_question>();
    check_round_trip<messages_answer>();
    check_round_trip<message_answer>();
    check_round_trip<timeline_answer>();
    check_round_trip<log_question>();
    check_round_trip<log_answer>();
    check_round_trip<step_command>();
    check_round_trip<publish_command>();
    check_round_trip<command_answer>();
}

TEST_CASE("what is wrong with a question is told with what was expected, and the nearest name",
          "[feed][json]") {
    CHECK(error_of("topics", R"({"limit": "ten"})") ==
          "limit: found \"ten\", expected a whole number from 0 to 4294967295");
    CHECK(error_of("topics", R"({"limit": -1})") ==
          "limit: found -1, expected a whole number from 0 to 4294967295");
    CHECK(error_of("topics", R"({"limit": 4294967296})") ==
          "limit: found 4294967296, expected a whole number from 0 to 4294967295");
    CHECK(error_of("topics", R"({"limit": 1.5})") ==
          "limit: found 1.5, expected a whole number from 0 to 4294967295");
    CHECK(error_of("topics", R"({"order": "mesages"})") ==
          "order: found \"mesages\", expected one of name, messages, bytes, recent; did you mean "
          "\"messages\"?");
    CHECK(error_of("topics", R"({"order": 1})") ==
          "order: found 1, expected one of name, messages, bytes, recent");
    CHECK(error_of("topics", R"({"parnt": "a"})") ==
          "there is no parameter \"parnt\"; did you mean \"parent\"? (there are at, parent, "
          "parent_is_root, search, order, offset, limit)");
    CHECK(error_of("topics", R"({"at": "now"})") == "at: found \"now\", expected a number");
    CHECK(error_of("topics", R"({"parent_is_root": 1})") ==
          "parent_is_root: found 1, expected true or false");
    CHECK(error_of("topics", R"({"parent": 7})") == "parent: found 7, expected a text");
    CHECK(error_of("topics", "[]") == "found [], expected an object");
    CHECK(error_of("topics", R"({"at": null, "limit": 4294967295})").empty());
}

TEST_CASE("every question has a name of its own, by which it is found", "[feed][json]") {
    for (const question_entry& each : question_table()) {
        CHECK(find_question(each.name) == &each);
        CHECK_FALSE(each.what.empty());
    }
    CHECK(find_question("nothing") == nullptr);
    CHECK(nearest_question("total") == "totals");
}

// -------------------------------------------------------------------------------------- topics

TEST_CASE("a topic counts for all levels above it", "[feed][topic_table]") {
    topic_table table;
    const auto add = [&](std::string_view topic, std::uint64_t messages) {
        const auto which = table.find_or_add(topic, topic_table::hash_of(topic));
        table.count(which, messages, 10 * messages);
        return which;
    };
    add("a", 1);
    add("a/b", 2);
    add("a/b/c", 4);
    add("a/10", 8);
    add("a/9", 16);
    add("/a", 32);
    CHECK(add("a/b", 64) == table.find_or_add("a/b", topic_table::hash_of("a/b")));
    CHECK(table.topics() == 6);
    const topics_answer roots = table.answer({}, name_of_number);
    REQUIRE(roots.rows.size() == 2);
    CHECK(roots.rows[0].level.empty());
    CHECK(roots.rows[0].messages == 32);
    CHECK_FALSE(roots.rows[0].is_topic);
    CHECK(roots.rows[1].name == "a");
    CHECK(roots.rows[1].messages == 1 + 2 + 4 + 8 + 16 + 64);
    CHECK(roots.rows[1].bytes == 10 * roots.rows[1].messages);
    CHECK(roots.rows[1].children == 3);
    const topics_answer below = table.answer({.parent = "a"}, name_of_number);
    REQUIRE(below.rows.size() == 3);
    CHECK(below.rows[0].name == "a/9");  // as people count
    CHECK(below.rows[1].name == "a/10");
    CHECK(below.rows[2].name == "a/b");
    CHECK(table.answer({.parent = "", .parent_is_root = false}, name_of_number).rows.at(0).name ==
          "/a");
    CHECK(table.answer({.parent = "a", .order = topic_order::messages}, name_of_number)
              .rows.at(0)
              .name == "a/b");
    CHECK(table.answer({.search = "b"}, name_of_number).all == 2);
    CHECK(table.answer({.search = "+/b"}, name_of_number).all == 1);
    CHECK(table.answer({.search = "a/#", .offset = 2, .limit = 2}, name_of_number).rows.size() ==
          2);
    CHECK_THROWS_WITH(table.answer({.search = "a/#/b"}, name_of_number),
                      Catch::Contains("no topic filter"));
    CHECK_THROWS_WITH(table.answer({.parent = "x"}, name_of_number), Catch::Contains("no topic"));
    CHECK_THROWS_WITH(table.answer({.limit = 2'001}, name_of_number),
                      Catch::Contains("1 to 2,000"));
}

TEST_CASE("a topic shows the newest of its messages; a level is as recent as what is below it",
          "[feed][topic_table]") {
    topic_table table;
    const auto add = [&](std::string_view topic, std::int64_t at, std::string_view payload) {
        const auto which = table.find_or_add(topic, topic_table::hash_of(topic));
        table.count(which, 1, payload.size());
        table.note_newest(which, {at, 3, 1, bytes_of(payload)});
        return which;
    };
    add("old", 1'000'000'000, "first");
    add("deep/er", 2'000'000'000, "\xff\xfe");
    table.set_retained(add("old", 1'500'000'000, std::string(1'000, 'x')), true);
    const topics_answer found = table.answer({.order = topic_order::recent}, name_of_number);
    REQUIRE(found.rows.size() == 2);
    CHECK(found.rows[0].name == "deep");
    CHECK(found.rows[1].last_at == 1.5);
    CHECK(found.rows[1].last_publisher == "n3");
    CHECK(found.rows[1].payload == std::string(256, 'x'));
    CHECK(found.rows[1].payload_size == 1'000);
    CHECK(found.rows[1].retained);
    CHECK(table.answer({.parent = "deep"}, name_of_number).rows.at(0).payload_encoding == "base64");
}

TEST_CASE("topics beyond the bound are counted in sum, and memory stays as it is",
          "[feed][topic_table]") {
    topic_table table;
    for (std::uint32_t i = 0; i < 2 * topic_table::levels_max; ++i) {
        const std::string topic = "t/" + std::to_string(i);
        table.count(table.find_or_add(topic, topic_table::hash_of(topic)), 1, 1);
    }
    const topics_answer found = table.answer({.parent = "t", .limit = 1}, name_of_number);
    CHECK(found.topics < topic_table::levels_max);
    CHECK(found.topics + found.messages_beyond == 2 * topic_table::levels_max);
    CHECK(table.memory_bytes() < 200 * topic_table::levels_max);
}

// ----------------------------------------------------------------------------------- latencies

TEST_CASE("a latency is below the bound of its bucket, and within 25 % of it",
          "[feed][latency_buckets]") {
    CHECK(latency_buckets::of(-5ns) == 0);
    CHECK(latency_buckets::of(1'023ns) == 0);
    CHECK(latency_buckets::of(1'024ns) == 1);
    CHECK(latency_buckets::of(duration::max()) == latency_buckets::count - 1);
    for (std::int64_t value = 1'024; value < std::int64_t{1} << 41; value += value / 37 + 1) {
        const std::size_t bucket = latency_buckets::of(duration{value});
        REQUIRE(static_cast<std::uint64_t>(value) < latency_buckets::bound(bucket));
        REQUIRE(static_cast<std::uint64_t>(value) >= latency_buckets::bound(bucket - 1));
        REQUIRE(static_cast<double>(latency_buckets::bound(bucket)) <=
                1.25 * static_cast<double>(value));
    }
    const std::vector<double> bounds = latency_buckets::bounds();
    CHECK(bounds.size() == latency_buckets::count);
    CHECK(std::is_sorted(bounds.begin(), bounds.end()));
    std::vector<std::uint64_t> counts(latency_buckets::count);
    CHECK(latency_buckets::percentile(counts, 50) == 0);
    CHECK(latency_buckets::trimmed(counts).empty());
    counts[3] = 99;
    counts[8] = 1;
    CHECK(latency_buckets::trimmed(counts).size() == 9);
    CHECK(latency_buckets::percentile(counts, 99) == bounds[3]);
    CHECK(latency_buckets::percentile(counts, 99.5) == bounds[8]);
    CHECK(latency_buckets::percentile(counts, 100) == bounds[8]);
}

// ------------------------------------------------------------------------------------ fleet map

TEST_CASE("a cell shows the gravest of its devices, and the largest measure", "[feed][fleet_map]") {
    std::vector<device_group> groups{{"a", {}}, {"b", {}}};
    for (std::uint32_t i = 0; i < 250; ++i) {
        groups[i < 150 ? 0 : 1].devices.push_back(i);
    }
    const auto look = [](std::uint32_t device) {
        return device_look{device % 50 == 7 ? device_state::faulted : device_state::connected,
                           device};
    };
    const fleet_answer found = map_fleet({.cells = 100}, groups, look);
    CHECK(found.devices_per_cell == 3);
    REQUIRE(found.groups.size() == 2);
    CHECK(found.groups[0].devices == 150);
    CHECK(found.groups[0].cells.size() == 50);
    CHECK(found.groups[1].cells.size() == 34);
    CHECK(found.groups[0].connected == 147);
    CHECK(found.groups[0].faulted == 3);
    CHECK((found.groups[0].cells[2] & 7U) == static_cast<unsigned>(device_state::faulted));
    CHECK((found.groups[0].cells[0] & 7U) == static_cast<unsigned>(device_state::connected));
    CHECK(found.groups[0].cells[1] >> 3U == level_of(5));
    const fleet_answer part =
        map_fleet({.cells = 100, .group = "b", .from = 10, .until = 20U}, groups, look);
    REQUIRE(part.groups.size() == 1);
    CHECK(part.groups[0].cells.size() == 10);
    CHECK(part.devices_per_cell == 1);
    CHECK(device_at({.group = "b", .place = 3}, groups) == 153);
    CHECK_THROWS_WITH(device_at({.group = "b", .place = 100}, groups), Catch::Contains("100"));
    CHECK_THROWS_WITH(map_fleet({.group = "c"}, groups, look), Catch::Contains("\"c\""));
    CHECK_THROWS_WITH(map_fleet({.cells = 99}, groups, look), Catch::Contains("100 to 1,000,000"));
    CHECK_THROWS_AS(map_fleet({.group = "a", .from = 20, .until = 10U}, groups, look), feed_error);
    CHECK_THROWS_AS(map_fleet({.group = "a", .from = 151}, groups, look), feed_error);
    // 0, 1, 2, 3, 4, 6, 8, 12 ...
    std::vector<std::uint8_t> levels;
    for (const std::uint64_t each : {0U, 1U, 2U, 3U, 4U, 5U, 6U, 8U, 12U, 16U}) {
        levels.push_back(level_of(each));
    }
    CHECK(levels == std::vector<std::uint8_t>{0, 1, 2, 3, 4, 4, 5, 6, 7, 8});
    CHECK(level_of(UINT64_MAX) == 31);
}

// ------------------------------------------------------------------------------------- messages

TEST_CASE("the oldest messages are forgotten: for number, bytes and deliveries",
          "[feed][kept_messages]") {
    kept_messages ring;
    std::uint64_t made = 0;
    const auto add = [&](std::size_t size, std::uint32_t deliveries) {
        ++made;
        kept_message& out = ring.add(made, made * 7, "t", bytes_of(std::string(size, 'x')), {});
        for (std::uint32_t i = 0; i < deliveries; ++i) {
            ring.delivery_to(out, i, true, 0);
        }
    };
    SECTION("number") {
        while (made < kept_messages::messages_max + 10) {
            add(1, 1);
        }
        CHECK(ring.oldest().sequence == 11);
        CHECK(ring.find(7) == nullptr);
        CHECK(ring.find_sequence(10) == nullptr);
        CHECK(ring.find(11 * 7)->sequence == 11);
        CHECK(ring.find_sequence(made)->number == made * 7);
        CHECK(ring.has_forgotten());
        CHECK(ring.deliveries() == kept_messages::messages_max);
    }
    SECTION("bytes") {
        while (made < 1'000) {
            add(200'000, 0);
        }
        CHECK(ring.bytes() <= kept_messages::bytes_max);
        CHECK(ring.bytes() > kept_messages::bytes_max - 400'000);
    }
    SECTION("deliveries") {
        while (made < 4'000) {
            add(1, 300);
        }
        CHECK(ring.deliveries() <= kept_messages::deliveries_max);
        CHECK(ring.find_sequence(made)->made == 300);
        CHECK(ring.find_sequence(made)->deliveries.size() == kept_message::deliveries_max);
    }
}

TEST_CASE("a decision is about the delivery that is open, where a client got a message twice",
          "[feed][kept_messages]") {
    kept_messages ring;
    kept_message& of = ring.add(1, 1, "t", {}, {});
    kept_delivery* const first = ring.delivery_to(of, 5, true, 10);
    first->ended = 20;
    CHECK(ring.delivery_to(of, 5, false, 0) == first);
    ring.delivery_to(of, 5, true, 30);
    CHECK(ring.delivery_to(of, 5, false, 0)->made == 30);
    CHECK(ring.delivery_to(of, 6, false, 0) == nullptr);
}

// --------------------------------------------------------------------------------- journey steps

TEST_CASE("a QoS 0 message is one arrow to the broker and one from it", "[feed][journey]") {
    CHECK(texts_of(journey_steps({.publisher = "a", .broker = "cloud", .published = 1.0, .at = 2},
                                 {{.receiver = "b",
                                   .state = "delivered",
                                   .made = 2,
                                   .sent = 2.0,
                                   .received = 3.0,
                                   .ended = 3.0}},
                                 {})) == texts{"PUBLISH a>cloud 1..2", "PUBLISH cloud>b 2..3"});
    CHECK(texts_of(journey_steps(
              {.publisher = "a", .broker = "cloud", .published = 1.0, .at = 2},
              {{.receiver = "b", .state = "lost", .made = 2, .sent = 2.0, .ended = 3.0}}, {})) ==
          texts{"PUBLISH a>cloud 1..2", "PUBLISH cloud>b 2 lost"});
}

TEST_CASE("a QoS 1 message is answered on both sides", "[feed][journey]") {
    CHECK(texts_of(journey_steps({.publisher = "a",
                                  .broker = "cloud",
                                  .qos = 1,
                                  .published = 1.0,
                                  .at = 2,
                                  .completed = 3.5},
                                 {{.receiver = "b",
                                   .qos = 1,
                                   .state = "delivered",
                                   .made = 2,
                                   .sent = 2.0,
                                   .received = 3.0,
                                   .ended = 4.0}},
                                 {})) == texts{"PUBLISH a>cloud 1..2", "PUBACK cloud>a 2..3.5",
                                               "PUBLISH cloud>b 2..3", "PUBACK b>cloud 3..4"});
}

TEST_CASE("a QoS 2 message is a handshake of four on each side", "[feed][journey]") {
    CHECK(texts_of(journey_steps({.publisher = "a",
                                  .broker = "cloud",
                                  .qos = 2,
                                  .published = 1.0,
                                  .at = 2,
                                  .completed = 6.0},
                                 {{.receiver = "b",
                                   .qos = 2,
                                   .state = "delivered",
                                   .made = 2,
                                   .sent = 3.0,
                                   .received = 4.0,
                                   .ended = 7.0}},
                                 {})) ==
          texts{"PUBLISH a>cloud 1..2", "PUBREC cloud>a 2..2 inferred", "queued for b 2",
                "PUBLISH cloud>b 3..4", "PUBREL a>cloud 4..4 inferred", "PUBCOMP cloud>a 4..6",
                "PUBREC b>cloud 4..5 inferred", "PUBREL cloud>b 5..6 inferred",
                "PUBCOMP b>cloud 6..7"});
}

TEST_CASE("resends, losses, drops and refusals show as what they are", "[feed][journey]") {
    const publishing way{.publisher = "a", .broker = "cloud", .qos = 1, .at = 2, .copies = {4.0}};
    CHECK(texts_of(journey_steps(way, {}, {})) == texts{"PUBLISH a>cloud 2..2 inferred",
                                                        "PUBLISH a>cloud 4..4 DUP inferred",
                                                        "PUBACK cloud>a 4 inferred"});
    const publishing own{.broker = "cloud", .at = 1};
    CHECK(texts_of(journey_steps(own, {}, {})) == texts{"published by the broker 1"});
    CHECK(texts_of(journey_steps(own,
                                 {{.receiver = "b",
                                   .qos = 1,
                                   .state = "delivered",
                                   .made = 1,
                                   .sent = 1.0,
                                   .received = 6.0,
                                   .ended = 7.0,
                                   .resent = 1}},
                                 {{5.0}})) ==
          texts{"published by the broker 1", "PUBLISH cloud>b 1 lost", "PUBLISH cloud>b 5..6 DUP",
                "PUBACK b>cloud 6..7"});
    CHECK(texts_of(journey_steps(own,
                                 {{.receiver = "b",
                                   .qos = 1,
                                   .state = "dropped",
                                   .reason = "queue_full",
                                   .made = 1,
                                   .ended = 1.0}},
                                 {})) ==
          texts{"published by the broker 1", "dropped for b: queue_full 1 lost"});
    CHECK(texts_of(journey_steps(own,
                                 {{.receiver = "b",
                                   .qos = 1,
                                   .state = "dropped",
                                   .reason = "session_ended",
                                   .made = 1,
                                   .sent = 1.0,
                                   .ended = 9.0}},
                                 {})) == texts{"published by the broker 1", "PUBLISH cloud>b 1",
                                               "given up for b: session_ended 9 lost"});
    CHECK(texts_of(journey_steps(own, {{.receiver = "b", .state = "queued", .made = 1}}, {})) ==
          texts{"published by the broker 1", "waits for b 1"});
    CHECK(texts_of(journey_steps({.publisher = "a",
                                  .broker = "cloud",
                                  .at = 2,
                                  .refused = true,
                                  .reason = "not_authorized"},
                                 {}, {})) ==
          texts{"PUBLISH a>cloud 2..2 inferred", "refused: not_authorized 2 lost"});
}

// ------------------------------------------------------------------------------------------ link

TEST_CASE("who asks a source that is gone is told why, and woken for it", "[feed][source_link]") {
    thread_link link;
    int woken = 0;
    std::vector<std::string> told;
    link.on_arrival([&] { ++woken; });
    const auto ask = [&] {
        link.ask(totals_question{},
                 [&](const outcome<totals>& found) { told.push_back(found.error); });
    };
    ask();
    CHECK(link.receive() == 0);
    link.close("the run is over");
    CHECK(woken == 1);
    CHECK(link.receive() == 1);
    ask();
    CHECK(woken == 2);
    CHECK(link.receive() == 1);
    CHECK(told == texts{"the run is over", "the run is over"});
    CHECK(link.connection() == source_link::state::lost);
}
