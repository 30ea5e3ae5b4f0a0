#include <fleetarium/server/snapshot.hpp>

#include <fleetarium/codec/utf8.hpp>
#include <fleetarium/config/json_document.hpp>
#include <fleetarium/core/base64.hpp>

#include <algorithm>
#include <string_view>
#include <vector>

namespace fleetarium::broker {

namespace {

std::string_view name_of(delivery_state state) {
    switch (state) {
        case delivery_state::pending: return "pending";
        case delivery_state::wait_puback: return "wait_puback";
        case delivery_state::wait_pubrec: return "wait_pubrec";
        case delivery_state::wait_pubcomp: return "wait_pubcomp";
        case delivery_state::completed: return "completed";
    }
    return "unknown";
}

/// Appends JSON to a text: commas are set by themselves.
class json_text {
public:
    explicit json_text(std::string& out) : out_(out) {}

    json_text& begin(char bracket) {
        separate();
        out_ += bracket;
        first_ = true;
        return *this;
    }
    json_text& end(char bracket) {
        out_ += bracket;
        first_ = false;
        return *this;
    }
    /// The next element of an array begins a line.
    json_text& line() {
        separate();
        out_ += '\n';
        first_ = true;
        return *this;
    }
    json_text& name(std::string_view text) {
        separate();
        out_ += '"';
        out_ += text;
        out_ += "\":";
        first_ = true;
        return *this;
    }
    void value(std::string_view text) {
        separate();
        out_ += config::json_quoted(text);
    }
    void value(bool truth) {
        separate();
        out_ += truth ? "true" : "false";
    }
    void value(std::uint64_t number) {
        separate();
        out_ += std::to_string(number);
    }
    void null() {
        separate();
        out_ += "null";
    }

    template <class Value>
    json_text& member(std::string_view text, Value of) {
        name(text).value(of);
        return *this;
    }

    /// Seconds from now until then, at least 0; null if that never comes.
    json_text& seconds_until(std::string_view text, instant then, instant now) {
        name(text);
        if (then == never) {
            null();
            return *this;
        }
        const auto wait =
            std::chrono::duration_cast<std::chrono::milliseconds>(std::max(then - now, duration{}));
        separate();
        out_ += std::to_string(wait.count() / 1000);
        if (wait.count() % 1000 != 0) {
            out_ += '.';
            out_ += std::to_string(1000 + wait.count() % 1000).substr(1);
        }
        return *this;
    }

private:
    void separate() {
        if (!first_) {
            out_ += ',';
        }
        first_ = false;
    }

    std::string& out_;
    bool first_ = true;
};

class snapshot_writer {
public:
    snapshot_writer(const broker_core& core, instant now, const snapshot_options& options)
        : core_(core), now_(now), options_(options), json_(text_) {}

    std::string write() {
        json_.begin('{');
        json_.member("format", std::string_view("fleetarium snapshot"));
        json_.member("version", std::uint64_t{1});
        json_.name("sessions").begin('[');
        for (const session_info& each : sorted_sessions()) {
            json_.line();
            write_session(each);
        }
        json_.end(']');
        json_.name("retained").begin('[');
        for (const message_ptr* each : sorted_retained()) {
            json_.line().begin('{');
            write_message(**each);
            json_.member("qos", qos_number((*each)->qos()));
            json_.end('}');
        }
        json_.end(']').end('}');
        return std::move(text_) + '\n';
    }

private:
    static std::uint64_t qos_number(enum qos value) { return static_cast<std::uint64_t>(value); }

    std::vector<session_info> sorted_sessions() const {
        std::vector<session_info> out;
        out.reserve(core_.session_count());
        core_.for_each_session([&](const session_info& each) { out.push_back(each); });
        std::sort(out.begin(), out.end(),
                  [](const auto& a, const auto& b) { return a.client_id < b.client_id; });
        return out;
    }

    std::vector<const message_ptr*> sorted_retained() const {
        std::vector<const message_ptr*> out;
        out.reserve(core_.retained().size());
        core_.retained().for_each([&](const message_ptr& each) { out.push_back(&each); });
        std::sort(out.begin(), out.end(),
                  [](const auto* a, const auto* b) { return (*a)->topic() < (*b)->topic(); });
        return out;
    }

