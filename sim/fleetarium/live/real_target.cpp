#include <fleetarium/live/real_target.hpp>

#include <fleetarium/live/packet_boundary.hpp>
#include <fleetarium/net/connector.hpp>
#include <fleetarium/net/real_clock.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <set>
#include <sys/resource.h>
#include <utility>
#include <vector>

namespace fleetarium::sim {

namespace {

class wire;

/// What a target and its wires share.
struct target_state {
    target_state(boost::asio::io_context& in, const real_target_options& chosen)
        : context(in), options(chosen) {
        if (options.to.is_tls() && !options.tls_of) {
            tls = net::tls_context(net::tls_role::client, options.tls);
        }
    }

    /// Before anything is told to the world. Never from inside a call of the world.
    void enter_world() {
        if (run != nullptr) {
            run->catch_up();
        }
    }
    void note_failure(const std::string& why);
    void let_try(std::shared_ptr<wire> next);
    void attempt_ended();

    boost::asio::io_context& context;
    const real_target_options options;
    net::tls_context tls;
    paced_run* run = nullptr;                   // null before and after
    std::vector<std::shared_ptr<wire>> wires;   // by link
    std::set<std::shared_ptr<wire>> leaving;    // of no link any more, but not closed yet
    std::deque<std::shared_ptr<wire>> waiting;  // for their turn to connect
    std::size_t attempts = 0;                   // under way
    bool heard = false;                         // any word of the broker
    std::string hopeless;
    remote_broker_report counts;
};

/// A link's connection: it waits for its turn, connects, is open, and closes after the link.
class wire final : public std::enable_shared_from_this<wire>, private net::byte_stream::events {
public:
    wire(std::shared_ptr<target_state> of, remote_broker& to, remote_broker::link serves,
         const link_owner& by)
        : target_(std::move(of)),
          far_(&to),
          link_(serves),
          fleet_(by.fleet),
          client_id_(by.client_id),
          index_(by.index) {}

    /// Its turn has come. Returns whether it still wants to.
    bool connect();
    void write(wire_buffer bytes);

    /// The device has closed the link, or it is broken.
    void leave(bool broken);
    /// A farewell in the name of the device.
    void say_goodbye();
    /// At once, whatever it is doing.
    void drop() noexcept;

private:
    void connected(boost::system::error_code why, std::unique_ptr<net::byte_stream> stream);
    void on_bytes(bytes_view bytes) override;
    void on_drained() override {}
    void on_closed(boost::system::error_code why) override;

    void end_link();
    void retire();

