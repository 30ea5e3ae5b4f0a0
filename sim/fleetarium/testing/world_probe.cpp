// The probe in a world: a hand-written client there; waiting lets the world run.

#include <fleetarium/codec/reason_code.hpp>
#include <fleetarium/sim/world.hpp>
#include <fleetarium/testing/message_probe.hpp>
#include <fleetarium/testing/probe_backend.hpp>

#include <fmt/format.h>

#include <utility>

namespace fleetarium::testing {

namespace {

class world_backend final : public probe_backend {
public:
    world_backend(sim::world& world, sim::virtual_broker& broker, const probe_options& options,
                  detail::message_log& log)
        : world_(world),
          client_(world.add_client("probe")),
          log_(log),
          began_(world.now()),
          filters_(options.filters.size()) {
        client_.keep_history(false);
        client_.on_message([this](const sim::received_message& arrived) { add(arrived); });
        client_.on_note([this](const sim::client_note& note) { take(note); });

        connect request;
        request.client_id = options.client_id;
        if (!options.user_name.empty()) {
            request.user_name = options.user_name;
        }
        if (!options.password.empty()) {
            request.password = as_bytes_view(options.password);
        }
        // What is asked for before CONNACK waits for it.
        client_.connect(broker, request).value();
        for (const std::string& each : options.filters) {
            client_.subscribe(each, options.qos).value();
        }
    }

    ~world_backend() override {
        // The client stays in the world, without anything of the probe's.
        client_.on_message({});
        client_.on_note({});
        if (client_.is_connected()) {
            client_.disconnect().value();
        }
    }
    world_backend(const world_backend&) = delete;
    world_backend& operator=(const world_backend&) = delete;

    instant now() const override { return world_.now(); }

    void pass_time(std::uint64_t seen, instant until) override {
        while (log_.changes() == seen && world_.next_event() <= until) {
            world_.step();
        }
        if (log_.changes() == seen) {
            world_.run_until(until);
        }
    }

    bool is_subscribed() const override { return subscribed_ == filters_; }
    bool is_refused() const override { return refused_; }
    std::string trouble() const override { return trouble_; }

private:
    void add(const sim::received_message& arrived) {
        probed_message seen;
        seen.topic = arrived.topic;
        seen.payload = arrived.payload;
        seen.qos = arrived.qos;
        seen.retain = arrived.retain;
        seen.content_type = arrived.content_type;
        seen.response_topic = arrived.response_topic;
        seen.correlation_data = arrived.correlation_data;
        seen.user_properties = arrived.user_properties;
        seen.arrived_after = arrived.received_at - began_;
        log_.add(std::move(seen));
    }

    void take(const sim::client_note& note) {
        switch (note.what) {
            case sim::client_note::kind::subscribed:
                for (const reason_code code : note.codes) {
                    if (code < reason_code::unspecified_error) {
                        ++subscribed_;
                    } else {
                        refused_ = true;
                        tell("the broker refused a subscription", code);
                    }
                }
                break;
            case sim::client_note::kind::refused:
                refused_ = true;
                tell("CONNECT was refused", note.code);
                break;
            case sim::client_note::kind::disconnected:
                tell("the broker disconnected it", note.code);
                break;
            case sim::client_note::kind::failed:
                refused_ = true;
                trouble_ += "a call failed: " + note.error.message() + ". ";
                break;
            case sim::client_note::kind::closed: trouble_ += "It is not connected. "; break;
            default: return;
        }
        log_.wake();
    }

    void tell(std::string_view what, reason_code code) {
        trouble_ += fmt::format("{}: {}. ", what, name_of(code));
    }

    sim::world& world_;
    sim::client& client_;
    detail::message_log& log_;
    const instant began_;
    const std::size_t filters_;
    std::size_t subscribed_ = 0;
    bool refused_ = false;
    std::string trouble_;
};

}  // namespace

message_probe::message_probe(sim::world& world, sim::virtual_broker& broker,
                             const probe_options& options)
    : implementation_(std::make_unique<implementation>(options)) {
    implementation_->begin(
        std::make_unique<world_backend>(world, broker, options, implementation_->log()));
}

}  // namespace fleetarium::testing
