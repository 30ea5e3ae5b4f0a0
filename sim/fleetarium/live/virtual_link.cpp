#include <fleetarium/live/virtual_link.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace fleetarium::sim::detail {

namespace {

/// What the user holds of a link.
class virtual_stream final : public net::byte_stream {
public:
    explicit virtual_stream(std::shared_ptr<virtual_link> link) : link_(std::move(link)) {}
    ~virtual_stream() override { link_->abort(); }

    void start(events& to) override { link_->start(to); }
    void write(wire_buffer bytes) override { link_->write(std::move(bytes)); }
    std::size_t backlog() const override { return 0; }  // a link takes all that it is given
    void pause_reading() override { link_->pause_reading(); }
    void resume_reading() override { link_->resume_reading(); }
    void close() override { link_->close(); }
    void abort() noexcept override { link_->abort(); }
    net::peer_facts peer() const override { return {.address = "world"}; }

private:
    std::shared_ptr<virtual_link> link_;
};

}  // namespace

stream_peer& link_pool::take() {
    if (!idle.empty()) {
        stream_peer& taken = *idle.back();
        idle.pop_back();
        return taken;
    }
    stream_peer& made = in.add_stream_peer(group);
    if (network) {
        made.use_network(*network);
    }
    return made;
}

virtual_link::virtual_link(link_pool& pool) : pool_(pool), peer_(&pool.take()) {
    peer_->tell(this);
    pool_.open.push_back(this);
}

virtual_link::~virtual_link() { release(); }

/// Gives the peer back. What was sent before arrives, then the broker learns of the end.
void virtual_link::release() noexcept {
    if (peer_ == nullptr) {
        return;
    }
    peer_->tell(nullptr);
    peer_->close();
    pool_.idle.push_back(std::exchange(peer_, nullptr));
    std::erase(pool_.open, this);
}

// Connecting

void virtual_link::connect(virtual_broker& to, net::connect_handler done) {
    done_ = std::move(done);
    peer_->open(to);
}

void virtual_link::give_up_connecting() noexcept {
    if (done_) {
        done_ = nullptr;
        release();
    }
}

void virtual_link::on_opened() {
    boost::asio::post(pool_.context, [self = shared_from_this()] {
        if (auto done = std::exchange(self->done_, nullptr)) {
            done({}, std::make_unique<virtual_stream>(self));
        }
    });
}

// As a stream

void virtual_link::start(net::byte_stream::events& to) {
    to_ = &to;
    tell_soon();
}

void virtual_link::write(wire_buffer bytes) {
    if (peer_ != nullptr) {
        peer_->send(std::move(bytes));
    }
}

void virtual_link::pause_reading() {
    if (!std::exchange(paused_, true) && peer_ != nullptr) {
        peer_->congest();
    }
}

void virtual_link::resume_reading() {
    if (!std::exchange(paused_, false)) {
        return;
    }
    if (peer_ != nullptr) {
        peer_->drain();
    }
    tell_soon();
}

void virtual_link::close() {
    if (peer_ != nullptr) {
        arrived_.clear();
        paused_ = false;
        end({});
    }
}

void virtual_link::abort() noexcept {
    to_ = nullptr;
    arrived_.clear();
    release();
}

void virtual_link::cut() {
    if (peer_ != nullptr && peer_->is_open()) {
        peer_->cut();
        arrived_.clear();
        paused_ = false;
        end(boost::asio::error::connection_reset);
    }
}

void virtual_link::on_bytes(wire_buffer bytes) {
    arrived_.push_back(std::move(bytes));
    tell_soon();
}

void virtual_link::on_closed() { end({}); }

void virtual_link::end(boost::system::error_code why) {
    ended_ = why;
    release();
    tell_soon();
}

void virtual_link::tell_soon() {
    if (!std::exchange(tells_soon_, true)) {
        boost::asio::post(pool_.context, [self = shared_from_this()] { self->tell(); });
    }
}

void virtual_link::tell() {
    tells_soon_ = false;
    while (to_ != nullptr && !paused_ && !arrived_.empty()) {
        const wire_buffer next = std::move(arrived_.front());
        arrived_.pop_front();
        tell_bytes(next);
    }
    if (to_ != nullptr && !paused_ && arrived_.empty() && ended_) {
        std::exchange(to_, nullptr)->on_closed(*ended_);
    }
}

void virtual_link::tell_bytes(const wire_buffer& bytes) {
    const bytes_view whole = bytes.contiguous();
    if (!whole.empty()) {
        to_->on_bytes(whole);
        return;
    }
    // In one piece, so that nothing is left over if the reader pauses.
    std::vector<std::uint8_t> joined;
    bytes.for_each_part(
        [&](bytes_view part) { joined.insert(joined.end(), part.begin(), part.end()); });
    to_->on_bytes(joined);
}

}  // namespace fleetarium::sim::detail