    std::shared_ptr<target_state> target_;
    remote_broker* far_;  // null once the link is over
    remote_broker::link link_;
    std::string fleet_;
    std::string client_id_;
    std::uint32_t index_;
    std::unique_ptr<net::connect_attempt> attempt_;
    std::unique_ptr<net::byte_stream> stream_;
    detail::packet_boundary sent_;
    bool heard_ = false;
};

void target_state::note_failure(const std::string& why) {
    ++counts.failures[why];
    if (!heard && hopeless.empty()) {
        hopeless = fmt::format("no connection to {}: {}", to_string(options.to), why);
    }
}

void target_state::let_try(std::shared_ptr<wire> next) {
    if (attempts >= real_target::attempts_max) {
        waiting.push_back(std::move(next));
    } else {
        attempts += next->connect();
    }
}

void target_state::attempt_ended() {
    --attempts;
    while (attempts < real_target::attempts_max && !waiting.empty()) {
        const std::shared_ptr<wire> next = std::move(waiting.front());
        waiting.pop_front();
        attempts += next->connect();
    }
}

bool wire::connect() {
    if (far_ == nullptr) {
        return false;
    }
    net::tls_context tls = target_->tls;
    if (target_->options.to.is_tls() && target_->options.tls_of) {
        tls = net::tls_context(net::tls_role::client,
                               target_->options.tls_of({fleet_, index_, client_id_}));
    }
    attempt_ =
        net::connect_stream(target_->context, target_->options.to, tls,
                            [this](auto why, auto stream) { connected(why, std::move(stream)); });
    return true;
}

void wire::connected(boost::system::error_code why, std::unique_ptr<net::byte_stream> stream) {
    const auto self = shared_from_this();
    attempt_.reset();
    target_->attempt_ended();
    if (why) {
        target_->note_failure(why.message());
    } else {
        ++target_->counts.connections;
        stream_ = std::move(stream);
        stream_->start(*this);
    }
    target_->enter_world();
    if (why) {
        end_link();
    } else if (far_ != nullptr) {
        far_->opened(link_);
    }
}

void wire::write(wire_buffer bytes) {
    if (stream_ == nullptr) {
        return;
    }
    target_->counts.bytes_sent += bytes.size();
    bytes.for_each_part([&](bytes_view part) { sent_.pass(part); });
    stream_->write(std::move(bytes));
    if (stream_->backlog() > real_target::backlog_max) {
        target_->note_failure("broken off: the broker reads too slowly");
        stream_->abort();
        end_link();
        retire();
    }
}

void wire::on_bytes(bytes_view bytes) {
    const auto self = shared_from_this();
    heard_ = true;
    target_->heard = true;
    target_->counts.bytes_received += bytes.size();
    target_->enter_world();
    if (far_ != nullptr) {
        wire_buffer copied;
        copied.append(bytes);
        far_->deliver(link_, std::move(copied));
    }
}

void wire::on_closed(boost::system::error_code why) {
    const auto self = shared_from_this();
    target_->enter_world();
    const bool broken = why && why != boost::asio::error::eof;
    if (far_ != nullptr && broken) {
        target_->note_failure(why.message());
    } else if (far_ != nullptr && !heard_) {
        target_->note_failure(
            "it closed without a word; does it speak MQTT there, with or without TLS as the URL "
            "says?");
    }
    end_link();
    retire();
}

/// Tells the world that the link is over, unless the world has ended it.
void wire::end_link() {
    if (far_ != nullptr) {
        target_->leaving.insert(shared_from_this());
        target_->wires[link_].reset();
        std::exchange(far_, nullptr)->closed(link_);
    }
}

void wire::leave(bool broken) {
    far_ = nullptr;
    if (attempt_ != nullptr) {
        attempt_.reset();
        target_->attempt_ended();
    } else if (stream_ != nullptr) {
        target_->leaving.insert(shared_from_this());
        if (broken) {
            stream_->abort();
            retire();
        } else {
            stream_->close();
        }
    }
}

void wire::say_goodbye() {
    if (stream_ != nullptr && heard_ && sent_.between_packets()) {
        static constexpr std::uint8_t disconnect[] = {0xE0, 0x00};
        wire_buffer farewell;
        farewell.append(disconnect);
        stream_->write(std::move(farewell));
    }
}

void wire::drop() noexcept {
    far_ = nullptr;
    attempt_.reset();
    if (stream_ != nullptr) {
        stream_->abort();
        stream_.reset();
    }
}

/// Frees the stream, later: it may be in the middle of an event.
void wire::retire() {
    boost::asio::post(target_->context, [self = shared_from_this()] {
        self->drop();
        self->target_->leaving.erase(self);
    });
}

}  // namespace

class real_target::implementation {
public:
    implementation(boost::asio::io_context& context, const real_target_options& options)
        : state_(std::make_shared<target_state>(context, options)) {}
    ~implementation() { drop_all(); }

    target_state& state() { return *state_; }
    const target_state& state() const { return *state_; }

    void open(remote_broker& to, remote_broker::link opened, const link_owner& by) {
        if (opened >= state_->wires.size()) {
            state_->wires.resize(opened + 1);
        }
        state_->wires[opened] = std::make_shared<wire>(state_, to, opened, by);
        state_->let_try(state_->wires[opened]);
    }

