#include "load_run.hpp"

#include <fleetarium/codec/topic.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace fleetarium::cli::load {

namespace {

constexpr std::uint32_t handshakes_max = 64;    ///< fewer than the shortest usual backlog
constexpr std::uint16_t keep_alive_s = 65'535;  ///< on, as usual, but no run is as long

/// One run. Peers 0 to P-1 are the publishers, the subscribers follow.
class message_run : private hub_handler {
public:
    message_run(const traffic& load, const endpoint& broker, const process_watch& process,
                const manner& how);
    outcome run();

private:
    struct sender {
        publish_template packet;
        std::uint32_t window = 0;
        std::uint32_t deliveries_each = 0;  ///< subscribers that match
        std::uint32_t completed = 0;        ///< messages that all of them have
        std::uint32_t received = 0;         ///< QoS 2: PUBRECs
        std::uint32_t acknowledged = 0;     ///< PUBACKs or PUBCOMPs
        bool wants_turn = false;
        std::vector<std::uint32_t> arrived_at{};  ///< ring by number: subscribers that have it
    };

    std::size_t handle_bytes(peer_index from, const std::uint8_t* data, std::size_t size) override;
    void handle_closed(peer_index which) override;

    void set_up();
    void handle_handshake(peer_index from, const raw_frame& in);
    void handle_at_publisher(peer_index from, const raw_frame& in);
    void handle_at_subscriber(peer_index from, const raw_frame& in);
    void handle_delivery(peer_index from, const raw_frame& in);
    void acknowledge(sender& at, peer_index index, std::uint32_t& count, std::uint16_t id);
    void complete(peer_index index, std::uint32_t sequence);

    std::uint32_t free_window(peer_index index) const;
    void publish(peer_index index, std::uint32_t count, std::int64_t due_ns);
    void give_turns();
    void talk_until(std::int64_t end_ns, std::uint64_t arrived_wanted);
    void talk_at_rate_until(std::int64_t end_ns);
    void drain();
    void fence();
    void farewell();
    bool owes() const;

