#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/wire_buffer.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <cstdint>
#include <memory>

namespace fleetarium::sim {

class virtual_broker;

namespace detail {
class stream_host;
}

/// Somebody who lives in a world's time without being a part of the world, such as clients of the
/// SDK (virtual_environment). See world::invite.
class guest {
public:
    /// Does what there is to do at the present instant and returns whether there was anything.
    /// Called before the world runs on, and after each event of a stream_peer; must not run the
    /// world. What is thrown leaves the world's run_for.
    virtual bool act() = 0;

protected:
    ~guest() = default;
};

/// A peer whose bytes are made and read by code outside of the world: a real connection, or a
/// client that is a guest. It has one link to a broker at a time, and one alarm clock.
///
/// Whatever it does enters the world as an event at the present instant, so a run with it repeats
/// to the bit if its outside does.
/// Thread rule: the world's.
class stream_peer {
public:
    /// Called from inside the world's run, when the event happens. Every member of the peer may
    /// be called from there.
    class events {
    public:
        virtual void on_opened() = 0;
        virtual void on_bytes(wire_buffer bytes) = 0;
        /// The broker closed the link, all of its bytes have come. Not told after `close`, `cut`.
        virtual void on_closed() = 0;
        /// The instant of `wake_at` has come.
        virtual void on_wake() = 0;

    protected:
        ~events() = default;
    };

    explicit stream_peer(std::unique_ptr<detail::stream_host> host);
    ~stream_peer();
    stream_peer(const stream_peer&) = delete;
    stream_peer& operator=(const stream_peer&) = delete;

    /// Whom to tell from now on; null: nobody, bytes that come are lost.
    void tell(events* to);

    /// Opens a link; one that was there is closed first.
    void open(virtual_broker& to);

    /// Sends bytes in one piece, as soon as the link is open. Without a link they are lost.
    void send(wire_buffer bytes);

    /// Takes nothing more for now: the broker's messages wait in the session, whose bounds hold;
    /// or takes on again. Without an open link nothing happens.
    void congest();
    void drain();

    /// Closes the link in order: what has been sent arrives before.
    void close();
    /// Breaks the link: what is under way is lost.
    void cut();

    bool has_link() const;
    bool is_open() const;

    /// Sets the alarm clock: on_wake at `due` or, if that is past, within the present instant.
    /// Instead of what was set before, if that is later; otherwise it changes nothing, and whoever
    /// is woken too early sets it anew.
    void wake_at(instant due);

    /// The network of links opened from now on.
    void use_network(const network_spec& spec);

    /// A number that depends on the world's seed, the peer's group and place in it, and how many
    /// were drawn before.
    std::uint64_t draw();

private:
    friend class world;
    std::unique_ptr<detail::stream_host> host_;
};

}  // namespace fleetarium::sim
