#include <fleetarium/sim/client_host.hpp>

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/session/message.hpp>
#include <fleetarium/sim/broker_host.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace fleetarium::sim::detail {

namespace {

std::vector<std::uint8_t> bytes_of(const wire_buffer& buffer) {
    std::vector<std::uint8_t> out;
    buffer.for_each_part([&](bytes_view part) { out.insert(out.end(), part.begin(), part.end()); });
    return out;
}

/// A packet that owns its bytes: encoded, and read again.
template <class Packet>
struct owned_packet {
    owned_packet(const Packet& copied, protocol_version version) {
        wire_buffer encoded;
        encode(copied, version, encoded);
        bytes = bytes_of(encoded);
        bytes_view rest = bytes;
        frame in;
        valid = split_frame(rest, in).complete && decode(in, version, value) == violation::none;
    }
    std::vector<std::uint8_t> bytes;
    Packet value;
    bool valid = false;
};

std::optional<std::string> text_of(const std::optional<std::string_view>& text) {
    return text ? std::optional<std::string>(*text) : std::nullopt;
}

}  // namespace

// owned_connect

owned_connect::owned_connect(const fleetarium::connect& copied) : value_(copied) {
    const auto keep_optional = [&](auto& field) {
        if (field) {
            field = keep(*field);
        }
    };
    value_.client_id = keep(copied.client_id);
    keep_optional(value_.user_name);
    keep_optional(value_.password);
    keep_optional(value_.authentication_method);
    keep_optional(value_.authentication_data);
    value_.user_properties = keep(copied.user_properties);
    if (value_.will) {
        will& last = *value_.will;
        last.topic = keep(last.topic);
        last.payload = keep(last.payload);
        keep_optional(last.content_type);
        keep_optional(last.response_topic);
        keep_optional(last.correlation_data);
        last.user_properties = keep(last.user_properties);
    }
}

std::string_view owned_connect::keep(std::string_view text) { return texts_.emplace_back(text); }

fleetarium::user_properties owned_connect::keep(const fleetarium::user_properties& pairs) {
    std::vector<user_property>& kept = pairs_.emplace_back();
    pairs.for_each([&](const user_property& each) {
        kept.emplace_back(keep(each.first), keep(each.second));
    });
    return fleetarium::user_properties(kept);
}

// Verbs

client_host::client_host(world_state& world, std::string_view id)
    : peer_host(world, std::string(id)), session_(options_) {
    session_.log_sent_to(&world.sent_log);
}

client_host::~client_host() {
    if (identities_ != nullptr) {
        segment::destroy(identities_);
    }
}

result<void> client_host::connect(host_id broker, const fleetarium::connect& request) {
    if (has_link()) {
        return error::already_connected;
    }
    request_.emplace(request);
    received_bytes.clear();
    open_link(broker);
    return {};
}

result<void> client_host::reconnect() {
    if (has_link()) {
        return error::already_connected;
    }
    if (!request_) {
        return error::not_connected;
    }
    request_->value().clean_start = false;
    received_bytes.clear();
    open_link(path_.broker);
    return {};
}

result<void> client_host::disconnect(const fleetarium::disconnect& farewell) {
    const auto done = session_.disconnect(farewell, world_.now);
    if (world_.book != nullptr && !done.has_error()) {
        world_.book->farewell_sent(id_, broker_index(), link_.connection, farewell);
    }
    flush();
    return done;
}

void client_host::close() {
    if (has_link()) {
        end_link(event_kind::close);
        link_ended();
    }
}

void client_host::cut() {
    if (has_link()) {
        cut_link();
        link_ended();
    }
}

std::uint64_t client_host::next_number(enum qos qos) {
    return message_number::make(qos, source_, id_, ++count_);
}

result<std::uint64_t> client_host::publish(const fleetarium::publish& message) {
    const std::uint64_t number = next_number(message.qos);
    world_.accounts.publisher(source_, message.topic,
                              [](publisher_counts& counts) { ++counts.published; });
    if (message.qos == qos::at_most_once && is_connecting()) {
        const message_ptr held = message::make(message, {{number, world_.now}, 0, never});
        const auto expiry = message.message_expiry_interval;
        waiting_.push_back([this, held, expiry, number] {
            fleetarium::publish later = held->to_publish(world_.now);
            later.message_expiry_interval = expiry;
            const auto sent = publish_now(later, number);
            if (sent.has_error()) {
                note({.what = client_note::kind::failed, .number = number, .error = sent.error()});
            }
        });
        return number;
    }
    const auto sent = publish_now(message, number);
    flush();
    return sent;
}

