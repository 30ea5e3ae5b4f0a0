#include <fleetarium/dashboard/device_model.hpp>
#include <fleetarium/dashboard/fleet_model.hpp>
#include <fleetarium/dashboard/sequence_model.hpp>
#include <fleetarium/dashboard/topic_tree.hpp>
#include <fleetarium/feed/fleet_map.hpp>

#include <catch2/catch.hpp>

#include <algorithm>

using namespace fleetarium;
using namespace fleetarium::dashboard;

TEST_CASE("the wheel halves the part of the fleet around the place it is on", "[fleet_model]") {
    fleet_part part;
    part = zoom_in(part, "meters", 500, 1'000);
    CHECK(part == fleet_part{"meters", 0, std::nullopt});
    part = zoom_in(part, "meters", 500, 1'000);
    CHECK(part == fleet_part{"meters", 250, 750});
    CHECK(zoom_in(part, "meters", 250, 1'000) == fleet_part{"meters", 250, 500});
    part = zoom_out(part, 1'000);
    CHECK(part == fleet_part{"meters", 0, std::nullopt});
    CHECK(zoom_out(part, 1'000).is_all());
    CHECK(around("meters", 990, 100, 1'000) == fleet_part{"meters", 900, 1'000});
    CHECK(around("meters", 5, 5'000, 1'000) == fleet_part{"meters", 0, std::nullopt});
    // It ends where few devices are left.
    CHECK(zoom_in({"meters", 10, 26}, "meters", 12, 1'000) == fleet_part{"meters", 10, 26});
}

TEST_CASE("cells are as large as the room allows, and are found again", "[fleet_model]") {
    const fleet_room room{.width = 400, .height = 300, .block_least = 30, .gap = 5};
    const fleet_placing few = place_fleet({10, 20}, room);
    CHECK(few.cell == 20);
    CHECK(few.height <= room.height);
    const fleet_placing many = place_fleet({10'000, 2'000}, room);
    CHECK(many.cell == 3);
    CHECK(many.height <= room.height);
    CHECK(place_fleet({1'000'000}, room).cell == room.cell_least);
    for (const std::size_t cell : {0UL, 132UL, 133UL, 9'999UL}) {
        const float x = (static_cast<float>(cell % many.columns) + 0.5F) * many.cell;
        const float y = (static_cast<float>(cell / many.columns) + 0.5F) * many.cell;
        CHECK(cell_at(many, x, y) == fleet_cell{0, cell});
    }
    CHECK_FALSE(cell_at(many, 1, many.height + 1));
    CHECK_FALSE(cell_at(few, 399, 1));
}

TEST_CASE("neighbours of one look are one rectangle, and none goes over a row", "[fleet_model]") {
    feed::fleet_answer answer;
    answer.groups.push_back({"all", 10, 9, 1, {1, 1, 1, 4, 1, 1, 1, 1, 1, 1}});
    const fleet_placing placing =
        place_fleet({10}, {.width = 20, .height = 10, .block_least = 1, .gap = 0, .cell_least = 4});
    REQUIRE(placing.columns == 5);
    const auto runs = runs_of(answer, placing, false);
    REQUIRE(runs.size() == 4);
    CHECK(runs[0].width == 12);
    CHECK(runs[1].state == 4);
    CHECK(runs[3].y == 4);
    CHECK(runs[3].width == 20);
    CHECK(runs_of(answer, placing, true).size() == 10);
}

TEST_CASE("a level of the measure is read back as the least value that has it", "[fleet_model]") {
    for (unsigned level = 0; level < 32; ++level) {
        CHECK(feed::level_of(value_of_level(level)) == level);
    }
    CHECK(step_of_level(31, 31) == fleet_steps - 1);
    CHECK(step_of_level(0, 31) == 0);
    CHECK(step_of_level(7, 0) == 0);
}

TEST_CASE("no more cells are asked for than the map has places", "[fleet_model]") {
    CHECK(cells_to_ask(1'000, 600, 2) == 150'000);
    CHECK(cells_to_ask(10, 10, 5) == 100);
    CHECK(cells_to_ask(100'000, 100'000, 1) == 1'000'000);
}

namespace {

feed::message_step step(double at, std::optional<double> arrived, const char* from, const char* to,
                        const char* packet) {
    return {at, arrived, from, to, packet, false, false, false, {}};
}

}  // namespace

TEST_CASE("a journey has its publisher, the broker and the receivers from left to right",
          "[sequence]") {
    feed::message_answer of;
    of.message.publisher = "pub";
    of.message.deliveries = 3;
    of.deliveries.resize(3);
    of.deliveries[0].receiver = "pub";  // it hears itself
    of.deliveries[1].receiver = "sub";
    of.deliveries[2].receiver = "not drawn";
    of.steps.push_back(step(1.0, 1.02, "pub", "hub", "PUBLISH"));
    of.steps.push_back(step(1.02, 1.04, "hub", "pub", "PUBACK"));
    of.steps.push_back(step(1.02, 1.04, "hub", "pub", "PUBLISH"));
    of.steps.push_back(step(1.02, std::nullopt, "hub", "sub", "PUBLISH"));
    of.steps.back().lost = true;
    of.steps.push_back(step(1.04, 1.06, "pub", "hub", "PUBACK"));
    of.steps.push_back(step(9.0, 9.02, "hub", "sub", "PUBLISH"));
    of.steps.back().dup = true;
    const sequence laid = lay_out_sequence(of);
    CHECK(laid.columns == std::vector<std::string>{"pub", "hub", "pub", "sub"});
    CHECK(laid.deliveries_left_out == 1);
    REQUIRE(laid.lines.size() == 7);
    CHECK(laid.lines[1].to == 0);  // the broker's PUBACK goes to the publisher,
    CHECK(laid.lines[2].to == 2);  // its PUBLISH to the receiver of the same name
    CHECK(laid.lines[2].delivery == 0);
    CHECK_FALSE(laid.lines[1].delivery);
    CHECK(laid.lines[3].look == arrow_look::lost);
    CHECK(laid.lines[4].from == 2);
    CHECK(laid.lines[5].what == sequence_line::kind::gap);
    CHECK(laid.lines[5].words == "7.96 s later");
    CHECK(laid.lines[6].look == arrow_look::again);
    CHECK(laid.lines[6].words == "PUBLISH DUP");
    CHECK(laid.lines[6].delivery == 1);
    for (std::size_t i = 1; i < laid.lines.size(); ++i) {
        CHECK(laid.lines[i].y > laid.lines[i - 1].y);
        CHECK(laid.lines[i].y_end >= laid.lines[i].y);
    }
    // It arrives at the height of what the broker does then.
    CHECK(laid.lines[0].y_end == laid.lines[1].y);
}

TEST_CASE("a broker's note belongs to the delivery that it names", "[sequence]") {
    feed::message_answer of;
    of.deliveries.resize(2);
    of.deliveries[0].receiver = "lamp-1";
    of.deliveries[1].receiver = "lamp-10";
    of.steps.push_back(step(1, std::nullopt, "hub", "hub", ""));
    of.steps.back().text = "dropped for lamp-10: queue_full";
    of.steps.back().lost = true;
    const sequence laid = lay_out_sequence(of);
    REQUIRE(laid.lines.size() == 1);
    CHECK(laid.lines[0].what == sequence_line::kind::note);
    CHECK(laid.lines[0].delivery == 1);
    CHECK(laid.lines[0].is_bad);
}

TEST_CASE("the tree shows open levels below their topics", "[topic_tree]") {
    feed::topics_answer root;
    root.all = 3;
    root.rows.resize(2);
    root.rows[0].name = root.rows[0].level = "a";
    root.rows[0].children = 1;
    root.rows[1].name = root.rows[1].level = "b";
    feed::topics_answer below;
    below.all = 1;
    below.rows.resize(1);
    below.rows[0].name = "a/x";
    const auto level_of = [&](const topic_key& key) -> const feed::topics_answer* {
        return key.is_root ? &root : key.name == "a" ? &below : nullptr;
    };
    CHECK(topic_lines({}, level_of).size() == 3);
    const auto lines = topic_lines({"a"}, level_of);
    REQUIRE(lines.size() == 4);
    CHECK(lines[0].open);
    CHECK(lines[1].row->name == "a/x");
    CHECK(lines[1].depth == 1);
    CHECK(lines[3].left_out == 1);
    CHECK(filter_below(root.rows[0]) == "a/#");
    CHECK(filter_below(root.rows[1]) == "b");
}

TEST_CASE("a topic's rate is the difference of its counts over time", "[topic_tree]") {
    topic_rates rates;
    rates.take("a", 10, 100);
    CHECK_FALSE(rates.rate("a"));
    rates.take("a", 12, 120);
    CHECK(rates.rate("a") == 10);
    rates.take("a", 12, 120);  // the same answer once more
    CHECK(rates.line("a").size() == 1);
    rates.take("a", 5, 50);  // the past is another story
    CHECK_FALSE(rates.rate("a"));
    for (int i = 0; i < 200; ++i) {
        rates.take("a", 20 + i, static_cast<std::uint64_t>(200 + i));
    }
    CHECK(rates.line("a").size() == topic_rates::values_max);
    for (std::size_t i = 0; i < topic_rates::topics_max + 10; ++i) {
        rates.take("t" + std::to_string(i), 1, 1);
    }
    CHECK(rates.size() == topic_rates::topics_max);
}

TEST_CASE("a device's connection is spans, of which what was before is told", "[device_model]") {
    feed::device_answer of;
    of.at = 20;
    const auto add = [&](double at, const char* what) {
        feed::event_row& event = of.events.emplace_back();
        event.at = at;
        event.what = what;
    };
    add(1, "published");
    add(4, "disconnected");
    add(9, "connected");
    add(10, "dropped");
    const device_lanes lanes = lanes_of(of);
    REQUIRE(lanes.connection.size() == 3);
    CHECK(lanes.connection[0].connected);
    CHECK(lanes.connection[1].from == 4);
    CHECK_FALSE(lanes.connection[1].connected);
    CHECK(lanes.connection[2].connected);
    CHECK(lanes.connection[2].until == 20);
    const auto& losses = lanes.marks[static_cast<std::size_t>(device_lane::losses)];
    REQUIRE(losses.size() == 1);
    CHECK(nearest_event(losses, 10.4, 0.5) == 3);
    CHECK_FALSE(nearest_event(losses, 11, 0.5));
    CHECK(completeness_words(of, 1'000).find("others were not kept") != std::string::npos);
    of.events_complete = true;
    CHECK(completeness_words(of, 1'000) == "all 4 events are here");
    CHECK(completeness_words(of, 4).starts_with("the newest 4 events"));
}