    void write_session(const session_info& info) {
        const session& kept = core_.sessions()[info.index];
        const bool connected = info.connection != no_connection;
        json_.begin('{');
        json_.member("client_id", info.client_id).member("connected", connected);
        if (connected) {
            const client_info client = core_.describe_client(info.connection);
            const bool is_v5 = client.version == protocol_version::v5;
            json_.member("version", std::string_view(is_v5 ? "5.0" : "3.1.1"));
            if (!client.user_name.empty()) {
                json_.member("user_name", client.user_name);
            }
        } else {
            json_.seconds_until("expires_in", kept.expires_at, now_);
        }
        json_.name("expiry_interval");
        if (kept.expiry_interval == session_expiry_never) {
            json_.null();
        } else {
            json_.value(std::uint64_t{kept.expiry_interval});
        }
        write_subscriptions(info.index, kept);
        write_deliveries("in_flight", kept, true);
        write_deliveries("queued", kept, false);
        json_.member("received_incomplete", std::uint64_t{kept.state.inbound.size()});
        if (kept.will) {
            write_will(*kept.will);
        }
        json_.end('}');
    }

    void write_subscriptions(session_index index, const session& kept) {
        json_.name("subscriptions").begin('[');
        for (const filter_id filter : kept.filters.view()) {
            const subscription* const found = core_.subscriptions().find(filter, index);
            const subscription_options& options = found->options;
            json_.begin('{');
            json_.member("filter", core_.subscriptions().text(filter));
            json_.member("qos", qos_number(options.qos));
            json_.member("no_local", options.no_local);
            json_.member("retain_as_published", options.retain_as_published);
            json_.member("retain_handling", static_cast<std::uint64_t>(options.retain_handling));
            if (found->identifier != 0) {
                json_.member("identifier", std::uint64_t{found->identifier});
            }
            json_.end('}');
        }
        json_.end(']');
    }

    void write_deliveries(std::string_view name, const session& kept, bool in_flight) {
        json_.name(name).begin('[');
        kept.state.outbound.for_each([&](const delivery& each) {
            if ((each.packet_id != 0) != in_flight) {
                return;
            }
            json_.begin('{');
            write_message(*each.message);
            json_.member("qos", qos_number(each.qos)).member("retain", bool{each.retain});
            if (in_flight) {
                json_.member("packet_id", std::uint64_t{each.packet_id});
                json_.member("state", name_of(each.state));
            }
            if (each.shared) {
                json_.member("shared", true);
            }
            json_.end('}');
        });
        json_.end(']');
    }

    void write_will(const stored_will& will) {
        json_.name("will").begin('{');
        write_message(*will.message);
        json_.member("qos", qos_number(will.message->qos()));
        json_.member("retain", will.message->retain());
        json_.member("delay_interval", std::uint64_t{will.delay_interval});
        if (will.due != never) {
            json_.seconds_until("due_in", will.due, now_);
        }
        json_.end('}');
    }

    void write_message(const message& of) {
        const bytes_view payload = of.payload();
        json_.member("topic", of.topic()).member("payload_size", std::uint64_t{payload.size()});
        if (payload.size() <= options_.payload_bytes_max && !payload.empty()) {
            if (detail::check_string(as_text(payload)) == violation::none) {
                json_.member("payload", as_text(payload));
            } else {
                std::string coded;
                append_base64(coded, payload);
                json_.member("payload_base64", std::string_view(coded));
            }
        }
        if (of.expires_at() != never) {
            json_.seconds_until("expires_in", of.expires_at(), now_);
        }
    }

    const broker_core& core_;
    const instant now_;
    const snapshot_options& options_;
    std::string text_;
    json_text json_;
};

}  // namespace

std::string snapshot_json(const broker_core& core, instant now, const snapshot_options& options) {
    return snapshot_writer(core, now, options).write();
}

}  // namespace fleetarium::broker
