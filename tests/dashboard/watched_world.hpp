#pragma once

#include "stage.hpp"

#include <fleetarium/dashboard/device_panel.hpp>
#include <fleetarium/dashboard/devices_panel.hpp>
#include <fleetarium/dashboard/fleet_panel.hpp>
#include <fleetarium/dashboard/layout.hpp>
#include <fleetarium/dashboard/message_panel.hpp>
#include <fleetarium/dashboard/messages_panel.hpp>
#include <fleetarium/dashboard/topics_panel.hpp>
#include <fleetarium/feed/world_source.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fleetarium::test {

/// A minute of two networks: meters with QoS 2, a plant with Sparkplug, lamps that sleep, a desk
/// that hears everything; links are cut, a part is cut off.
inline sim::scenario small_world() {
    auto read = sim::load_scenario(FLEETARIUM_SOURCE_DIR "/tests/dashboard/small_world.json");
    if (const auto* problems = std::get_if<std::vector<sim::problem>>(&read)) {
        throw std::runtime_error(sim::to_string(problems->front()));
    }
    return std::get<sim::scenario>(read);
}

/// The views of a world, in the frame of the application. The world stands still unless it is told
/// to run; it answers what was asked after each frame.
struct watched_world {
    explicit watched_world(int seconds = 45)
        : world(sim::world::from(small_world())), source(world, {.title = "small_world"}, {}) {
        world.run_until(instant{} + std::chrono::seconds(seconds));
        in.show = [this](std::string_view id) { frame.show(id); };
        in.notify = [this](std::string words) { frame.notify(std::move(words)); };
        add(fleet);
        add(devices);
        add(device);
        add(topics);
        add(messages);
        add(message);
    }

    void draw() {
        link.receive();
        in.now += 1.0 / 60;
        in.description.ask(link, {}, in.now, 0);
        frame.draw();
        link.serve(source);
    }

    sim::world world;
    feed::world_source source;
    feed::thread_link link{};
    dashboard::key_table keys{};
    dashboard::settings kept{""};
    dashboard::layout frame{keys, kept};
    dashboard::viewer_context in{link};
    dashboard::fleet_panel fleet{};
    dashboard::devices_panel devices{};
    dashboard::device_panel device{};
    dashboard::topics_panel topics{};
    dashboard::messages_panel messages{};
    dashboard::message_panel message{};

private:
    void add(dashboard::panel& of) {
        dashboard::view described = of.described();
        described.draw = [this, &of] { of.draw(in); };
        frame.add(std::move(described));
    }
};

/// The number of the newest message with a QoS 2 delivery that was sent more than once; else of the
/// newest at all.
inline std::uint64_t eventful_message(feed::source& of) {
    const feed::messages_answer all = of.messages({.limit = 1'000});
    for (const feed::message_row& row : all.rows) {
        if (row.resent > 0 && row.qos == 2) {
            return row.message;
        }
    }
    return all.rows.at(0).message;
}

}  // namespace fleetarium::test