result<std::uint64_t> client_host::publish_now(const fleetarium::publish& message,
                                               std::uint64_t number) {
    const auto sent = session_.publish(message, world_.now, number);
    if (sent.has_error()) {
        world_.accounts.publisher(source_, message.topic, [&](publisher_counts& counts) {
            ++(sent.error() == error::not_connected ? counts.lost_offline
               : sent.error() == error::queue_full  ? counts.queue_full
                                                    : counts.rejected);
        });
        return sent.error();
    }
    note_dropped();
    return number;
}

result<std::uint16_t> client_host::subscribe(const fleetarium::subscribe& request) {
    if (is_connecting()) {
        fleetarium::subscribe numbered = request;
        numbered.packet_id = 1;  // one is needed to encode it
        const protocol_version version = request_->value().version;
        const auto kept = std::make_shared<owned_packet<fleetarium::subscribe>>(numbered, version);
        if (!kept->valid) {
            return error::invalid_topic_filter;
        }
        waiting_.push_back([this, kept] {
            const auto sent = session_.subscribe(kept->value, world_.now);
            if (sent.has_error()) {
                note({.what = client_note::kind::failed, .error = sent.error()});
            }
        });
        return std::uint16_t{0};
    }
    const auto sent = session_.subscribe(request, world_.now);
    flush();
    return sent;
}

result<std::uint16_t> client_host::unsubscribe(const fleetarium::unsubscribe& request) {
    if (is_connecting()) {
        fleetarium::unsubscribe numbered = request;
        numbered.packet_id = 1;
        const protocol_version version = request_->value().version;
        const auto kept =
            std::make_shared<owned_packet<fleetarium::unsubscribe>>(numbered, version);
        if (!kept->valid) {
            return error::invalid_topic_filter;
        }
        waiting_.push_back([this, kept] {
            const auto sent = session_.unsubscribe(kept->value, world_.now);
            if (sent.has_error()) {
                note({.what = client_note::kind::failed, .error = sent.error()});
            }
        });
        return std::uint16_t{0};
    }
    const auto sent = session_.unsubscribe(request, world_.now);
    flush();
    return sent;
}

result<void> client_host::ping() {
    const auto sent = session_.ping(world_.now);
    flush();
    return sent;
}

result<void> client_host::authenticate(const auth& exchange) {
    const auto sent = session_.authenticate(exchange, world_.now);
    flush();
    return sent;
}

// Events

void client_host::handle(const event& what) {
    if (!is_present(what, session_.version())) {
        return;
    }
    if (what.kind() == event_kind::wake) {
        if (what.time != armed_) {
            return;  // superseded
        }
        armed_ = never;
        link_.chain.absorb(event_word(what, 0));
        client_event learned = session_.handle_timeout(world_.now);
        handle_event(learned);
        flush();
        return;
    }
    receive(what);
    flush();
}

void client_host::receive(const event& what) {
    if (what.kind() == event_kind::opened) {
        link_.chain.absorb(event_word(what, what.origin));
        link_.connection = static_cast<std::uint32_t>(what.payload);
        link_.set_phase(link_end::phase::open);
        note({.what = client_note::kind::opened});
        const auto sent = session_.connect(request_->value(), world_.now);
        if (sent.has_error()) {
            note({.what = client_note::kind::failed, .error = sent.error()});
            close();
        }
        return;
    }
    if (what.kind() == event_kind::close || what.kind() == event_kind::cut) {
        link_.chain.absorb(event_word(what, what.origin));
        link_.set_phase(link_end::phase::idle);
        link_.generation = (link_.generation + 1) & link_mask;
        link_ended();
        return;
    }
    wire_buffer bytes;
    if (what.kind() == event_kind::messages) {
        auto* const arrived = reinterpret_cast<segment*>(what.payload);
        bytes = std::move(arrived->bytes);
        for (const message_identity& each : arrived->rest()) {
            identities_ =
                segment::add(identities_ == nullptr ? segment::make() : identities_, each);
        }
        segment::destroy(arrived);
    } else {
        bytes = wire_buffer::adopt(reinterpret_cast<void*>(what.payload));
    }
    link_.chain.absorb(event_word(what, hash_of(bytes)));
    if (keeps_history) {
        bytes.for_each_part([&](bytes_view part) {
            received_bytes.insert(received_bytes.end(), part.begin(), part.end());
        });
    }
    const std::uint32_t generation = link_.generation;
    bytes.for_each_part([&](bytes_view part) {
        // A callback may have cut the link.
        while (link_.generation == generation) {
            client_event learned = session_.handle_bytes(part, world_.now);
            if (!std::holds_alternative<std::monostate>(learned)) {
                handle_event(learned);
            } else if (part.empty()) {
                break;
            }
        }
    });
}

