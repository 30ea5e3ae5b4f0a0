// How soon a broker in this process serves, and how soon it is gone: what an embedded broker adds
// to each test of its user. Wall time, medians.

#include "bench.hpp"

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/net/connector.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/server/server.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

namespace fleetarium::cli::bench {

namespace {

namespace asio = boost::asio;

// Nothing here takes a thousandth of it.
constexpr std::chrono::seconds patience{30};

/// Something that one thread waits for and another tells.
class signal {
public:
    void tell() {
        const std::lock_guard lock(mutex_);
        told_ = true;
        changed_.notify_all();
    }
    void wait() {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, patience, [this] { return told_; })) {
            throw std::runtime_error("an embedded broker did not do its part within 30 s");
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool told_ = false;
};

/// The thread of an application's clients.
class client_thread {
public:
    client_thread() : work_(context_.get_executor()), thread_([this] { context_.run(); }) {}
    ~client_thread() {
        context_.stop();
        thread_.join();
    }
    client_thread(const client_thread&) = delete;
    client_thread& operator=(const client_thread&) = delete;

    asio::io_context& context() { return context_; }

private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::thread thread_;
};

/// A client that says CONNECT as soon as it can, and stays until the broker ends the connection.
class caller final : public net::byte_stream::events {
public:
    explicit caller(client_thread& on) : on_(on) {}

    void call_by_pipe(broker::server& server) {
        stream_ = server.open_pipe(on_.context().get_executor());
        asio::post(on_.context(), [this] { begin(); });
    }

    void call_by_port(const broker::server& server) {
        asio::post(on_.context(), [this, to = server.listening().at(0)] {
            attempt_ = net::connect_stream(
                on_.context(), to, {},
                [this](boost::system::error_code, std::unique_ptr<net::byte_stream> made) {
                    stream_ = std::move(made);
                    if (stream_) {
                        begin();
                    }
                });
        });
    }

    void wait_for_connack() { accepted_.wait(); }
    void wait_for_end() { ended_.wait(); }

    void on_bytes(bytes_view bytes) override {
        received_ += bytes.size();
        if (received_ >= connack_size_min) {
            accepted_.tell();
        }
    }
    void on_drained() override {}
    void on_closed(boost::system::error_code) override {
        stream_.reset();
        attempt_.reset();
        ended_.tell();
    }

private:
    static constexpr std::size_t connack_size_min = 5;

    void begin() {
        connect request;
        request.client_id = "caller";
        wire_buffer bytes;
        encode(request, bytes);
        stream_->start(*this);
        stream_->write(std::move(bytes));
    }

    client_thread& on_;
    std::unique_ptr<net::connect_attempt> attempt_;
    std::unique_ptr<net::byte_stream> stream_;
    std::size_t received_ = 0;
    signal accepted_;
    signal ended_;
};

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

double seconds_between(instant from, instant to) {
    return std::chrono::duration<double>(to - from).count();
}

struct cycle_times {
    std::vector<double> begin{};  ///< to the first answer
    std::vector<double> end{};
    double whole = 0;  ///< of all cycles
};

/// Brokers one after the other, each with a client that is connected when it stops.
cycle_times run_brokers(std::uint64_t cycles, bool on_port) {
    client_thread clients;
    cycle_times out;
    const instant first = net::real_now();
    for (std::uint64_t i = 0; i < cycles; ++i) {
        caller client(clients);
        const instant begun = net::real_now();
        broker::server server(on_port ? broker::listen_on("mqtt://127.0.0.1:0")
                                      : broker::server_options{});
        server.start();
        if (on_port) {
            client.call_by_port(server);
        } else {
            client.call_by_pipe(server);
        }
        client.wait_for_connack();
        const instant served = net::real_now();
        server.stop();
        out.begin.push_back(seconds_between(begun, served));
        out.end.push_back(seconds_between(served, net::real_now()));
        client.wait_for_end();
    }
    out.whole = seconds_between(first, net::real_now());
    return out;
}

/// The same without a broker: a thread that answers once, by memory alone, and is told to end.
cycle_times run_threads(std::uint64_t cycles) {
    cycle_times out;
    for (std::uint64_t i = 0; i < cycles; ++i) {
        signal question;
        signal answer;
        signal farewell;
        const instant begun = net::real_now();
        std::thread answering([&] {
            question.wait();
            answer.tell();
            farewell.wait();
        });
        question.tell();
        answer.wait();
        const instant served = net::real_now();
        farewell.tell();
        answering.join();
        out.begin.push_back(seconds_between(begun, served));
        out.end.push_back(seconds_between(served, net::real_now()));
    }
    return out;
}

/// The same with a thread that listens on a port, answers a byte, and ends with the connection.
cycle_times run_echoes(std::uint64_t cycles) {
    using tcp = asio::ip::tcp;
    cycle_times out;
    for (std::uint64_t i = 0; i < cycles; ++i) {
        asio::io_context context;
        const instant begun = net::real_now();
        tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
        std::thread answering([&] {
            tcp::socket accepted = acceptor.accept();
            std::array<char, 1> byte{};
            asio::read(accepted, asio::buffer(byte));
            asio::write(accepted, asio::buffer(byte));
            boost::system::error_code end;
            asio::read(accepted, asio::buffer(byte), end);
        });
        tcp::socket socket(context);
        socket.connect(acceptor.local_endpoint());
        std::array<char, 1> byte{};
        asio::write(socket, asio::buffer(byte));
        asio::read(socket, asio::buffer(byte));
        const instant served = net::real_now();
        socket.close();
        answering.join();
        out.begin.push_back(seconds_between(begun, served));
        out.end.push_back(seconds_between(served, net::real_now()));
    }
    return out;
}

figure make_figure(std::string name, double measured, std::string_view limit_name, double limit,
                   double goal_ms) {
    return {std::move(name),
            fmt::format("{:.0f} us", measured * 1e6),
            fmt::format("{}: {:.0f} us", limit_name, limit * 1e6),
            limit / measured,
            fmt::format("{} ms", goal_ms),
            measured * 1e3 < goal_ms};
}

}  // namespace

std::vector<figure> measure_embedding(const scale& size) {
    const std::uint64_t cycles = size.of(10'000);
    std::vector<figure> out;
    for (const bool on_port : {false, true}) {
        const std::string_view way = on_port ? "port" : "pipe";
        const std::string_view limit = on_port ? "thread, socket, echo" : "thread, two signals";
        const cycle_times bare = on_port ? run_echoes(cycles) : run_threads(cycles);
        const cycle_times brokers = run_brokers(cycles, on_port);
        out.push_back(make_figure(fmt::format("embedded broker, start to first CONNACK, {}", way),
                                  median(brokers.begin), limit, median(bare.begin),
                                  on_port ? 5 : 1));
        out.push_back(
            make_figure(fmt::format("embedded broker, stop with a client connected, {}", way),
                        median(brokers.end), "end of such a thread", median(bare.end), 1));
        const double per_second = static_cast<double>(cycles) / brokers.whole;
        const double bare_per_second = 1 / (median(bare.begin) + median(bare.end));
        out.push_back({fmt::format("embedded brokers one after the other, {}", way),
                       fmt::format("{:.0f} /s", per_second),
                       fmt::format("{}: {:.0f} /s", limit, bare_per_second),
                       per_second / bare_per_second, "", true});
    }
    return out;
}

}  // namespace fleetarium::cli::bench
