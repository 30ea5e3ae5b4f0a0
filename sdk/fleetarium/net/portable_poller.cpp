#include <fleetarium/net/portable_poller.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <utility>

namespace fleetarium::net {

/// Kept alive by its waits; without a `who` once it is watched no more.
struct portable_poller::watched {
    using descriptor_type =
        boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;

    watched(boost::asio::io_context& context, entry& told, int socket)
        : who(&told), descriptor(context) {
        descriptor.assign(socket);
    }

    entry* who;
    descriptor_type descriptor;
    readiness wanted = 0;
    readiness waits_for = 0;
};

/// Waits for more after an event, even one that throws.
struct portable_poller::wait_again {
    ~wait_again() {
        if (each->who != nullptr) {
            poller.wait(each, what);
        }
    }

    portable_poller& poller;
    const watched_ptr& each;
    readiness what;
};

boost::asio::execution_context::id portable_poller::id;

portable_poller::portable_poller(boost::asio::io_context& context) : socket_poller(context) {}
portable_poller::~portable_poller() = default;

boost::system::error_code portable_poller::start_watching(entry& each, readiness wanted) {
    try {
        watched_[&each] = std::make_shared<watched>(context(), each, each.socket());
    } catch (const boost::system::system_error& wrong) {
        return wrong.code();
    }
    return change_watching(each, wanted);
}

boost::system::error_code portable_poller::change_watching(entry& each, readiness wanted) {
    const watched_ptr& found = watched_.at(&each);
    found->wanted = wanted;
    wait(found, readable);
    wait(found, writable);
    return {};
}

void portable_poller::stop_watching(entry& each) noexcept {
    const auto found = watched_.find(&each);
    found->second->who = nullptr;
    found->second->descriptor.release();  // its waits end; the socket is the entry's
    watched_.erase(found);
}

void portable_poller::drop_found(entry&) noexcept {}  // one is found at a time

void portable_poller::rest() noexcept {}

void portable_poller::shutdown() noexcept {
    socket_poller::shutdown();
    for (const auto& [who, each] : watched_) {
        each->who = nullptr;
        each->descriptor.release();
    }
    watched_.clear();
}

void portable_poller::wait(const watched_ptr& each, readiness for_what) {
    if ((each->wanted & for_what) == 0 || (each->waits_for & for_what) != 0) {
        return;
    }
    each->waits_for |= for_what;
    each->descriptor.async_wait(for_what == readable ? watched::descriptor_type::wait_read
                                                     : watched::descriptor_type::wait_write,
                                [this, each, for_what](boost::system::error_code cancelled) {
                                    if (!cancelled && each->who != nullptr) {
                                        handle_ready(each, for_what);
                                    }
                                });
}

void portable_poller::handle_ready(const watched_ptr& each, readiness what) {
    each->waits_for = static_cast<readiness>(each->waits_for & ~what);
    if ((each->wanted & what) == 0) {
        return;  // a wait begins when it is wanted again
    }
    const scratch_lease scratch;
    const wait_again guard{*this, each, what};
    tell_ready(*each->who, what, scratch.memory());
}

}  // namespace fleetarium::net
