#pragma once

#include <fleetarium/client/operation.hpp>
#include <fleetarium/client/received_message.hpp>
#include <fleetarium/client/subscribe_options.hpp>

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fleetarium::detail {

class client_core;

/// Where messages of a subscription wait for whoever receives them. Held by its handle; the client
/// knows it as long as that lives.
class subscription_stream : public std::enable_shared_from_this<subscription_stream> {
public:
    subscription_stream(std::weak_ptr<client_core> owner, boost::asio::any_io_executor executor,
                        std::vector<std::string> filters, subscribe_options options);

    const std::vector<std::string>& filters() const { return filters_; }
    const subscribe_options& options() const { return options_; }
    const std::weak_ptr<client_core>& owner() const { return owner_; }
    const boost::asio::any_io_executor& executor() const { return executor_; }

    // Messages

    /// What takes messages instead of the buffer.
    void use_sink(std::function<void(received_message)> sink) { sink_ = std::move(sink); }
    /// A message came. False if one had to be dropped for it.
    bool deliver(received_message message);
    /// Completes at once if a message waits, or if the stream has ended and is empty.
    void receive(operation_ptr<received_message> waiting);
    std::optional<received_message> try_receive();
    std::size_t buffered() const { return buffer_.size(); }
    std::uint64_t dropped() const { return dropped_; }
    /// It has come to its bound, and reading is to pause until `wants_more`.
    bool is_full() const { return full_; }
    /// Told once, when a full stream has room again.
    void on_room(std::function<void()> call) { on_room_ = std::move(call); }

    /// It holds up reading no longer. Whether it did.
    bool let_go() {
        on_room_ = nullptr;
        return std::exchange(full_, false);
    }

    /// No more messages come. Receivers get what is buffered, then `why`.
    void end(boost::system::error_code why);
    /// Receivers that wait are told `why`; the stream goes on.
    void fail_receivers(boost::system::error_code why);
    bool ended() const { return ended_.failed(); }

    // The server's answers

    /// What the server, or this side, said to a filter.
    void answer(std::size_t filter, boost::system::error_code why, reason_code code);
    /// Every filter has an answer.
    bool answered() const { return unanswered_ == 0; }
    /// The first failure, if no filter was accepted.
    boost::system::error_code refused() const;
    /// In the order of the filters, failures of this side as the code that a server would give.
    std::vector<reason_code> codes() const;
    /// Completes once every filter has an answer.
    void wait_answered(operation_ptr<std::vector<reason_code>> waiting);
    void fail_waiters(boost::system::error_code why);

    std::uint64_t visited = 0;  ///< of the message being routed, so that it comes once

private:
    struct answer_to_filter {
        boost::system::error_code why{};
        std::optional<reason_code> code{};
    };

    received_message take();
    void complete_waiters();

    std::weak_ptr<client_core> owner_;
    boost::asio::any_io_executor executor_;
    std::vector<std::string> filters_;
    subscribe_options options_;
    std::vector<answer_to_filter> answers_;
    std::size_t unanswered_;
    std::deque<received_message> buffer_;
    std::deque<operation_ptr<received_message>> receivers_;
    std::vector<operation_ptr<std::vector<reason_code>>> waiters_;
    std::function<void(received_message)> sink_;
    std::function<void()> on_room_;
    boost::system::error_code ended_;
    std::uint64_t dropped_ = 0;
    std::uint64_t lost_ = 0;  // since the last message that was received
    bool full_ = false;
};

using stream_ptr = std::shared_ptr<subscription_stream>;

}  // namespace fleetarium::detail
