#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/session/message.hpp>

#include <cstdint>
#include <span>

namespace fleetarium::sim {

/// A link of a world as one sees it who listens: a client, a broker, and the how-manieth of the
/// client's links it is.
struct tapped_link {
    std::uint32_t client = 0;  ///< number of the host
    std::uint32_t broker = 0;  ///< number of the host
    std::uint32_t number = 0;  ///< of the client's links; grows, not by one each time

    friend auto operator<=>(const tapped_link&, const tapped_link&) = default;
};

/// Sees everything that arrives on the links of a world, in its order. It changes nothing.
class link_tap {
public:
    virtual ~link_tap() = default;

    /// The client asks for a link; the broker has it, and the client knows.
    virtual void on_open(const tapped_link& which, instant at) = 0;
    virtual void on_accept(const tapped_link& which, instant at) = 0;
    /// `up`: from the client. The view is valid during the call.
    virtual void on_bytes(const tapped_link& which, instant at, bool up, bytes_view bytes) = 0;
    /// Which messages are in the bytes that are told of next, in the order of their PUBLISHes;
    /// a packet may come to its end only in later bytes. `number` is sim::detail::message_number.
    virtual void on_messages(const tapped_link& which, bool up,
                             std::span<const message_identity> messages) {
        static_cast<void>(which);
        static_cast<void>(up);
        static_cast<void>(messages);
    }
    /// The end of the stream in order, or, if `broken`, of the link.
    virtual void on_end(const tapped_link& which, instant at, bool up, bool broken) = 0;
};

}  // namespace fleetarium::sim
