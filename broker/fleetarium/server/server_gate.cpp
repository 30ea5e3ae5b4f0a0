#include <fleetarium/server/server_gate.hpp>

#include <fleetarium/codec/reason_code.hpp>
#include <fleetarium/codec/violation.hpp>
#include <fleetarium/server/access_file.hpp>

#include <fmt/format.h>
#include <openssl/rand.h>

#include <utility>

namespace fleetarium::broker {

namespace {

broker_hooks& allowing_everything() {
    static broker_hooks hooks;  // has no state
    return hooks;
}

}  // namespace

server_gate::server_gate(const server_options& options, const server_log& log,
                         broker_hooks* embedder, facts_of facts, address_of address)
    : options_(options),
      log_(log),
      embedder_(embedder == nullptr ? allowing_everything() : *embedder),
      facts_(std::move(facts)),
      address_(std::move(address)) {}

std::vector<std::string> server_gate::load(std::mutex& turn) {
    std::vector<config::problem> wrong;
    if (has_passwords()) {
        wrong = passwords_.load(options_.password_file);
        if (passwords_.weak_count() > 0) {
            log_(log_level::warning,
                 fmt::format("{}: {} of {} passwords are hashed with few rounds: set them again "
                             "with `fleetarium passwd`",
                             options_.password_file, passwords_.weak_count(), passwords_.size()));
        }
    }
    if (!options_.access_file.empty()) {
        auto loaded = load_access_file(options_.access_file);
        if (auto* const problems = std::get_if<std::vector<config::problem>>(&loaded)) {
            wrong.insert(wrong.end(), problems->begin(), problems->end());
        } else {
            const std::lock_guard swapping(turn);
            access_ = std::get<access_policy>(std::move(loaded));
        }
    }
    std::vector<std::string> out;
    out.reserve(wrong.size());
    for (const config::problem& each : wrong) {
        out.push_back(to_string(each));
    }
    return out;
}

// Who gets in

reason_code server_gate::authenticate(const client_info& client, const connect& request) {
    const reason_code code = check(client, request);
    if (code != reason_code::success && log_) {
        refused_ = {client.connection, request.user_name
                                           ? fmt::format("user \"{}\"", *request.user_name)
                                           : "it gave no user name"};
    }
    return code;
}

reason_code server_gate::check(const client_info& client, const connect& request) {
    const connection_facts facts = facts_(client.connection);
    if (!client.vouched) {
        if (!request.user_name) {
            if (!facts.allow_anonymous) {
                return reason_code::not_authorized;
            }
        } else if (has_passwords() && facts.is_too_busy) {
            return reason_code::server_busy;
        } else if (has_passwords() && !facts.password_is_right) {
            return reason_code::bad_user_name_or_password;
        }
    }
    return embedder_.authenticate(client, request);
}

authentication_step server_gate::authenticate_enhanced(const client_info& client,
                                                       std::string_view method, bytes_view data) {
    return embedder_.authenticate_enhanced(client, method, data);
}

// What they may do

bool server_gate::wants_authorization() const {
    return !options_.access_file.empty() || embedder_.wants_authorization();
}

bool server_gate::authorize_publish(const client_info& client, const publish& message) {
    return access_.may_publish(client.client_id, client.user_name, message.topic) &&
           embedder_.authorize_publish(client, message);
}

bool server_gate::authorize_subscribe(const client_info& client, std::string_view filter,
                                      const subscription_options& options) {
    return access_.may_subscribe(client.client_id, client.user_name, filter) &&
           embedder_.authorize_subscribe(client, filter, options);
}

message_identity server_gate::identify(connection_id publisher, std::uint64_t next_number,
                                       const publish& message, instant now) {
    return embedder_.identify(publisher, next_number, message, now);
}

std::uint64_t server_gate::number_client_id(std::uint64_t count) {
    std::uint64_t number = 0;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number) != 1) {
        return embedder_.number_client_id(count);
    }
    return number;
}

// The log

bool server_gate::wants_events() const {
    return static_cast<bool>(log_) || embedder_.wants_events();
}

bool server_gate::wants_message_events() const {
    return embedder_.wants_events() && embedder_.wants_message_events();
}

void server_gate::on_event(const broker_event& event) {
    if (log_) {
        tell(event);
    }
    if (embedder_.wants_events()) {
        embedder_.on_event(event);
    }
}

void server_gate::tell(const broker_event& event) {
    using kind = broker_event::kind;
    const auto who = [&] {
        return event.client_id.empty()
                   ? address_(event.connection) + ':'
                   : fmt::format("{}: \"{}\"", address_(event.connection), event.client_id);
    };
    switch (event.what) {
        case kind::connected:
            log_(log_level::info,
                 fmt::format("{} connected{}", who(), event.flag ? ", its session goes on" : ""));
            return;
        case kind::refused:
            if (const auto more = refusals_.admit(event.at)) {
                log_(log_level::warning,
                     fmt::format("{} refused: {}{}", who(), why_refused(event), *more));
            }
            refused_.connection = no_connection;
            return;
        case kind::disconnected:
            if (event.flag) {
                log_(log_level::info, who() + " disconnected: the connection was lost");
            } else if (event.broken != violation::none) {
                if (const auto more = faults_.admit(event.at)) {
                    log_(log_level::warning, fmt::format("{} disconnected: {}{}", who(),
                                                         describe(event.broken).phrase, *more));
                }
            } else if (event.code == reason_code::success) {
                log_(log_level::info, who() + " disconnected");  // took its leave
            } else {
                log_(log_level::info,
                     fmt::format("{} disconnected: {}", who(), name_of(event.code)));
            }
            return;
        case kind::subscribed:
            log_(log_level::debug,
                 fmt::format("{}: subscribed to \"{}\": {}", address_(event.connection),
                             event.topic, name_of(event.code)));
            return;
        default: return;
    }
}

/// In words for whoever runs the broker, who has to find out which client that is and what it
/// should have done.
std::string server_gate::why_refused(const broker_event& event) const {
    if (event.broken == violation::none) {
        std::string out(name_of(event.code));
        if (refused_.connection == event.connection) {
            out += " (" + refused_.detail + ')';
        }
        return out;
    }
    std::string out(describe(event.broken).phrase);
    switch (facts_(event.connection).speaks) {
        case foreign_protocol::tls:
            out +=
                " (it started TLS, which this listener does not speak; clients need mqtt:// "
                "here, or a listener with mqtts://)";
            break;
        case foreign_protocol::http:
            out += " (it sent an HTTP request; clients with WebSocket need a listener with ws://)";
            break;
        case foreign_protocol::none: break;
    }
    return out;
}

}  // namespace fleetarium::broker
