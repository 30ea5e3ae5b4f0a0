#include <fleetarium/feed/recording_changes.hpp>

#include <fleetarium/feed/recording_tables.hpp>

#include <algorithm>

namespace fleetarium::feed {

namespace {

using kind = traffic_change::kind;
using recording::delivery_row;
using recording::message_row;
using recording::no_instant;
using recording::recorded_state;

/// Eight brokers are told apart in what is retained; others share the last bit.
constexpr std::int64_t retained_bits = 8;

void count(std::vector<traffic_change>& to, std::int64_t at, unsigned slot,
           std::int64_t amount = 1) {
    to.push_back({.at = at, .amount = amount, .slot = static_cast<std::uint16_t>(slot)});
}

void count_client(std::vector<traffic_change>& to, std::int64_t at, std::int64_t client,
                  client_counter what, std::int64_t amount) {
    if (client > 0) {
        to.push_back({.at = at,
                      .amount = amount,
                      .entity = static_cast<std::uint32_t>(client),
                      .slot = static_cast<std::uint16_t>(what),
                      .what = kind::client});
    }
}

}  // namespace

change_reader::change_reader(recording::database& in)
    : in_(in),
      messages_(in, 1, 0),
      deliveries_(in, 1, 0),
      one_message_(in, 1, 0),
      one_delivery_(in, 1, 0) {
    recorded::read_tells(in_, tells_);
}

bool change_reader::tells(std::int64_t client) {
    if (client > static_cast<std::int64_t>(tells_.size())) {
        recorded::read_tells(in_, tells_);  // it came while this was read
    }
    return client > 0 && client <= static_cast<std::int64_t>(tells_.size()) &&
           tells_[static_cast<std::size_t>(client) - 1];
}

void change_reader::read(std::int64_t first, std::int64_t last, bool growing, traffic_batch& to) {
    messages_.select(first, last);
    deliveries_.select(first, last);
    message_row message;
    delivery_row delivery;
    bool more = deliveries_.next(delivery);
    while (messages_.next(message)) {
        one_message of{message, static_cast<std::int64_t>(message.payload.size())};
        const std::size_t begin = to.changes.size();
        add_message(of, to);
        const std::size_t own = to.changes.size();
        std::int64_t found = 0;
        while (more && delivery.message() <= message.id) {
            if (delivery.message() == message.id) {
                add_delivery(of, delivery, to);
                ++found;
            }
            more = deliveries_.next(delivery);
        }
        if (growing) {
            pending_message rest{message.id, found < message.deliveries,
                                 message.qos != 0 && !message.copy && !message.refused &&
                                     message.acknowledged == no_instant &&
                                     tells(message.publisher)};
            if (rest.deliveries) {
                to.changes.resize(own);
                of.fates |= fate_under_way;
            }
            if (rest.deliveries || rest.acknowledgement) {
                to.pending.push_back(rest);
            }
        }
        to.messages.push_back({message.id, message.at, of.fates,
                               static_cast<std::uint32_t>(to.changes.size() - begin)});
    }
    // Statements that are not at their end would keep a view of the file open.
    messages_.select(1, 0);
    deliveries_.select(1, 0);
}

bool change_reader::read_rest(pending_message& of, traffic_batch& to) {
    one_message_.select(of.id, of.id);
    message_row message;
    if (!one_message_.next(message)) {
        return true;  // it was given up for space
    }
    one_message whole{message, static_cast<std::int64_t>(message.payload.size())};
    const std::size_t begin = to.changes.size();
    if (of.acknowledgement && message.acknowledged != no_instant) {
        add_acknowledgement(message, to);
        of.acknowledgement = false;
    }
    if (of.deliveries) {
        const std::size_t own = to.changes.size();
        std::int64_t found = 0;
        one_delivery_.select(of.id, of.id);
        delivery_row delivery;
        while (one_delivery_.next(delivery)) {
            add_delivery(whole, delivery, to);
            ++found;
        }
        of.deliveries = found < message.deliveries;
        if (of.deliveries) {
            to.changes.resize(own);
        }
    }
    if (to.changes.size() != begin) {
        to.messages.push_back({message.id, message.at, whole.fates,
                               static_cast<std::uint32_t>(to.changes.size() - begin)});
    }
    one_message_.select(1, 0);
    return !of.deliveries && !of.acknowledgement;
}

std::int64_t change_reader::read_resends(std::int64_t above, std::int64_t until, std::size_t limit,
                                         std::vector<traffic_change>& to) {
    std::int64_t last = above;
    std::size_t taken = 0;
    recorded::for_each_resend(in_, above, [&](const recorded::resend& each) {
        if (each.at > until || taken++ == limit) {
            return false;
        }
        last = each.id;
        if (each.delivery == 0) {
            count(to, each.at, counter::of(2, counter::copies));  // by publishers QoS 2 only
            return true;
        }
        one_delivery_.select_one(each.delivery);
        delivery_row delivery;
        std::uint8_t qos = 1;
        if (one_delivery_.next(delivery)) {
            qos = delivery.qos;
        } else {
            one_message_.select(each.message, each.message);
            message_row message;
            qos = one_message_.next(message) ? std::max<std::uint8_t>(message.qos, 1) : qos;
        }
        count(to, each.at, counter::of(qos, counter::resent));
        return true;
    });
    one_delivery_.select(1, 0);
    one_message_.select(1, 0);
    return last;
}

void change_reader::add_acknowledgement(const message_row& of, traffic_batch& to) {
    if (of.acknowledged != no_instant) {
        count(to.changes, of.acknowledged, counter::of(of.qos, counter::completed));
    }
}

void change_reader::add_message(one_message& of, traffic_batch& to) {
    const message_row& row = of.row;
    if (row.reason != 0) {
        count(to.changes, row.at, counter::reasons + row.reason);
        of.fates |= 1U << row.reason;
    }
    if (row.refused) {
        of.fates |= fate_refused;
        return;
    }
    if (row.deliveries > 0) {
        count(to.changes, row.at, counter::bytes_out, of.size * row.deliveries);
    }
    if (row.copy) {
        count(to.changes, row.at, counter::of(row.qos, counter::copies));
        return;
    }
    count(to.changes, row.at, counter::of(row.qos, counter::published));
    count(to.changes, row.at, counter::bytes_in, of.size);
    if (row.deliveries > 0) {
        count(to.changes, row.at, counter::of(row.qos, counter::routed));
    }
    add_acknowledgement(row, to);
    to.changes.push_back({.at = row.at,
                          .amount = of.size,
                          .message = row.id,
                          .entity = static_cast<std::uint32_t>(row.topic),
                          .what = kind::topic});
    if (row.retain && row.reason != static_cast<std::uint8_t>(broker::drop_reason::retained_full)) {
        to.changes.push_back({.at = row.at,
                              .amount = of.size == 0 ? 0 : 1,
                              .entity = static_cast<std::uint32_t>(row.topic),
                              .slot = static_cast<std::uint16_t>(
                                  1U << std::clamp<std::int64_t>(row.broker, 0, retained_bits - 1)),
                              .what = kind::retained});
    }
    count_client(to.changes, row.at, row.publisher, client_counter::published, 1);
}

void change_reader::add_delivery(one_message& of, const delivery_row& what, traffic_batch& to) {
    const message_row& message = of.row;
    std::vector<traffic_change>& out = to.changes;
    const auto in = [&](counter::funnel which) { return counter::of(what.qos, which); };
    count(out, what.made, in(counter::deliveries));
    const std::int64_t waited_until = what.sent != no_instant ? what.sent : what.ended;
    if (what.made != message.at || waited_until == what.made) {
        // Who looks for the client's messages finds this one where it is.
        count_client(out, message.at, what.receiver, client_counter::backlog, 0);
    }
    if (waited_until != what.made) {
        count(out, what.made, counter::queued);
        count_client(out, what.made, what.receiver, client_counter::backlog, 1);
        if (waited_until != no_instant) {
            count(out, waited_until, counter::queued, -1);
            count_client(out, waited_until, what.receiver, client_counter::backlog, -1);
        }
    }
    if (what.sent != no_instant) {
        count(out, what.sent, in(counter::sent));
        if (what.qos != 0 && what.ended != what.sent) {
            count(out, what.sent, counter::in_flight);
            if (what.ended != no_instant) {
                count(out, what.ended, counter::in_flight, -1);
            }
        }
    }
    const bool answered =
        what.state == recorded_state::delivered || what.state == recorded_state::rejected;
    std::int64_t delivered = what.received;
    if (delivered == no_instant &&
        (what.state == recorded_state::sent || (answered && !tells(what.receiver)))) {
        delivered = what.ended;
    }
    if (delivered != no_instant) {
        count(out, delivered, in(counter::delivered));
        count_client(out, delivered, what.receiver, client_counter::received, 1);
        if (message.published != no_instant && what.made == message.at) {
            count(out, delivered,
                  counter::latency + static_cast<unsigned>(latency_buckets::of(
                                         duration(delivered - message.published))));
        }
    }
    switch (what.state) {
        case recorded_state::delivered:
        case recorded_state::rejected:
            if (what.qos != 0) {
                count(out, what.ended, in(counter::acknowledged));
            }
            break;
        case recorded_state::dropped:
            count(out, what.ended, in(counter::dropped));
            count(out, what.ended, counter::reasons + what.reason);
            count_client(out, what.ended, what.receiver, client_counter::losses, 1);
            of.fates |= 1U << what.reason;
            break;
        case recorded_state::lost:
            count(out, what.ended, in(counter::lost));
            count_client(out, what.ended, what.receiver, client_counter::losses, 1);
            of.fates |= fate_lost;
            break;
        case recorded_state::queued:
        case recorded_state::in_flight: of.fates |= fate_under_way; break;
        case recorded_state::sent: break;
    }
}

}  // namespace fleetarium::feed