void client_host::handle_event(client_event& learned) {
    using kind = client_note::kind;
    if (const auto* message = std::get_if<fleetarium::publish>(&learned)) {
        take_message(*message);
    } else if (const auto* again = std::get_if<publish_repeated>(&learned)) {
        if (identities_ != nullptr && !identities_->empty()) {
            const message_identity repeated = identities_->take();
            if (world_.book != nullptr) {
                world_.book->message_repeated(id_, broker_index(), link_.connection,
                                              again->packet_id, repeated, world_.now);
            }
            if (world_.observer != nullptr) {
                world_.observer->on_received(id_, repeated, true, world_.now);
            }
        }
        note({.what = kind::repeated, .packet_id = again->packet_id});
    } else if (const auto* done = std::get_if<delivery_acknowledged>(&learned)) {
        const std::uint64_t number = done->done.message->identity().number;
        if (world_.book != nullptr) {
            world_.book->publish_acknowledged(id_, number, world_.now);
        }
        if (world_.observer != nullptr) {
            world_.observer->on_acknowledged(id_, number, world_.now);
        }
        world_.accounts.publisher(source_, done->done.message->topic(),
                                  [](publisher_counts& counts) { ++counts.acknowledged; });
        note({.what = kind::acknowledged,
              .code = done->code,
              .packet_id = done->done.packet_id,
              .number = number});
    } else if (const auto* answer = std::get_if<connack>(&learned)) {
        keep_connack(*answer);
    } else if (const auto* granted = std::get_if<suback>(&learned)) {
        note({.what = kind::subscribed,
              .codes = {granted->codes.begin(), granted->codes.end()},
              .packet_id = granted->packet_id});
    } else if (const auto* gone = std::get_if<unsuback>(&learned)) {
        note({.what = kind::unsubscribed,
              .codes = {gone->codes.begin(), gone->codes.end()},
              .packet_id = gone->packet_id});
    } else if (std::holds_alternative<pingresp>(learned)) {
        note({.what = kind::pingresp});
    } else if (const auto* farewell = std::get_if<fleetarium::disconnect>(&learned)) {
        note({.what = kind::disconnected,
              .code = farewell->code,
              .text = std::string(farewell->reason_string.value_or(""))});
    } else if (const auto* exchange = std::get_if<auth>(&learned)) {
        note({.what = kind::authentication,
              .code = exchange->code,
              .text = std::string(as_text(exchange->authentication_data.value_or(bytes_view{})))});
    } else if (const auto* broken = std::get_if<protocol_violation>(&learned)) {
        if (world_.book != nullptr) {
            world_.book->fault_found(id_, broken->broken, world_.now);
        }
        note({.what = kind::violation, .broken = broken->broken});
    }
    note_dropped();
}

void client_host::keep_connack(const connack& answer) {
    wire_buffer encoded;
    encode(answer, session_.version(), encoded);
    connack_bytes_ = bytes_of(encoded);
    last_connack.emplace(answer);
    bytes_view rest = connack_bytes_;
    frame in;
    if (split_frame(rest, in).complete) {
        decode(in, session_.version(), *last_connack);
    }
    if (answer.code != reason_code::success) {
        note({.what = client_note::kind::refused, .code = answer.code});
        return;
    }
    if (!answer.session_present) {
        last_packet_id_ = 0;
    }
    const bool present = answer.session_present;
    if (world_.book != nullptr) {
        world_.book->session_told(id_, broker_index(), link_.connection, present, world_.now);
    }
    run_waiting();
    note({.what = client_note::kind::connected, .flag = present});
}