    void leave(remote_broker::link closed, bool broken) {
        if (const auto gone = std::exchange(state_->wires[closed], nullptr)) {
            gone->leave(broken);
        }
    }

    std::string probe(duration limit);
    void stop(duration limit);

private:
    void drop_all() noexcept;

    std::shared_ptr<target_state> state_;
};

/// TCP alone, or the Unix socket: TLS is for the devices to show.
std::string real_target::implementation::probe(duration limit) {
    net::url plain = state_->options.to;
    if (plain.scheme != net::scheme::unix_socket) {
        plain.scheme = net::scheme::mqtt;
    }
    bool done = false;
    boost::system::error_code why;
    const auto attempt =
        net::connect_stream(state_->context, plain, {}, [&](auto failure, const auto&) {
            done = true;
            why = failure;
        });
    const instant give_up_at = net::real_now() + limit;
    for (duration left = limit; !done && left > duration{}; left = give_up_at - net::real_now()) {
        state_->context.restart();
        state_->context.run_one_for(left);
    }
    const std::string place = to_string(state_->options.to);
    if (!done) {
        return fmt::format("{} does not answer within {} s: is a broker running there?", place,
                           std::chrono::duration<double>(limit).count());
    }
    return why ? fmt::format("nobody to connect to at {}: {}", place, why.message())
               : std::string();
}

void real_target::implementation::stop(duration limit) {
    target_state& state = *state_;
    state.run = nullptr;
    state.waiting.clear();
    for (const auto& each : std::exchange(state.wires, {})) {
        if (each != nullptr) {
            each->say_goodbye();
            each->leave(false);
        }
    }
    const instant give_up_at = net::real_now() + limit;
    for (duration left = limit; !state.leaving.empty() && left > duration{};
         left = give_up_at - net::real_now()) {
        state.context.restart();
        state.context.run_one_for(left);
    }
    drop_all();
}

void real_target::implementation::drop_all() noexcept {
    state_->run = nullptr;
    state_->waiting.clear();
    for (const auto& each : std::exchange(state_->wires, {})) {
        if (each != nullptr) {
            each->drop();
        }
    }
    for (const auto& each : std::exchange(state_->leaving, {})) {
        each->drop();
    }
}

real_target::real_target(boost::asio::io_context& context, const real_target_options& options)
    : implementation_(std::make_unique<implementation>(context, options)) {}
real_target::~real_target() = default;

std::string real_target::probe(duration limit) { return implementation_->probe(limit); }

void real_target::serve(paced_run& run) { implementation_->state().run = &run; }

const std::string& real_target::hopeless() const { return implementation_->state().hopeless; }

remote_broker_report real_target::report() const {
    remote_broker_report out = implementation_->state().counts;
    out.url = to_string(implementation_->state().options.to);
    return out;
}

void real_target::stop(duration limit) { implementation_->stop(limit); }

void real_target::on_open(remote_broker& to, remote_broker::link opened, const link_owner& by) {
    implementation_->open(to, opened, by);
}

void real_target::on_bytes(remote_broker&, remote_broker::link from, wire_buffer bytes) {
    if (const auto to = implementation_->state().wires[from]) {
        to->write(std::move(bytes));
    }
}

void real_target::on_closed(remote_broker&, remote_broker::link closed, bool broken) {
    implementation_->leave(closed, broken);
}

// Limits of the machine

std::size_t raise_descriptor_limit() noexcept {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return 0;
    }
    const rlim_t before = std::exchange(files.rlim_cur, files.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
        files.rlim_cur = before;
    }
    return files.rlim_cur == RLIM_INFINITY ? ~std::size_t{0}
                                           : static_cast<std::size_t>(files.rlim_cur);
}

std::size_t local_port_count() {
    std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
    std::size_t first = 0;
    std::size_t last = 0;
    if (range >> first >> last && last >= first) {
        return last - first + 1;
    }
    return 28'000;  // what most systems have
}

}  // namespace fleetarium::sim
