#include "ideal_relay.hpp"

#include "bench.hpp"

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/core/random.hpp>

#include <boost/unordered/unordered_flat_map.hpp>
#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::cli::bench {

namespace {

struct device_state {
    std::array<std::uint64_t, 128> words{};

    std::uint64_t touch() {
        std::uint64_t sum = 0;
        for (std::size_t line = 0; line < 4; ++line) {
            sum += ++words[line * 8];
        }
        return sum;
    }
};

struct topic_hash {
    using is_avalanching = void;
    std::size_t operator()(std::string_view text) const { return hash_text(text); }
};

publish decode_first(const wire_buffer& from) {
    bytes_view input = from.contiguous();
    frame in;
    split_frame(input, in);
    publish out;
    decode(in, protocol_version::v5, out);
    return out;
}

}  // namespace

double ideal_relay_rate(std::uint64_t devices, std::uint64_t messages) {
    std::vector<device_state> states(devices);
    std::vector<std::string> topics;
    boost::unordered_flat_map<std::string_view, std::uint32_t, topic_hash> receivers;
    topics.reserve(devices);
    for (std::uint64_t i = 0; i < devices; ++i) {
        topics.push_back(fmt::format("devices/{:07}/command", i));
        receivers.emplace(topics.back(), static_cast<std::uint32_t>(i));
    }
    const std::string payload(64, 'x');
    random_stream draws(1, devices, 0);
    std::uint64_t sum = 0;
    const double seconds = time_of([&] {
        for (std::uint64_t i = 0; i < messages; ++i) {
            sum += states[draws.below(devices)].touch();
            publish sent;
            sent.topic = topics[draws.below(devices)];
            sent.payload = as_bytes_view(payload);
            wire_buffer up;
            encode(sent, protocol_version::v5, up);
            const publish received = decode_first(up);
            device_state& receiver = states[receivers.find(received.topic)->second];
            wire_buffer down;
            encode(received, protocol_version::v5, down);
            sum += receiver.touch() + decode_first(down).payload.size();
        }
    });
    asm volatile("" : : "r"(sum));  // keeps the loop
    return static_cast<double>(messages) / seconds;
}

}  // namespace fleetarium::cli::bench
