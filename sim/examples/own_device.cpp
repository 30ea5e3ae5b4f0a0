// A device behaviour of one's own, as a coroutine: it sleeps, measures, reports, and heeds orders.
// Two hundred of them live a day in a world.

#include <fleetarium/client/client.hpp>
#include <fleetarium/live/virtual_environment.hpp>
#include <fleetarium/sim/world.hpp>

#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace std::chrono_literals;

void rethrow(std::exception_ptr failure) {
    if (failure) {
        std::rethrow_exception(failure);
    }
}

boost::asio::awaitable<void> heed_orders(client& device, duration& pause) {
    auto orders = co_await device.async_subscribe("pumps/pause", qos::at_least_once);
    for (;;) {
        const received_message order = co_await orders.async_receive();
        pause = std::chrono::minutes(std::stoi(std::string(order.text())));
    }
}

boost::asio::awaitable<void> pump(client& device, std::string name) {
    co_await device.async_connect();
    duration pause = 10min;
    boost::asio::co_spawn(device.get_executor(), heed_orders(device, pause),
                          rethrow);
    for (int strokes = 0;; strokes += 50) {
        co_await device.async_publish("pumps/" + name + "/strokes", std::to_string(strokes),
                                      qos::at_least_once);
        co_await device.async_wait_for(pause);
    }
}

int main() {
    sim::world world({.seed = 7});
    auto& broker = world.add_broker({.name = "cloud"});
    sim::virtual_environment here(world);
    std::vector<std::unique_ptr<client>> pumps;
    for (int i = 0; i < 200; ++i) {
        const std::string name = "pump-" + std::to_string(i);
        pumps.push_back(std::make_unique<client>(here, client_config("mqtt://cloud").id(name)));
        boost::asio::co_spawn(here.executor(), pump(*pumps.back(), name), rethrow);
    }
    world.run_for(12h);
    if (!broker.publish("pumps/pause", "60", qos::at_least_once)) {
        return 1;
    }
    world.run_for(12h);
    std::cout << broker.metrics().publish_received[1] << " reports in a day, trace hash "
              << std::hex << world.trace_hash() << '\n';
}