    bool is_publisher(peer_index index) const { return index < publishers_.size(); }
    std::uint16_t packet_id_of(std::uint32_t sequence) const {
        return static_cast<std::uint16_t>(sequence % 65'535 + 1);
    }

    const traffic& load_;
    const process_watch& process_;
    const manner& how_;
    hub hub_;
    std::vector<sender> publishers_;
    std::vector<std::uint32_t> sent_;  ///< by publisher
    ledger ledger_;
    violations found_;
    std::vector<peer_index> turns_;
    peer_index peer_count_ = 0;
    std::uint32_t ready_ = 0;  ///< peers whose handshake is over
    std::vector<std::uint8_t> is_ready_;
    std::uint32_t fences_passed_ = 0;
    bool publishing_ = false;
    bool leaving_ = false;
    bool samples_latency_ = false;
    std::int64_t now_ns_ = 0;      ///< when the bytes in hand were read, if latency is sampled
    std::int64_t started_ns_ = 0;  ///< when the first message of a fixed rate is due
    std::uint64_t due_ = 0;        ///< messages of a fixed rate sent so far
    std::uint64_t heard_ = 0;      ///< packets that came: progress
    std::vector<std::int64_t> latencies_;
};

message_run::message_run(const traffic& load, const endpoint& broker, const process_watch& process,
                         const manner& how)
    : load_(load),
      process_(process),
      how_(how),
      hub_(broker),
      sent_(load.topics.size()),
      ledger_(static_cast<std::uint32_t>(load.topics.size()),
              static_cast<std::uint32_t>(load.filters.size()),
              [&load](std::uint32_t subscriber, std::uint32_t publisher) {
                  const auto& filters = load.filters[subscriber];
                  return std::any_of(filters.begin(), filters.end(), [&](const auto& filter) {
                      return topic_matches(filter, load.topics[publisher]);
                  });
              }),
      peer_count_(static_cast<peer_index>(load.topics.size() + load.filters.size())),
      is_ready_(peer_count_) {
    for (std::uint32_t i = 0; i < load.topics.size(); ++i) {
        sender made{publish_template(how.version, load.topics[i], load.qos, load.payload_size)};
        made.window = load.window;
        made.deliveries_each = static_cast<std::uint32_t>(
            std::count_if(load.filters.begin(), load.filters.end(), [&](const auto& filters) {
                return std::any_of(filters.begin(), filters.end(), [&](const auto& filter) {
                    return topic_matches(filter, load.topics[i]);
                });
            }));
        if (made.deliveries_each == 0) {
            throw load_error(fmt::format("nobody subscribes to {}", load.topics[i]));
        }
        // At a fixed rate, room for all that a broker that is not lost may be behind.
        made.arrived_at.resize(load.rate > 0 ? 65'536 : std::bit_ceil(std::size_t{load.window}));
        publishers_.push_back(std::move(made));
    }
}

void message_run::set_up() {
    peer_index opened = 0;
    std::int64_t last_progress = now_ns();
    std::uint32_t ready_before = 0;
    while (ready_ < peer_count_) {
        while (opened < peer_count_ && opened - ready_ < handshakes_max) {
            hub_.open(opened);
            append_connect(hub_.output(opened), how_.version, fmt::format("load-{:05}", opened),
                           keep_alive_s);
            hub_.flush(opened);
            ++opened;
        }
        hub_.poll(100, *this);
        const std::int64_t now = now_ns();
        if (ready_ != ready_before) {
            ready_before = ready_;
            last_progress = now;
        } else if (static_cast<double>(now - last_progress) * 1e-9 > how_.patience_seconds) {
            throw load_error(fmt::format("{} of {} connections wait in vain for CONNACK or SUBACK",
                                         opened - ready_, peer_count_));
        }
    }
}

std::size_t message_run::handle_bytes(peer_index from, const std::uint8_t* data, std::size_t size) {
    if (samples_latency_) {
        now_ns_ = now_ns();
    }
    const std::uint8_t* at = data;
    const std::uint8_t* const end = data + size;
    for (raw_frame in; take_frame(at, end, in);) {
        ++heard_;
        if (is_ready_[from] == 0) {
            handle_handshake(from, in);
        } else if (is_publisher(from)) {
            handle_at_publisher(from, in);
        } else {
            handle_at_subscriber(from, in);
        }
    }
    return static_cast<std::size_t>(at - data);
}

void message_run::handle_closed(peer_index which) {
    if (!leaving_) {
        throw load_error(fmt::format("the broker closed the connection of {} load-{:05}",
                                     is_publisher(which) ? "publisher" : "subscriber", which));
    }
}

void message_run::handle_handshake(peer_index from, const raw_frame& in) {
    if (in.type() == packet_type::connack) {
        const accepted granted = read_connack(in, how_.version);
        if (!is_publisher(from)) {
            append_subscribe(hub_.output(from), how_.version, 1,
                             load_.filters[from - publishers_.size()], load_.qos);
            return;
        }
        sender& here = publishers_[from];
        if (load_.qos != qos::at_most_once) {
            here.window = std::min<std::uint32_t>(here.window, granted.receive_maximum);
        }
    } else {
        read_suback(in, how_.version, load_.qos);
    }
    is_ready_[from] = 1;
    ++ready_;
}

void message_run::acknowledge(sender& at, peer_index index, std::uint32_t& count,
                              std::uint16_t id) {
    // A broker answers in the order in which it was asked.
    if (count == sent_[index] || id != packet_id_of(count)) {
        ++found_.misacknowledged;
    }
    ++count;
    if (&count == &at.acknowledged && !at.wants_turn) {
        at.wants_turn = true;
        turns_.push_back(index);
    }
}

void message_run::handle_at_publisher(peer_index from, const raw_frame& in) {
    sender& here = publishers_[from];
    const packet_type type = in.type();
    if (type == packet_type::puback && load_.qos == qos::at_least_once) {
        acknowledge(here, from, here.acknowledged, read_acknowledgement(in));
    } else if (type == packet_type::pubrec && load_.qos == qos::exactly_once) {
        const std::uint16_t id = read_acknowledgement(in);
        acknowledge(here, from, here.received, id);
        append_acknowledgement(hub_.output(from), packet_type::pubrel, id);
    } else if (type == packet_type::pubcomp && load_.qos == qos::exactly_once) {
        acknowledge(here, from, here.acknowledged, read_acknowledgement(in));
    } else {
        throw load_error(fmt::format("the broker sent {} to a publisher", load::name_of(in)));
    }
}

void message_run::handle_at_subscriber(peer_index from, const raw_frame& in) {
    switch (in.type()) {
        case packet_type::publish: handle_delivery(from, in); return;
        case packet_type::pubrel:
            append_acknowledgement(hub_.output(from), packet_type::pubcomp,
                                   read_acknowledgement(in));
            return;
        case packet_type::pingresp: ++fences_passed_; return;
        default:
            throw load_error(fmt::format("the broker sent {} to a subscriber", load::name_of(in)));
    }
}

void message_run::handle_delivery(peer_index from, const raw_frame& in) {
    const raw_publish message = read_publish(in, how_.version);
    if (message.qos == 1) {
        append_acknowledgement(hub_.output(from), packet_type::puback, message.packet_id);
    } else if (message.qos == 2) {
        append_acknowledgement(hub_.output(from), packet_type::pubrec, message.packet_id);
    }
    const std::uint32_t publisher = message.mark.publisher;
    if (publisher >= publishers_.size() || message.mark.sequence >= sent_[publisher] ||
        message.topic != load_.topics[publisher] || message.payload_size != load_.payload_size ||
        message.qos != static_cast<unsigned>(load_.qos)) {
        ledger_.take_altered();
        return;
    }
    if (samples_latency_) {
        latencies_.push_back(now_ns_ - message.mark.due_ns);
    }
    const auto subscriber = static_cast<std::uint32_t>(from - publishers_.size());
    if (ledger_.take(subscriber, publisher, message.mark.sequence)) {
        complete(publisher, message.mark.sequence);
    }
}

void message_run::complete(peer_index index, std::uint32_t sequence) {
    sender& from = publishers_[index];
    if (from.deliveries_each > 1) {
        std::uint32_t& arrived = from.arrived_at[sequence & (from.arrived_at.size() - 1)];
        if (++arrived != from.deliveries_each) {
            return;
        }
        arrived = 0;
    }
    ++from.completed;
    if (!from.wants_turn) {
        from.wants_turn = true;
        turns_.push_back(index);
    }
}

std::uint32_t message_run::free_window(peer_index index) const {
    const sender& from = publishers_[index];
    const std::uint32_t done = load_.qos == qos::at_most_once
                                   ? from.completed
                                   : std::min(from.completed, from.acknowledged);
    return from.window - std::min(from.window, sent_[index] - done);
}

void message_run::publish(peer_index index, std::uint32_t count, std::int64_t due_ns) {
    const sender& from = publishers_[index];
    byte_queue& out = hub_.output(index);
    const std::size_t size = from.packet.size();
    std::uint8_t* at = out.prepare(size * count);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t sequence = sent_[index]++;
        from.packet.write(at, packet_id_of(sequence), {index, sequence, due_ns});
        at += size;
    }
    out.commit(size * count);
    hub_.flush(index);
}

void message_run::give_turns() {
    for (const peer_index index : turns_) {
        publishers_[index].wants_turn = false;
        // Half of the window at once, so that messages come in numbers as they would from a busy
        // client, and never one by one because the generator is fast.
        const std::uint32_t room = free_window(index);
        if (publishing_ && room >= std::max(1u, publishers_[index].window / 2)) {
            publish(index, room, 0);
        }
    }
    turns_.clear();
}

/// Until then, and until so many deliveries have come, but not for ever: a broker may take in all
/// that is under way before it gives any of it out, and is measured over several such turns.
void message_run::talk_until(std::int64_t end_ns, std::uint64_t arrived_wanted) {
    const std::int64_t begin = now_ns();
    const std::int64_t end_at_last_ns = begin + 6 * (end_ns - begin);
    std::int64_t last_progress = begin;
    std::uint64_t heard_before = heard_;
    for (std::int64_t now = begin;
         now < end_ns || (now < end_at_last_ns && ledger_.arrived() < arrived_wanted);
         now = now_ns()) {
        hub_.poll(10, *this);
        give_turns();
        if (heard_ != heard_before) {
            heard_before = heard_;
            last_progress = now;
        } else if (static_cast<double>(now - last_progress) * 1e-9 > how_.patience_seconds) {
            return;  // drain() finds what is owed
        }
    }
}

/// Never waits: a message is sent when it is due, and what comes is seen when it comes.
void message_run::talk_at_rate_until(std::int64_t end_ns) {
    const double interval = 1e9 / load_.rate;
    for (std::int64_t now = now_ns(); now < end_ns; now = now_ns()) {
        for (;;) {
            const std::int64_t due =
                started_ns_ + static_cast<std::int64_t>(static_cast<double>(due_) * interval);
            if (due > now) {
                break;
            }
            publish(static_cast<peer_index>(due_ % publishers_.size()), 1, due);
            ++due_;
        }
        hub_.poll(0, *this);
        give_turns();
    }
}

bool message_run::owes() const {
    for (std::size_t i = 0; i < publishers_.size(); ++i) {
        const sender& each = publishers_[i];
        if (each.completed != sent_[i] ||
            (load_.qos != qos::at_most_once && each.acknowledged != sent_[i])) {
            return true;
        }
    }
    return false;
}

void message_run::drain() {
    std::int64_t last_progress = now_ns();
    std::uint64_t heard_before = heard_;
    while (owes()) {
        hub_.poll(100, *this);
        give_turns();
        const std::int64_t now = now_ns();
        if (heard_ != heard_before) {
            heard_before = heard_;
            last_progress = now;
        } else if (static_cast<double>(now - last_progress) * 1e-9 > how_.patience_seconds) {
            found_.stalled = true;
            return;
        }
    }
}

/// A copy too many would come before the answer to a ping.
void message_run::fence() {
    const auto subscribers = static_cast<std::uint32_t>(load_.filters.size());
    for (std::uint32_t i = 0; i < subscribers; ++i) {
        const auto index = static_cast<peer_index>(publishers_.size() + i);
        append_ping(hub_.output(index));
        hub_.flush(index);
    }
    const std::int64_t begin = now_ns();
    while (fences_passed_ < subscribers) {
        hub_.poll(100, *this);
        if (static_cast<double>(now_ns() - begin) * 1e-9 > how_.patience_seconds) {
            found_.stalled = true;
            return;
        }
    }
}

void message_run::farewell() {
    leaving_ = true;
    for (peer_index each = 0; each < peer_count_; ++each) {
        if (hub_.is_open(each)) {
            append_disconnect(hub_.output(each));
            hub_.flush(each);
        }
    }
    const std::int64_t begin = now_ns();
    while (hub_.open_count() != 0 && now_ns() - begin < 2'000'000'000) {
        hub_.poll(100, *this);
    }
}

outcome message_run::run() {
    set_up();
    const bool at_rate = load_.rate > 0;
    std::uint64_t under_way = 0;  // deliveries of all windows together
    for (const sender& each : publishers_) {
        under_way += std::uint64_t{each.window} * each.deliveries_each;
    }
    const auto talk = [&](double seconds, unsigned turns) {
        const std::int64_t end = now_ns() + static_cast<std::int64_t>(seconds * 1e9);
        if (at_rate) {
            talk_at_rate_until(end);
        } else {
            talk_until(end, ledger_.arrived() + turns * under_way);
        }
    };
    publishing_ = true;
    started_ns_ = now_ns();
    if (!at_rate) {
        for (peer_index each = 0; each < publishers_.size(); ++each) {
            publish(each, free_window(each), 0);
        }
    }
    talk(how_.warm_up_seconds, 1);

    outcome out;
    if (at_rate) {
        samples_latency_ = true;
        now_ns_ = now_ns();
        latencies_.reserve(static_cast<std::size_t>(load_.rate * how_.seconds * 1.5));
    }
    const std::uint64_t count_before = ledger_.arrived();
    const double cpu_before = process_.cpu_seconds();
    const std::int64_t wall_before = now_ns();
    talk(how_.seconds, 4);
    out.cpu_seconds = process_.cpu_seconds() - cpu_before;
    out.wall_seconds = static_cast<double>(now_ns() - wall_before) * 1e-9;
    out.count = ledger_.arrived() - count_before;

    publishing_ = false;
    drain();
    samples_latency_ = false;
    fence();
    farewell();
    out.checked = ledger_.arrived();
    out.latencies_ns = std::move(latencies_);
    out.found = ledger_.close(sent_);
    out.found.add(found_);
    return out;
}

}  // namespace

outcome run_messages(const traffic& load, const endpoint& broker, const process_watch& process,
                     const manner& how) {
    return message_run(load, broker, process, how).run();
}

}  // namespace fleetarium::cli::load
