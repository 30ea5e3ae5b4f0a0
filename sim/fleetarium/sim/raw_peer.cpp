#include <fleetarium/sim/raw_peer.hpp>

#include <fleetarium/sim/broker_host.hpp>
#include <fleetarium/sim/raw_peer_host.hpp>

#include <stdexcept>
#include <utility>

namespace fleetarium::sim {

namespace {

int value_of(char digit) {
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

std::vector<std::uint8_t> parse_hex(std::string_view digits) {
    std::vector<std::uint8_t> out;
    int high = -1;
    for (const char each : digits) {
        if (each == ' ' || each == '\n') {
            continue;
        }
        const int value = value_of(each);
        if (value < 0) {
            throw std::invalid_argument("not a hexadecimal digit: " + std::string(1, each));
        }
        if (high < 0) {
            high = value;
        } else {
            out.push_back(static_cast<std::uint8_t>(high * 16 + value));
            high = -1;
        }
    }
    if (high >= 0) {
        throw std::invalid_argument("half a byte at the end of: " + std::string(digits));
    }
    return out;
}

std::string hex_of(const std::vector<std::uint8_t>& bytes) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const std::uint8_t each : bytes) {
        if (!out.empty()) {
            out += ' ';
        }
        out += digits[each >> 4];
        out += digits[each & 15];
    }
    return out;
}

}  // namespace

namespace detail {

raw_peer_host::raw_peer_host(world_state& world, std::string name)
    : peer_host(world, std::move(name)) {}

void raw_peer_host::connect(host_id broker) {
    close();
    received.clear();
    waiting_.clear();
    closed = false;
    open_link(broker);
}

void raw_peer_host::send_bytes(bytes_view bytes) {
    if (link_.phase() == link_end::phase::open) {
        wire_buffer out;
        out.append(bytes);
        if (!out.empty()) {
            send(std::move(out));
        }
    } else if (link_.phase() == link_end::phase::opening) {
        waiting_.emplace_back(bytes.begin(), bytes.end());
    }
}

void raw_peer_host::close() {
    if (has_link()) {
        end_link(event_kind::close);
    }
}

void raw_peer_host::cut() {
    if (has_link()) {
        cut_link();
    }
}

void raw_peer_host::handle(const event& what) {
    if (!is_present(what, protocol_version::v5)) {
        return;
    }
    switch (what.kind()) {
        case event_kind::opened:
            link_.chain.absorb(event_word(what, what.origin));
            link_.connection = static_cast<std::uint32_t>(what.payload);
            link_.set_phase(link_end::phase::open);
            for (const auto& each : std::exchange(waiting_, {})) {
                send_bytes(each);
            }
            break;
        case event_kind::bytes:
        case event_kind::messages: take_bytes(what); break;
        case event_kind::close:
        case event_kind::cut:
            link_.chain.absorb(event_word(what, what.origin));
            link_.set_phase(link_end::phase::idle);
            link_.generation = (link_.generation + 1) & link_mask;
            closed = true;
            break;
        default: break;
    }
}

void raw_peer_host::take_bytes(const event& what) {
    wire_buffer bytes;
    if (what.kind() == event_kind::messages) {
        auto* const arrived = reinterpret_cast<segment*>(what.payload);
        bytes = std::move(arrived->bytes);
        // It does not decode: what is in the bytes counts as delivered.
        for (const message_identity& each : arrived->rest()) {
            world_.accounts.flow(message_number::source_of(each.number), accounting::hand_written,
                                 message_number::qos_of(each.number), {},
                                 [](flow_counts& counts) { ++counts.delivered; });
        }
        segment::destroy(arrived);
    } else {
        bytes = wire_buffer::adopt(reinterpret_cast<void*>(what.payload));
    }
    link_.chain.absorb(event_word(what, hash_of(bytes)));
    bytes.for_each_part(
        [&](bytes_view part) { received.insert(received.end(), part.begin(), part.end()); });
}

}  // namespace detail

raw_peer::raw_peer(std::unique_ptr<detail::raw_peer_host> host) : host_(std::move(host)) {}
raw_peer::~raw_peer() = default;

void raw_peer::connect(virtual_broker& to) { host_->connect(to.host_->id()); }

void raw_peer::send(bytes_view bytes) { host_->send_bytes(bytes); }

void raw_peer::send_hex(std::string_view digits) { host_->send_bytes(parse_hex(digits)); }

void raw_peer::close() { host_->close(); }

void raw_peer::cut() { host_->cut(); }

void raw_peer::use_network(const network_spec& spec) { host_->use_network(spec); }

bool raw_peer::open() const { return host_->is_open(); }

bool raw_peer::closed() const { return host_->closed; }

const std::vector<std::uint8_t>& raw_peer::received() const { return host_->received; }

std::string raw_peer::received_hex() const { return hex_of(host_->received); }

std::vector<std::uint8_t> raw_peer::take_received() { return std::exchange(host_->received, {}); }

std::string raw_peer::take_received_hex() { return hex_of(take_received()); }

}  // namespace fleetarium::sim
