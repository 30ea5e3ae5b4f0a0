#include <fleetarium/client/client_config.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/limits.hpp>

#include <stdexcept>

namespace fleetarium {

namespace {

constexpr std::int64_t session_expiry_max = 0xFFFF'FFFF;

[[noreturn]] void refuse(const std::string& sentence) { throw std::invalid_argument(sentence); }

net::url read_url(std::string_view text) {
    net::url_or_problem read = net::parse_url(text);
    if (!read.problem.empty()) {
        refuse(read.problem);
    }
    if (read.value.scheme != net::scheme::unix_socket && read.value.port == 0) {
        refuse("\"" + std::string(text) + "\" has port 0, on which nobody listens");
    }
    return std::move(read.value);
}

void require_positive(duration time, std::string_view what) {
    if (time <= duration::zero()) {
        refuse(std::string(what) + " has to be longer than no time at all");
    }
}

}  // namespace

// Back-off

backoff& backoff::first(duration wait) {
    require_positive(wait, "the first wait of a back-off");
    first_ = wait;
    return *this;
}

backoff& backoff::max(duration wait) {
    require_positive(wait, "the longest wait of a back-off");
    max_ = wait;
    return *this;
}

backoff& backoff::factor(double by) {
    if (!(by >= 1 && by <= 100)) {
        refuse("the factor of a back-off is " + std::to_string(by) + "; expected 1 to 100");
    }
    factor_ = by;
    return *this;
}

backoff& backoff::jitter(double share) {
    if (!(share >= 0 && share <= 1)) {
        refuse("the jitter of a back-off is " + std::to_string(share) + "; expected 0 to 1");
    }
    jitter_ = share;
    return *this;
}

backoff& backoff::stable_after(duration held) {
    stable_after_ = held;
    return *this;
}

backoff& backoff::attempts(std::uint32_t max) {
    attempts_ = max;
    return *this;
}

// The client

client_config::client_config(std::string_view url) : urls_{read_url(url)} {}

client_config& client_config::or_else(std::string_view url) {
    urls_.push_back(read_url(url));
    return *this;
}

client_config& client_config::connect_timeout(duration time) {
    require_positive(time, "the time to connect");
    connect_timeout_ = time;
    return *this;
}

client_config& client_config::response_timeout(duration time) {
    require_positive(time, "the time for the server to answer");
    response_timeout_ = time;
    return *this;
}

client_config& client_config::user(std::string name, payload_view password) {
    if (password.bytes().size() > limits::string_size_max) {
        refuse("the password has " + std::to_string(password.bytes().size()) +
               " bytes; MQTT allows 65,535");
    }
    user_name_ = std::move(name);
    password_.emplace(password.bytes().begin(), password.bytes().end());
    return *this;
}

client_config& client_config::session_expiry(std::chrono::seconds time) {
    if (time.count() < 0) {
        refuse("the session expiry is negative; expected 0 or more seconds");
    }
    session_expiry_ = std::min(time, std::chrono::seconds{session_expiry_max});
    return *this;
}

client_config& client_config::keep_alive(std::chrono::seconds interval) {
    if (interval.count() < 0 || interval.count() > 65'535) {
        refuse("the keep alive is " + std::to_string(interval.count()) +
               " s; expected 0 (off) to 65,535");
    }
    keep_alive_ = interval;
    return *this;
}

client_config& client_config::receive_maximum(std::uint16_t messages) {
    if (messages == 0) {
        refuse("the receive maximum is 0; expected 1 to 65,535");
    }
    receive_maximum_ = messages;
    return *this;
}

client_config& client_config::maximum_packet_size(std::uint32_t bytes) {
    if (bytes == 0) {
        refuse("the maximum packet size is 0; expected 1 or more bytes");
    }
    maximum_packet_size_ = bytes;
    return *this;
}

client_config& client_config::output_bytes_max(std::size_t bytes) {
    if (bytes == 0) {
        refuse("the bound on bytes waiting for the transport is 0; expected 1 or more");
    }
    output_bytes_max_ = bytes;
    return *this;
}

client_config& client_config::response_topic(std::string topic) {
    if (!is_valid_topic_name(topic)) {
        refuse("\"" + topic +
               "\" cannot be a response topic: expected a topic name without wildcards");
    }
    response_topic_ = std::move(topic);
    return *this;
}

void client_config::check() const {
    if (version_ == protocol_version::v5) {
        return;
    }
    const auto refuse_in_3_1_1 = [](bool given, std::string_view what) {
        if (given) {
            refuse(std::string(what) + " is not part of MQTT 3.1.1; use version 5 or leave it out");
        }
    };
    refuse_in_3_1_1(authenticator_ != nullptr, "enhanced authentication");
    refuse_in_3_1_1(!user_properties_.empty(), "a user property");
    refuse_in_3_1_1(session_expiry_.has_value(), "a session expiry");
    refuse_in_3_1_1(receive_maximum_.has_value(), "a receive maximum");
    refuse_in_3_1_1(maximum_packet_size_.has_value(), "a maximum packet size");
    refuse_in_3_1_1(topic_alias_maximum_ > 0 || use_topic_aliases_, "a topic alias");
    refuse_in_3_1_1(follow_server_reference_, "a server reference");
    refuse_in_3_1_1(will_ && will_->options().has_properties(), "a property of a will");
    refuse_in_3_1_1(will_ && will_->delay().count() > 0, "the delay of a will");
    if (id_.empty() && !clean_start_) {
        refuse("a session that is to be kept needs a client id in MQTT 3.1.1");
    }
}

}  // namespace fleetarium