void client_host::take_message(const fleetarium::publish& message) {
    received_message made;
    bool copy = false;
    std::optional<message_identity> identity;
    if (identities_ != nullptr && !identities_->empty()) {
        identity = identities_->take();
        copy = message_number::is_copy(identity->number);
        made.published_at = identity->published_at == no_latency ? instant{}
                                                                 : identity->published_at;
    }
    if (world_.book != nullptr && identity) {
        world_.book->message_received(id_, broker_index(), link_.connection, message, *identity,
                                      world_.now);
    } else if (world_.book != nullptr) {
        world_.book->unknown_received(id_, message.topic, world_.now);
    }
    if (message.qos != qos::at_most_once) {
        const auto ahead = static_cast<std::int16_t>(message.packet_id - last_packet_id_);
        if (message.dup && last_packet_id_ != 0 && ahead <= 0) {
            copy = true;
        } else {
            last_packet_id_ = message.packet_id;
        }
    }
    if (world_.observer != nullptr && identity) {
        world_.observer->on_received(id_, *identity, copy, world_.now);
    }
    if (identity) {
        world_.accounts.flow(
            message_number::source_of(identity->number), accounting::hand_written, message.qos,
            message.topic, [&](flow_counts& counts) {
                ++(copy ? counts.duplicates : counts.delivered);
                if (!copy && identity->published_at != no_latency) {
                    counts.latency.record(world_.now - identity->published_at);
                }
            });
    }
    made.topic = message.topic;
    made.payload = as_text(message.payload);
    made.qos = message.qos;
    made.retain = message.retain;
    made.dup = message.dup;
    made.packet_id = message.packet_id;
    made.payload_format_indicator = message.payload_format_indicator;
    made.message_expiry_interval = message.message_expiry_interval;
    made.content_type = text_of(message.content_type);
    made.response_topic = text_of(message.response_topic);
    if (message.correlation_data) {
        made.correlation_data = as_text(*message.correlation_data);
    }
    message.subscription_identifiers.for_each(
        [&](std::uint32_t each) { made.subscription_identifiers.push_back(each); });
    message.user_properties.for_each([&](const user_property& each) {
        made.user_properties.emplace_back(each.first, each.second);
    });
    made.received_at = world_.now;
    if (on_message) {
        on_message(made);
    }
    if (keeps_history) {
        messages.push_back(std::move(made));
    }
}

void client_host::note(client_note made) {
    made.at = world_.now;
    if (on_note) {
        on_note(made);
    }
    if (keeps_history) {
        notes.push_back(std::move(made));
    }
}

void client_host::note_dropped() {
    for (const delivery_dropped& each : session_.poll_dropped()) {
        const message& gone = *each.dropped.message;
        if (world_.book != nullptr) {
            world_.book->publish_dropped(gone.identity().number);
        }
        world_.accounts.publisher(source_, gone.topic(), [&](publisher_counts& counts) {
            count_dropped(counts, each.why);
        });
        note({.what = client_note::kind::dropped,
              .number = gone.identity().number,
              .why = each.why});
    }
}

void client_host::run_waiting() {
    const auto calls = std::exchange(waiting_, {});
    for (const auto& call : calls) {
        call();
    }
}

void client_host::link_ended() {
    world_.sent_log.clear();
    session_.handle_closed(world_.now);
    if (identities_ != nullptr) {
        world_.lose(std::exchange(identities_, nullptr), id_,
                    session_.version());
    }
    const std::size_t unsent = std::exchange(waiting_, {}).size();
    for (std::size_t i = 0; i < unsent; ++i) {
        note({.what = client_note::kind::failed, .error = make_error_code(error::not_connected)});
    }
    note_dropped();
    note({.what = client_note::kind::closed});
}

void client_host::flush() {
    if (session_.has_output()) {
        send(session_.poll_transmit());
    }
    if (session_.should_close()) {
        end_link(event_kind::close);
        link_ended();
    }
    arm();
}

void client_host::arm() {
    const instant due = session_.poll_timeout();
    if (due < armed_) {
        armed_ = std::max(due, world_.now);
        world_.post({.time = armed_,
                     .origin = id_,
                     .sequence = link_.sequence++,
                     .target = id_,
                     .link = 0,
                     .kind_value = static_cast<std::uint8_t>(event_kind::wake),
                     .payload = 0});
    }
}

}  // namespace fleetarium::sim::detail
