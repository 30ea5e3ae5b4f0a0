#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/codec/codec.hpp>

#include <support/hex.hpp>
#include <support/virtual_network.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Servers of a virtual network.
namespace fleetarium::test {

/// A broker core that answers at a host.
class memory_broker final : public memory_server {
public:
    explicit memory_broker(virtual_network& in, const broker::broker_options& options = {},
                           broker::broker_hooks* hooks = nullptr,
                           const std::string& host = "broker")
        : network_(in), options_(options), hooks_(hooks), timer_(in.make_timer()) {
        restart();
        in.serve(host, *this);
    }

    broker::broker_core& core() { return *core_; }

    /// Forgets every session and message; connections have to be cut before.
    void restart() {
        connections_.clear();
        core_ = std::make_unique<broker::broker_core>(options_, hooks_);
    }

    void accept(std::unique_ptr<net::byte_stream> stream) override {
        const auto id = core_->handle_open(network_.now());
        auto made = std::make_unique<connection>(*this, id, std::move(stream));
        auto& placed = *(connections_[id] = std::move(made));
        placed.stream->start(placed);
        pump();
    }

    void publish(std::string_view topic, std::string_view payload, enum qos qos = qos::at_most_once,
                 bool retain = false) {
        fleetarium::publish out;
        out.topic = topic;
        out.payload = as_bytes_view(payload);
        out.qos = qos;
        out.retain = retain;
        publish(out);
    }
    void publish(const fleetarium::publish& message) {
        if (!core_->publish(message, network_.now())) {
            throw std::runtime_error("the broker does not take the message");
        }
        pump();
    }
    void disconnect(std::string_view client_id, reason_code code) {
        if (!core_->disconnect(client_id, code, network_.now())) {
            throw std::runtime_error("the client is not connected");
        }
        pump();
    }

private:
    struct connection final : net::byte_stream::events {
        connection(memory_broker& in, broker::connection_id number,
                   std::unique_ptr<net::byte_stream> to)
            : owner(&in), id(number), stream(std::move(to)) {}
        void on_bytes(bytes_view raw) override {
            owner->core_->handle_bytes(id, raw, owner->network_.now());
            owner->pump();
        }
        void on_drained() override {}
        void on_closed(boost::system::error_code) override {
            memory_broker& to = *owner;
            to.core_->handle_closed(id, to.network_.now());
            const auto gone = to.connections_.extract(id);
            to.pump();
        }

        memory_broker* owner;
        broker::connection_id id;
        std::unique_ptr<net::byte_stream> stream;
    };

    void pump() {
        while (auto out = core_->poll_output()) {
            const auto found = connections_.find(out->connection);
            if (found == connections_.end()) {
                continue;
            }
            if (!out->bytes.empty()) {
                found->second->stream->write(std::move(out->bytes));
            }
            if (out->close) {
                found->second->stream->close();
            }
        }
        const instant due = core_->poll_timeout();
        timer_->start(due, [this] {
            core_->handle_timeout(network_.now());
            pump();
        });
    }

    virtual_network& network_;
    broker::broker_options options_;
    broker::broker_hooks* hooks_;
    std::unique_ptr<environment::timer> timer_;
    std::unique_ptr<broker::broker_core> core_;
    std::map<broker::connection_id, std::unique_ptr<connection>> connections_;
};

/// A server whose every word the test says: it gets packets one by one and answers as it likes.
class scripted_server final : public memory_server {
public:
    /// A connection of it.
    class session final : public net::byte_stream::events {
    public:
        session(scripted_server& in, std::unique_ptr<net::byte_stream> stream)
            : owner_(&in), stream_(std::move(stream)) {
            stream_->start(*this);
        }

        template <class Packet>
        void send(const Packet& packet) {
            wire_buffer out;
            encode(packet, version, out);
            stream_->write(std::move(out));
        }
        void send_hex(std::string_view hex) {
            wire_buffer out;
            out.append(from_hex(hex));
            stream_->write(std::move(out));
        }
        void close() { stream_->close(); }
        bool is_open() const { return open_; }

        protocol_version version = protocol_version::v5;

    private:
        void on_bytes(bytes_view raw) override {
            input_.insert(input_.end(), raw.begin(), raw.end());
            bytes_view rest = input_;
            for (frame one; open_ && !rest.empty() && split_frame(rest, one).complete;) {
                packet in;
                if (decode(one, version, in) != violation::none) {
                    throw std::runtime_error("the client sent what cannot be decoded");
                }
                if (const auto* request = std::get_if<fleetarium::connect>(&in)) {
                    version = request->version;
                }
                owner_->on_packet(*this, in);
            }
            input_.erase(input_.begin(), input_.end() - static_cast<std::ptrdiff_t>(rest.size()));
        }
        void on_drained() override {}
        void on_closed(boost::system::error_code) override { open_ = false; }

        scripted_server* owner_;
        std::unique_ptr<net::byte_stream> stream_;
        bytes input_;
        bool open_ = true;
    };

    explicit scripted_server(virtual_network& in, const std::string& host = "broker") {
        in.serve(host, *this);
    }

    /// What it does with a packet. Views in it are valid during the call.
    std::function<void(session&, const packet&)> on_packet = [](session&, const packet&) {};
    std::vector<std::unique_ptr<session>> sessions;

    void accept(std::unique_ptr<net::byte_stream> stream) override {
        sessions.push_back(std::make_unique<session>(*this, std::move(stream)));
    }
};

}  // namespace fleetarium::test
