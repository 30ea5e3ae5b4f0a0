#include <fleetarium/core/assert.hpp>
#include <fleetarium/server/websocket_exchange.hpp>

#include <fuzz/drawn_bytes.hpp>
#include <support/websocket_frames.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// The server's side of a WebSocket: whatever the pieces that bytes come in, the messages are the
// same, and so is the end; what is said is well-formed and within bounds.

namespace {

using namespace fleetarium;
using namespace fleetarium::broker;

constexpr std::size_t message_bytes_max = 300;

struct outcome {
    std::vector<std::pair<websocket_kind, std::string>> messages;
    bool over = false;
    std::uint16_t code = 0;
    std::string reason;
    std::string last_pong;

    bool operator==(const outcome&) const = default;
};

outcome converse(bytes_view all, std::size_t piece) {
    static boost::asio::io_context context{1};
    websocket_limits limits;
    limits.message_bytes_max = message_bytes_max;
    limits.unsent_bytes_max = 4096;
    websocket_exchange exchange(context, "dGhlIHNhbXBsZSBub25jZQ==", "feed", limits);
    outcome out;
    std::string said;
    const auto take = [&] {
        exchange.poll_transmit().for_each_part([&](bytes_view part) { said += as_text(part); });
        while (auto message = exchange.poll_message()) {
            FLEETARIUM_ASSERT(message->payload.size() <= message_bytes_max);
            out.messages.emplace_back(message->kind, std::move(message->payload));
        }
        if (auto pong = exchange.poll_pong()) {
            FLEETARIUM_ASSERT(pong->size() <= 125);
            out.last_pong = *pong;
        }
    };
    take();
    FLEETARIUM_ASSERT(said.starts_with("HTTP/1.1 101 ") && said.ends_with("\r\n\r\n"));
    said.clear();
    while (!all.empty() && !exchange.is_over()) {
        const bytes_view cut = all.first(std::min(piece, all.size()));
        all = all.subspan(cut.size());
        const std::vector<std::uint8_t> held(cut.begin(), cut.end());
        exchange.handle_bytes(held);
        take();
    }
    out.over = exchange.is_over();
    if (out.over) {
        out.code = exchange.close_code();
        out.reason = exchange.close_reason();
    }
    // Throws at what is no frame.
    const auto frames = test::parse_frames(said);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        FLEETARIUM_ASSERT(frames[i].fin && !frames[i].masked);
        FLEETARIUM_ASSERT(frames[i].op != test::opcode::close || i + 1 == frames.size());
        FLEETARIUM_ASSERT(frames[i].op == test::opcode::close ||
                          frames[i].op == test::opcode::pong);
        FLEETARIUM_ASSERT(frames[i].payload.size() <= 125);
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    test::drawn_bytes drawn(data, size);
    const std::size_t piece = std::size_t{1} + drawn.below(64);
    const bytes_view all = drawn.rest();
    const outcome whole = converse(all, std::max<std::size_t>(all.size(), 1));
    const outcome pieces = converse(all, piece);
    FLEETARIUM_ASSERT(whole == pieces);
    return 0;
}
