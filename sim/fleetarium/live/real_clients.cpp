#include <fleetarium/live/real_clients.hpp>

#include <fleetarium/net/real_clock.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace fleetarium::sim {

namespace {

/// A real connection and the stream peer that stands for it in the world.
class bridge final : private net::byte_stream::events, private stream_peer::events {
public:
    /// Whoever owns bridges.
    class owner {
    public:
        /// Before anything is done to the world.
        virtual void enter_world() = 0;
        virtual void log(std::string_view line) = 0;
        /// Both ends are closed; the bridge may be destroyed from inside the call.
        virtual void retire(bridge& done) = 0;
        virtual void note_slow() = 0;

    protected:
        ~owner() = default;
    };

    bridge(owner& owned_by, stream_peer& peer, std::unique_ptr<net::byte_stream> stream)
        : owner_(owned_by), peer_(peer), stream_(std::move(stream)) {}
    ~bridge() {
        peer_.tell(nullptr);
        peer_.close();
    }

    void start(virtual_broker& at) {
        peer_.tell(this);
        peer_.open(at);
        stream_->start(*this);
    }

    stream_peer& peer() { return peer_; }

private:
    // From the network
    void on_bytes(bytes_view bytes) override {
        owner_.enter_world();
        wire_buffer copied;
        copied.append(bytes);
        peer_.send(std::move(copied));
    }
    void on_drained() override {
        if (std::exchange(congested_, false)) {
            owner_.enter_world();
            peer_.drain();
            stream_->resume_reading();
        }
    }
    void on_closed(boost::system::error_code why) override {
        owner_.enter_world();
        if (why && why != boost::asio::error::eof) {
            peer_.cut();
        } else {
            peer_.close();
        }
        owner_.retire(*this);
    }

    // From the world
    void on_opened() override {}
    void on_bytes(wire_buffer bytes) override {
        stream_->write(std::move(bytes));
        const std::size_t waiting = stream_->backlog();
        if (waiting > real_clients::backlog_max) {
            give_up(waiting);
        } else if (waiting > real_clients::congested_from && !std::exchange(congested_, true)) {
            peer_.congest();
            stream_->pause_reading();
        }
    }
    void on_closed() override { stream_->close(); }
    void on_wake() override {}

    void give_up(std::size_t waiting) {
        owner_.log(fmt::format("closed {}: it has {} bytes to read and reads too slowly",
                               stream_->peer().address, waiting));
        owner_.note_slow();
        stream_->abort();
        peer_.cut();
        owner_.retire(*this);
    }

    owner& owner_;
    stream_peer& peer_;
    std::unique_ptr<net::byte_stream> stream_;
    bool congested_ = false;
};

}  // namespace

class real_clients::implementation final : public bridge::owner {
public:
    implementation(paced_run& run, log_sink log) : run_(run), log_(std::move(log)) {}
    ~implementation() {
        for (const auto& each : listeners_) {
            each->stop();
        }
    }

    net::url listen(virtual_broker& at, const net::url& on, const net::tls_options& tls) {
        const net::tls_context context =
            on.is_tls() ? net::tls_context(net::tls_role::server, tls) : net::tls_context();
        auto& made = listeners_.emplace_back(net::make_listener(run_.context(), on, context));
        if (std::find(brokers_.begin(), brokers_.end(), &at) == brokers_.end()) {
            brokers_.push_back(&at);
        }
        made->start([this]() -> boost::asio::io_context& { return run_.context(); },
                    [this, &at](std::unique_ptr<net::byte_stream> stream,
                                boost::asio::io_context&) { accept(at, std::move(stream)); });
        return made->bound();
    }

    void stop(duration limit);

    counts counted() const {
        counts out = counts_;
        out.open = bridges_.size();
        return out;
    }

private:
    void accept(virtual_broker& at, std::unique_ptr<net::byte_stream> stream) {
        run_.catch_up();
        stream_peer& peer = take_peer();
        auto made = std::make_unique<bridge>(*this, peer, std::move(stream));
        bridge& one = *made;
        bridges_.emplace(&one, std::move(made));
        ++counts_.accepted;
        one.start(at);
    }

    stream_peer& take_peer() {
        if (idle_.empty()) {
            stream_peer& made = run_.running().add_stream_peer("real");
            made.use_network({.name = "real"});
            return made;
        }
        stream_peer& taken = *idle_.back();
        idle_.pop_back();
        return taken;
    }

    void enter_world() override {
        if (!stopping_) {
            run_.catch_up();
        }
    }
    void log(std::string_view line) override {
        if (log_) {
            log_(line);
        }
    }
    void note_slow() override { ++counts_.closed_slow; }
    void retire(bridge& done) override {
        // Later: the world or the stream may be in the middle of a call of it.
        const std::weak_ptr<const bool> alive = alive_;
        boost::asio::post(run_.context(), [this, alive, gone = &done] {
            if (!alive.expired()) {
                stream_peer& peer = gone->peer();
                bridges_.erase(gone);
                idle_.push_back(&peer);
            }
        });
    }

    paced_run& run_;
    log_sink log_;
    std::vector<std::unique_ptr<net::listener>> listeners_;
    std::vector<virtual_broker*> brokers_;
    std::unordered_map<const bridge*, std::unique_ptr<bridge>> bridges_;
    std::vector<stream_peer*> idle_;
    counts counts_;
    bool stopping_ = false;
    std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

void real_clients::implementation::stop(duration limit) {
    stopping_ = true;
    for (const auto& each : listeners_) {
        each->stop();
    }
    for (virtual_broker* const each : brokers_) {
        each->shut_down();
    }
    run_.running().run_until(run_.running().now());
    const instant give_up_at = net::real_now() + limit;
    for (duration left = limit; !bridges_.empty() && left > duration{};
         left = give_up_at - net::real_now()) {
        run_.context().run_one_for(left);
    }
}

real_clients::real_clients(paced_run& run, log_sink log)
    : implementation_(std::make_unique<implementation>(run, std::move(log))) {}
real_clients::~real_clients() = default;

net::url real_clients::listen(virtual_broker& at, const net::url& on, const net::tls_options& tls) {
    return implementation_->listen(at, on, tls);
}

void real_clients::stop(duration limit) { implementation_->stop(limit); }

real_clients::counts real_clients::counted() const { return implementation_->counted(); }

}  // namespace fleetarium::sim
