#pragma once

#include <fleetarium/feed/source_link.hpp>

#include <memory>
#include <string>

namespace fleetarium::feed {

/// Where a feed is served.
struct feed_address {
    std::string host{};
    std::string port{};

    /// HOST:PORT for requests and messages; with brackets around an IPv6 address.
    std::string text() const;
};

/// Understands http://HOST:PORT, ws://HOST:PORT and HOST:PORT, with or without a path, which is not
/// looked at. Throws std::invalid_argument with what was found and what was expected.
feed_address parse_feed_address(const std::string& url);

/// The way to a source behind a WebSocket (see feed.md), on a thread of its own. A connection that
/// is lost is made anew, first after half a second, then after longer and longer, eight seconds at
/// most. Questions wait for that; commands that may have been on their way fail.
///
/// Thread rule: as source_link. The destructor waits for its thread, which does not take long.
class remote_link final : public source_link {
public:
    /// An empty token: none is shown.
    explicit remote_link(const feed_address& to, const std::string& token = {});
    ~remote_link() override;
    remote_link(const remote_link&) = delete;
    remote_link& operator=(const remote_link&) = delete;

    std::size_t receive() override;
    void on_arrival(std::function<void()> call) override;
    state connection() const override;
    std::string trouble() const override;

private:
    void send(const question_entry& which, std::any question, answer_handler answered) override;

    class implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace fleetarium::feed
