#include "load_run.hpp"

#include <fmt/format.h>

#include <functional>
#include <string_view>

namespace fleetarium::cli::load {

namespace {

constexpr std::uint32_t handshakes_max = 64;
constexpr std::uint16_t keep_alive_s = 600;

/// Connections that do no more than connect, and subscribe if they have a filter.
class connections : private hub_handler {
public:
    connections(const endpoint& broker, const manner& how) : hub_(broker), how_(how) {}

    /// Opens connections one after another, `at_a_time` of them at once, until `end_ns`; each
    /// leaves as soon as it is accepted, and makes room when the broker has closed it. Returns how
    /// many have come and gone.
    std::uint64_t come_and_go(std::uint32_t at_a_time, std::int64_t end_ns);

    enum class staying { without_subscription, with_subscription };

    /// Opens `count` that stay, as soon as the broker accepts them; none is open before.
    void stay(std::uint32_t count, staying how);

    /// Ends all that are open.
    void leave();

private:
    std::size_t handle_bytes(peer_index from, const std::uint8_t* data, std::size_t size) override;
    void handle_closed(peer_index which) override;
    void open(peer_index which);
    void poll_while(const std::function<bool()>& waiting, std::string_view what);

    hub hub_;
    const manner& how_;
    bool staying_ = false;
    bool subscribing_ = false;
    bool leaving_ = false;
    std::uint32_t number_ = 0;   ///< of the next client
    std::uint32_t settled_ = 0;  ///< those that stay and have all they asked for
    std::uint64_t gone_ = 0;
    std::vector<peer_index> free_;
    std::vector<std::uint8_t> accepted_;  ///< by peer: CONNACK has come
};

void connections::open(peer_index which) {
    hub_.open(which);
    if (which >= accepted_.size()) {
        accepted_.resize(std::size_t{which} + 1);
    }
    accepted_[which] = 0;
    append_connect(hub_.output(which), how_.version, fmt::format("load-{:07}", number_++),
                   keep_alive_s);
    hub_.flush(which);
}

std::size_t connections::handle_bytes(peer_index from, const std::uint8_t* data, std::size_t size) {
    const std::uint8_t* at = data;
    for (raw_frame in; take_frame(at, data + size, in);) {
        if (in.type() == packet_type::suback && subscribing_) {
            read_suback(in, how_.version, qos::at_most_once);
            ++settled_;
            continue;
        }
        read_connack(in, how_.version);
        accepted_[from] = 1;
        if (staying_ && !subscribing_) {
            ++settled_;
        } else if (staying_) {
            const std::string filter = fmt::format("devices/{:07}/command", from);
            append_subscribe(hub_.output(from), how_.version, 1, {&filter, 1}, qos::at_most_once);
        } else {
            append_disconnect(hub_.output(from));
        }
    }
    return static_cast<std::size_t>(at - data);
}

void connections::handle_closed(peer_index which) {
    if (staying_ && !leaving_) {
        throw load_error("the broker closed a connection that was to stay");
    }
    if (accepted_[which] == 0) {
        throw load_error("the broker closed a connection without CONNACK");
    }
    ++gone_;
    free_.push_back(which);
}

void connections::poll_while(const std::function<bool()>& waiting, std::string_view what) {
    std::int64_t last_progress = now_ns();
    while (waiting()) {
        if (hub_.poll(100, *this)) {
            last_progress = now_ns();
        } else if (static_cast<double>(now_ns() - last_progress) * 1e-9 > how_.patience_seconds) {
            throw load_error(fmt::format("the broker keeps the load waiting for {}", what));
        }
    }
}

std::uint64_t connections::come_and_go(std::uint32_t at_a_time, std::int64_t end_ns) {
    gone_ = 0;
    staying_ = false;
    subscribing_ = false;
    free_.clear();
    for (peer_index each = 0; each < at_a_time; ++each) {
        free_.push_back(each);
    }
    bool running = true;
    poll_while(
        [&] {
            running = running && now_ns() < end_ns;
            while (running && !free_.empty()) {
                const peer_index next = free_.back();
                free_.pop_back();
                open(next);
            }
            return hub_.open_count() != 0;
        },
        "CONNACK, or the end of a connection after DISCONNECT");
    return gone_;
}

void connections::stay(std::uint32_t count, staying how) {
    staying_ = true;
    subscribing_ = how == staying::with_subscription;
    leaving_ = false;
    settled_ = 0;
    std::uint32_t opened = 0;
    poll_while(
        [&] {
            while (opened < count && opened - settled_ < handshakes_max) {
                open(opened++);
            }
            return settled_ < count;
        },
        "CONNACK or SUBACK");
}

void connections::leave() {
    leaving_ = true;
    for (peer_index each = 0; hub_.open_count() != 0 && each < number_; ++each) {
        if (hub_.is_open(each)) {
            append_disconnect(hub_.output(each));
            hub_.flush(each);
        }
    }
    poll_while([&] { return hub_.open_count() != 0; }, "the end of connections after DISCONNECT");
}

}  // namespace

outcome run_visits(std::uint32_t at_a_time, const endpoint& broker, const process_watch& process,
                   const manner& how) {
    const auto after = [](double seconds) {
        return now_ns() + static_cast<std::int64_t>(seconds * 1e9);
    };
    connections visitors(broker, how);
    visitors.come_and_go(at_a_time, after(how.warm_up_seconds));
    outcome out;
    const double cpu_before = process.cpu_seconds();
    const std::int64_t wall_before = now_ns();
    out.count = visitors.come_and_go(at_a_time, after(how.seconds));
    out.cpu_seconds = process.cpu_seconds() - cpu_before;
    out.wall_seconds = static_cast<double>(now_ns() - wall_before) * 1e-9;
    out.checked = out.count;
    return out;
}

outcome run_storm(std::uint32_t connections_each, const endpoint& broker,
                  const process_watch& process, const manner& how) {
    connections storm(broker, how);
    outcome out;
    for (bool warm = false; out.wall_seconds < how.seconds; warm = true) {
        const double cpu_before = process.cpu_seconds();
        const std::int64_t wall_before = now_ns();
        storm.stay(connections_each, connections::staying::without_subscription);
        if (warm) {
            out.cpu_seconds += process.cpu_seconds() - cpu_before;
            out.wall_seconds += static_cast<double>(now_ns() - wall_before) * 1e-9;
            out.count += connections_each;
        }
        storm.leave();
    }
    out.checked = out.count;
    return out;
}

double run_idle(std::uint32_t connections_wanted, const endpoint& broker,
                const process_watch& process, const manner& how) {
    // What a broker takes once, for its first connections and messages, belongs to none of them.
    constexpr std::uint32_t first_ones = 64;
    {
        connections first(broker, how);
        first.stay(first_ones, connections::staying::with_subscription);
        first.leave();
    }
    connections idle(broker, how);
    const std::uint64_t before = process.resident_bytes();
    idle.stay(connections_wanted, connections::staying::with_subscription);
    const std::uint64_t after = process.resident_bytes();
    idle.leave();
    return (static_cast<double>(after) - static_cast<double>(before)) / connections_wanted;
}

}  // namespace fleetarium::cli::load
